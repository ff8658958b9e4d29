/* The page around the verifier: fetch or choose the files, check, tell, flip one byte.
 *
 * Used by the served pages (addresses in data attributes) and, inlined, by the one-file verifier (data embedded).
 * There are three outcomes, and they look and read differently: valid, refused, and "this browser cannot check".
 */
"use strict";

(() => {
  const root = document.querySelector("[data-verify]");
  if (!root || typeof EvidenceVerifier === "undefined") return;

  const all = JSON.parse(document.getElementById("verify-words").textContent);
  const embeddedNode = document.getElementById("verify-embedded");
  const embedded = embeddedNode ? JSON.parse(embeddedNode.textContent) : null;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const state = { original: null, bytes: null, name: "", pem: null, keyName: "", note: null, run: 0 };

  let language = document.documentElement.lang in all ? document.documentElement.lang : Object.keys(all)[0];

  function say(key, values = {}) {
    const sentence = all[language][key] || key;
    return sentence.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
  }

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  /* ---- telling ---- */

  function tell(tone, sentence, more) {
    const place = part("result");
    place.dataset.tone = tone;
    place.replaceChildren(element("strong", sentence, "verify-sentence"));
    for (const line of more.filter(Boolean)) place.append(element("p", line));
  }

  function noteText() {
    return state.note ? say(state.note.key, state.note.values) : "";
  }

  function show(answer) {
    const note = noteText();
    if (answer.outcome === "valid") {
      tell("valid", say("valid", { count: answer.checks.length }), [say("valid_more"), note]);
    } else if (answer.outcome === "refused") {
      tell("refused", say("refused", { check: answer.failed }), [say(`fails.${answer.failed}`), note]);
    } else {
      tell("cannot", say("cannot"), [say(answer.reason, { detail: answer.detail || "" }), note]);
    }
    showChecks(answer);
    showFacts(answer);
  }

  function showChecks(answer) {
    const place = part("checks");
    if (!place) return;
    const ran = new Map(answer.checks.map((one) => [one.name, one.passed]));
    place.replaceChildren(...EvidenceVerifier.CHECKS.map((name) => {
      const known = ran.has(name);
      const passed = ran.get(name);
      const line = element("li", "", known ? (passed ? "held" : "failed") : "not-run");
      line.append(element("code", name), " ", element("span", say(known && !passed ? `fails.${name}` : `holds.${name}`)), " ");
      line.append(element("em", say(known ? (passed ? "held" : "failed") : "not_run")));
      return line;
    }));
    part("checks-box").hidden = answer.outcome === "cannot";
  }

  function reasonText(text) {
    const params = text.params || {};
    const known = (all[language].messages || {})[text.msgid] || text.msgid;
    return known.replace(/\{(\w+)\}/g, (place, name) => (name in params ? String(params[name]) : place));
  }

  function showFacts(answer) {
    const place = part("facts");
    if (!place) return;
    place.replaceChildren();
    part("facts-box").hidden = answer.outcome !== "valid";
    if (answer.outcome !== "valid") return;
    const { predicate, subject } = answer.statement;
    const rows = [
      ["verdict", say(predicate.verdict.outcome)],
      ["subject", `${subject[0].name} (sha256 ${subject[0].digest.sha256})`],
      ["protocol", `${predicate.protocol.name} ${predicate.protocol.version} (sha256 ${predicate.protocol.sha256})`],
      ["attempt", String(predicate.attempt)],
      ["measured", `${predicate.started_at} – ${predicate.ended_at}`],
      ["issued", predicate.issued_at],
      ["centre", predicate.centre],
      ["log", `#${predicate.log.sequence}`],
      ["notes", predicate.notes.map((note) => note[language] || note.en).join(" · ")],
    ];
    for (const [key, value] of rows) {
      const row = element("div");
      row.append(element("dt", say(key)), element("dd", value));
      place.append(row);
    }
    const reasons = part("reasons");
    if (reasons) {
      reasons.replaceChildren(...predicate.verdict.reasons.map((reason) => {
        const mark = reason.passed === null ? "·" : reason.passed ? "✓" : "✗";
        return element("li", `${mark} ${reason.text ? reasonText(reason.text) : reason.check}`);
      }));
    }
  }

  async function showNames() {
    const digestPlace = part("digest");
    const keyPlace = part("fingerprint");
    if (part("file-name")) {
      part("file-name").textContent = state.bytes ? say("own_file", { name: state.name, size: state.bytes.length }) : "";
    }
    if (part("key-name")) part("key-name").textContent = state.keyName ? say("own_key", { name: state.keyName }) : "";
    try {
      if (digestPlace && state.bytes) digestPlace.textContent = await EvidenceVerifier.sha256(state.bytes);
      if (keyPlace && state.pem) keyPlace.textContent = (await EvidenceVerifier.readKey(state.pem)).keyid;
    } catch (error) {
      // The result region says why; an empty fingerprint claims nothing.
      if (keyPlace) keyPlace.textContent = "–";
    }
  }

  /* ---- doing ---- */

  async function check() {
    const run = (state.run += 1);
    for (const name of ["flip", "restore"]) button(name).disabled = state.bytes === null;
    if (!state.bytes) return tell("waiting", say("choose"), []);
    tell("waiting", say("checking"), []);
    let answer;
    try {
      await showNames();
      answer = state.pem ? await EvidenceVerifier.verify(state.bytes, [state.pem]) : cannot("no_key");
    } catch (error) {
      answer = error instanceof TypeError && error.message === "not a public key"
        ? cannot("no_key") : cannot("error", error.name);
    }
    if (run === state.run) show(answer); // a newer check has been started meanwhile
  }

  function cannot(reason, detail) {
    return { outcome: "cannot", reason, detail, checks: [] };
  }

  function button(name) {
    return root.querySelector(`[data-action="${name}"]`);
  }

  function take(bytes, name) {
    Object.assign(state, { original: bytes, bytes, name, note: null });
    return check();
  }

  button("flip").addEventListener("click", () => {
    const flip = EvidenceVerifier.flipOne(state.original);
    const shown = (byte) => `0x${byte.toString(16).padStart(2, "0")}`;
    const values = { place: flip.place + 1, size: flip.changed.length, before: shown(flip.before), after: shown(flip.after) };
    Object.assign(state, { bytes: flip.changed, note: { key: "flipped", values } });
    check();
  });

  button("restore").addEventListener("click", () => {
    Object.assign(state, { bytes: state.original, note: { key: "restored", values: {} } });
    check();
  });

  async function chosen(input, use) {
    const file = input.files && input.files[0];
    if (!file) return;
    // Read no more than could ever be valid; the size check then refuses it.
    use(new Uint8Array(await file.slice(0, 1024 * 1024 + 1).arrayBuffer()), file.name);
  }

  function useKey(bytes, name) {
    Object.assign(state, { pem: new TextDecoder().decode(bytes.slice(0, 10000)), keyName: name });
    check();
  }

  for (const input of root.querySelectorAll("[data-file]")) {
    input.addEventListener("change", () => chosen(input, input.dataset.file === "key" ? useKey : take));
  }

  const drop = part("drop");
  if (drop) {
    drop.addEventListener("dragover", (event) => event.preventDefault());
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      chosen(event.dataTransfer, take);
    });
  }

  for (const choice of document.querySelectorAll("[data-language]")) {
    choice.addEventListener("click", () => speak(choice.dataset.language));
  }

  function speak(wanted) {
    language = wanted;
    document.documentElement.lang = wanted;
    for (const place of document.querySelectorAll("[data-say]")) place.textContent = say(place.dataset.say);
    for (const choice of document.querySelectorAll("[data-language]")) {
      choice.setAttribute("aria-pressed", String(choice.dataset.language === wanted));
    }
    check();
  }

  async function fetched(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return new Uint8Array(await answer.arrayBuffer());
  }

  async function begin() {
    root.dataset.ready = "true";
    if (embedded) {
      const raw = atob(embedded.evidence);
      Object.assign(state, { pem: embedded.key, keyName: "centre.pub" });
      state.original = state.bytes = Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
      state.name = embedded.name;
      return speak(language);
    }
    try {
      if (root.dataset.keyUrl) {
        state.pem = new TextDecoder().decode(await fetched(root.dataset.keyUrl));
        state.keyName = root.dataset.keyUrl;
      }
      if (root.dataset.evidenceUrl) {
        return take(await fetched(root.dataset.evidenceUrl), root.dataset.evidenceName);
      }
    } catch (error) {
      return show(cannot("no_file"));
    }
    return check();
  }

  begin();
})();
