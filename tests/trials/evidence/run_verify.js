// Reads {script, cases: [{data, keys, roles}]} on standard input; writes the answers as one JSON list.
"use strict";
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", async () => {
  const work = JSON.parse(Buffer.concat(chunks));
  const verifier = require(work.script);
  const answers = [];
  for (const one of work.cases) {
    const bytes = new Uint8Array(Buffer.from(one.data, "base64"));
    const answer = await verifier.verify(bytes, one.keys, one.roles);
    answers.push({ outcome: answer.outcome, failed: answer.failed, checks: answer.checks });
  }
  process.stdout.write(JSON.stringify(answers));
});
