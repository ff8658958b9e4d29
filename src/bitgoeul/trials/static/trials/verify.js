/* Check an evidence file in the reader's own browser.
 *
 * The same checks, names and order as trials/verify.py; a test holds both to the same answers. Nothing is sent
 * anywhere. Runs as a plain script in a page, in a downloaded file (file://) and in Node.
 *
 * verify(bytes, keyPems, roles) resolves to {outcome, failed, checks, statement, record}; outcome is "valid",
 * "refused" or "cannot" (this browser cannot check: that says nothing about the file).
 */
"use strict";

const EvidenceVerifier = (() => {
  const FILE_BYTES_MAX = 1024 * 1024;
  const RECORD_BYTES_MAX = 256 * 1024;
  const DEPTH_MAX = 64;
  const SIGNATURES_MAX = 8;
  const PAYLOAD_TYPE = "application/vnd.in-toto+json";
  const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
  const PREDICATE_TYPE = "urn:bitgoeul:trial:v1";
  const OUTCOMES = ["PASSED", "WARNED", "FAILED", "INVALID"];
  const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$/;
  const DIGEST = /^[0-9a-f]{64}$/;
  const PREDICATE = {
    attempt: "int", centre: "str", class: "str", ended_at: "str", environment: "dict", issued_at: "str",
    log: "dict", notes: "list", parameters: "dict", protocol: "dict", record: "dict", signers: "list",
    started_at: "str", trial: "str", verdict: "dict",
  };

  class Loose extends Error {} // has no one spelling
  class CannotCheck extends Error {} // this browser lacks what checking needs

  const utf8 = new TextEncoder();

  /* ---- JSON with one spelling (RFC 8785; whole numbers within 2^53 - 1) ---- */

  function canonicalText(value, depth = DEPTH_MAX) {
    if (value === null || value === true || value === false) return String(value);
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value)) throw new Loose("number");
      return String(value); // -0 becomes 0
    }
    if (typeof value === "string") return quoted(value);
    if (depth <= 0) throw new Loose("depth");
    if (Array.isArray(value)) return "[" + value.map((one) => canonicalText(one, depth - 1)).join(",") + "]";
    // The default order of sort() is that of UTF-16 code units, as the RFC asks.
    const names = Object.keys(value).sort();
    return "{" + names.map((name) => quoted(name) + ":" + canonicalText(value[name], depth - 1)).join(",") + "}";
  }

  function quoted(text) {
    try {
      encodeURIComponent(text); // refuses half of a surrogate pair
    } catch (error) {
      throw new Loose("surrogate");
    }
    return JSON.stringify(text);
  }

  function canonicalBytes(value) {
    return utf8.encode(canonicalText(value));
  }

  function parse(bytes) {
    if (bytes.length > FILE_BYTES_MAX) throw new SyntaxError("too large");
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    checkDepth(text);
    return JSON.parse(text);
  }

  function checkDepth(text) {
    let depth = 0;
    for (const bracket of text.replace(/"(?:[^"\\]|\\[^])*"?/g, "").match(/[[\]{}]/g) || []) {
      depth += bracket === "[" || bracket === "{" ? 1 : -1;
      if (depth > DEPTH_MAX) throw new SyntaxError("too deep");
    }
  }

  function sameBytes(one, other) {
    return one.length === other.length && one.every((byte, place) => byte === other[place]);
  }

  function sameValue(one, other) {
    try {
      return canonicalText(one) === canonicalText(other);
    } catch (error) {
      if (error instanceof Loose) return false;
      throw error;
    }
  }

  /* ---- base64, hex, digests, keys ---- */

  function decode64(text) {
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
    const raw = atob(text);
    if (btoa(raw) !== text) return null; // unused low bits of the last character
    return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  }

  function hex(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function subtle() {
    const found = globalThis.crypto && globalThis.crypto.subtle;
    if (!found || typeof BigInt === "undefined") throw new CannotCheck("no_crypto");
    return found;
  }

  async function sha256(bytes) {
    return hex(new Uint8Array(await subtle().digest("SHA-256", bytes)));
  }

  /* The object identifiers in the SPKI say which algorithm a key is of. */
  function algorithmOf(spki) {
    const text = hex(spki);
    if (text.startsWith("302a300506032b6570032100") && spki.length === 44) return "ed25519";
    if (text.startsWith("3059301306072a8648ce3d020106082a8648ce3d03010703420004")) return "ecdsa-p256-sha256";
    return null;
  }

  async function readKey(pem) {
    const body = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/.exec(pem);
    const spki = body && decode64(body[1].replace(/\s/g, ""));
    const algorithm = spki && algorithmOf(spki);
    if (!algorithm) throw new TypeError("not a public key");
    return { keyid: await sha256(spki), algorithm, spki };
  }

  async function imported(key) {
    const name = key.algorithm === "ed25519" ? { name: "Ed25519" } : { name: "ECDSA", namedCurve: "P-256" };
    try {
      return await subtle().importKey("spki", key.spki, name, false, ["verify"]);
    } catch (error) {
      if (error.name === "DataError") throw new TypeError("not a public key");
      // A browser without Ed25519 answers here; that is no fault of the file.
      throw new CannotCheck(key.algorithm === "ed25519" ? "no_ed25519" : "no_ecdsa");
    }
  }

  async function signatureHolds(key, message, signature) {
    const handle = await imported(key);
    if (signature.length !== 64) return false;
    if (key.algorithm === "ed25519") return subtle().verify({ name: "Ed25519" }, handle, signature, message);
    if (BigInt("0x" + hex(signature.slice(32))) > P256_ORDER / 2n) return false;
    return subtle().verify({ name: "ECDSA", hash: "SHA-256" }, handle, signature, message);
  }

  /* DSSE's pre-authentication encoding. */
  function pae(type, payload) {
    const kind = utf8.encode(type);
    const head = utf8.encode(`DSSEv1 ${kind.length} ${type} ${payload.length} `);
    const message = new Uint8Array(head.length + payload.length);
    message.set(head);
    message.set(payload, head.length);
    return message;
  }

  /* ---- shapes ---- */

  function kindOf(value) {
    if (value === null) return "null";
    if (Array.isArray(value)) return "list";
    if (typeof value === "number") return "int";
    return { string: "str", boolean: "bool", object: "dict" }[typeof value];
  }

  /* Exactly these members, each of its kind. */
  function has(value, members) {
    if (kindOf(value) !== "dict") return false;
    const names = Object.keys(value);
    return names.length === Object.keys(members).length &&
      names.every((name) => Object.hasOwn(members, name) && kindOf(value[name]) === members[name]);
  }

  function ascending(names) {
    return names.every((name, place) => place === 0 || byCodePoint(names[place - 1], name) < 0);
  }

  function byCodePoint(one, other) {
    const [a, b] = [Array.from(one, (c) => c.codePointAt(0)), Array.from(other, (c) => c.codePointAt(0))];
    for (let place = 0; place < Math.min(a.length, b.length); place += 1) {
      if (a[place] !== b[place]) return a[place] - b[place];
    }
    return a.length - b.length;
  }

  function member(record, name, part) {
    return kindOf(record[name]) === "dict" ? record[name][part] : undefined;
  }

  function isDigest(value) {
    return typeof value === "string" && DIGEST.test(value);
  }

  /* ---- the checks, in their order ---- */

  const STEPS = {
    size: (state) => state.bytes.length > 0 && state.bytes.length <= FILE_BYTES_MAX,

    readable(state) {
      try {
        state.content = parse(state.bytes);
        return true;
      } catch (error) {
        return false;
      }
    },

    canonical(state) {
      try {
        return sameBytes(utf8.encode(canonicalText(state.content) + "\n"), state.bytes);
      } catch (error) {
        return false;
      }
    },

    envelope(state) {
      if (!has(state.content, { envelope: "dict", record: "dict" })) return false;
      const { envelope, record } = state.content;
      if (!has(envelope, { payload: "str", payloadType: "str", signatures: "list" })) return false;
      if (envelope.payloadType !== PAYLOAD_TYPE) return false;
      const signatures = envelope.signatures;
      if (signatures.length < 1 || signatures.length > SIGNATURES_MAX) return false;
      if (!signatures.every((one) => has(one, { keyid: "str", sig: "str" }))) return false;
      state.payload = decode64(envelope.payload);
      state.signatures = signatures.map((one) => ({ keyid: one.keyid, sig: decode64(one.sig) }));
      state.record = record;
      const loose = state.payload === null || state.signatures.some((one) => one.sig === null);
      return loose || ascending(signatures.map((one) => one.keyid));
    },

    base64: (state) => state.payload !== null && state.signatures.every((one) => one.sig !== null),

    keyid: (state) => state.signatures.every((one) => state.keys.has(one.keyid)),

    async signature(state) {
      const message = pae(PAYLOAD_TYPE, state.payload);
      for (const one of state.signatures) {
        if (!(await signatureHolds(state.keys.get(one.keyid), message, one.sig))) return false;
      }
      return true;
    },

    /* Read only now: nothing unsigned is interpreted. */
    statement(state) {
      let statement;
      try {
        statement = parse(state.payload);
        if (!sameBytes(canonicalBytes(statement), state.payload)) return false;
      } catch (error) {
        return false;
      }
      const members = { _type: "str", predicateType: "str", predicate: "dict", subject: "list" };
      if (!has(statement, members)) return false;
      if (statement._type !== STATEMENT_TYPE || statement.predicateType !== PREDICATE_TYPE) return false;
      state.statement = statement;
      state.predicate = statement.predicate;
      return has(statement.predicate, PREDICATE) &&
        statement.predicate.notes.every((note) => has(note, { ko: "str", en: "str" }));
    },

    signers(state) {
      const signers = state.predicate.signers;
      if (!signers.every((one) => has(one, { role: "str", keyid: "str", algorithm: "str" }))) return false;
      const named = new Map(signers.map((one) => [one.keyid, one.algorithm]));
      const roles = new Set(signers.map((one) => one.role));
      return named.size === state.signatures.length &&
        state.signatures.every((one) => named.get(one.keyid) === state.keys.get(one.keyid).algorithm) &&
        state.roles.every((role) => roles.has(role));
    },

    async record_digest(state) {
      const data = canonicalBytes(state.record);
      state.recordSize = data.length;
      return sameValue(state.predicate.record, { sha256: await sha256(data), size: data.length });
    },

    record_size: (state) => state.recordSize <= RECORD_BYTES_MAX,

    subject(state) {
      const subjects = state.statement.subject;
      if (subjects.length !== 1 || !has(subjects[0], { name: "str", digest: "dict" })) return false;
      const digest = member(state.record, "subject", "digest");
      return isDigest(digest) && sameValue(subjects[0].digest, { sha256: digest });
    },

    protocol(state) {
      const named = state.predicate.protocol;
      if (!has(named, { name: "str", version: "str", sha256: "str" })) return false;
      return isDigest(named.sha256) && named.sha256 === member(state.record, "protocol", "digest");
    },

    parameters(state) {
      const theirs = Object.hasOwn(state.record, "parameters") ? state.record.parameters : null;
      return sameValue(state.predicate.parameters, theirs);
    },

    async environment(state) {
      const theirs = state.record.environment;
      if (!Object.hasOwn(state.record, "environment") || kindOf(theirs) !== "dict") return false;
      return sameValue(state.predicate.environment, { sha256: await sha256(canonicalBytes(theirs)) });
    },

    times(state) {
      const { started_at: started, ended_at: ended, issued_at: issued } = state.predicate;
      if (![started, ended, issued].every((one) => TIME.test(one))) return false;
      if (started > ended || ended > issued) return false;
      return state.record.started_at === started && state.record.ended_at === ended;
    },

    verdict(state) {
      const verdict = state.predicate.verdict;
      if (!has(verdict, { outcome: "str", reasons: "list" }) || !OUTCOMES.includes(verdict.outcome)) return false;
      return verdict.reasons.every((one) => kindOf(one) === "dict" && typeof one.check === "string");
    },
  };

  const CHECKS = Object.keys(STEPS);

  async function readKeys(pems) {
    const keys = new Map();
    for (const pem of pems) {
      const key = await readKey(pem);
      keys.set(key.keyid, key);
    }
    return keys;
  }

  /* Can this browser check at all? Asked before anything is said about a file. */
  async function ability(pems) {
    try {
      for (const key of (await readKeys(pems)).values()) await imported(key);
      return null;
    } catch (error) {
      if (error instanceof CannotCheck) return error.message;
      throw error;
    }
  }

  async function verify(bytes, pems, roles = ["runner"]) {
    const checks = [];
    const state = { bytes, roles };
    try {
      subtle();
      state.keys = await readKeys(pems);
      for (const name of CHECKS) {
        const passed = await STEPS[name](state);
        checks.push({ name, passed });
        if (!passed) return { outcome: "refused", failed: name, checks, statement: null, record: null };
      }
    } catch (error) {
      if (!(error instanceof CannotCheck)) throw error;
      return { outcome: "cannot", failed: null, reason: error.message, checks, statement: null, record: null };
    }
    return { outcome: "valid", failed: null, checks, statement: state.statement, record: state.record };
  }

  /* A copy of the bytes with one bit of one byte changed, and where. */
  function flipOne(bytes) {
    const place = Math.floor(Math.random() * bytes.length);
    const bit = Math.floor(Math.random() * 8);
    const changed = bytes.slice();
    changed[place] ^= 1 << bit;
    return { changed, place, before: bytes[place], after: changed[place] };
  }

  return { verify, ability, readKey, sha256, flipOne, canonicalText, CHECKS };
})();

if (typeof module !== "undefined") module.exports = EvidenceVerifier;
