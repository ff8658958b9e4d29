"""Check an evidence file: named checks in a fixed order, the first that fails ends it.

The reader's browser runs the same checks under the same names (``static/trials/verify.js``); a test holds both
to the same answers. No database, no network, no Django.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bitgoeul.kernel.canonical import (
    CanonicalError,
    UnreadableJson,
    canonical_bytes,
    digest,
    loads_strict,
    sha256_hex,
)
from bitgoeul.kernel.signing import BadBase64, BadEnvelope, Envelope, PublicKey, pae
from bitgoeul.kernel.text import N_, Text

from .ports import Outcome
from .statement import (
    FILE_BYTES_MAX,
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    RECORD_BYTES_MAX,
    RUNNER,
    STATEMENT_TYPE,
    file_bytes,
)

OUTCOMES = tuple(str(outcome) for outcome in Outcome)
# A damaged evidence file still holds at least one of these; a file with none of them is something else.
MARKS = (b'"envelope"', b'"payloadType"', b'"signatures"')
# [0-9], not \d, which accepts other scripts' digits.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Check:
    """A check's stable name and its two sentences."""

    name: str
    holds: Text
    fails: Text


CHECKS = (
    Check(
        "size",
        Text(N_("The file is within the size limit.")),
        Text(N_("The file is empty or larger than 1 MiB.")),
    ),
    Check(
        "readable",
        Text(N_("The file is one JSON text in UTF-8.")),
        Text(N_("The file is not one JSON text in UTF-8.")),
    ),
    Check(
        "canonical",
        Text(N_("Every byte of the file stands where its one spelling (RFC 8785) puts it.")),
        Text(N_("The file is not in its one spelling (RFC 8785 with one final newline).")),
    ),
    Check(
        "envelope",
        Text(N_("The file is a DSSE envelope with its record and nothing else.")),
        Text(N_("The file is not a DSSE envelope with its record.")),
    ),
    Check(
        "base64",
        Text(N_("The signed part is base64 in its one spelling.")),
        Text(N_("The signed part is not base64 in its one spelling.")),
    ),
    Check(
        "keyid",
        Text(N_("The signature names the key it was checked with.")),
        Text(N_("The signature names another key than the one given.")),
    ),
    Check(
        "signature",
        Text(N_("The signature is that key's over exactly these bytes.")),
        Text(N_("The signature does not fit the signed bytes.")),
    ),
    Check(
        "statement",
        Text(N_("The signed statement is an in-toto statement about one trial.")),
        Text(N_("The signed statement is not an in-toto statement about one trial.")),
    ),
    Check(
        "signers",
        Text(N_("The statement names exactly those who signed it, in the roles required.")),
        Text(N_("Those who signed are not those the statement names, or a required role is missing.")),
    ),
    Check(
        "record_digest",
        Text(N_("The record is, byte for byte, the one that was signed for.")),
        Text(N_("The record differs from the one that was signed for.")),
    ),
    Check(
        "record_size",
        Text(N_("The record is within the size limit.")),
        Text(N_("The record is larger than the limit.")),
    ),
    Check(
        "subject",
        Text(N_("Statement and record speak of the same subject.")),
        Text(N_("Statement and record speak of different subjects.")),
    ),
    Check(
        "protocol",
        Text(N_("Statement and record name the same protocol.")),
        Text(N_("Statement and record name different protocols.")),
    ),
    Check(
        "parameters",
        Text(N_("Statement and record have the same parameters.")),
        Text(N_("Statement and record have different parameters.")),
    ),
    Check(
        "environment",
        Text(N_("Statement and record describe the same environment.")),
        Text(N_("Statement and record describe different environments.")),
    ),
    Check(
        "times",
        Text(N_("The times agree and follow one another.")),
        Text(N_("The times disagree or do not follow one another.")),
    ),
    Check(
        "verdict",
        Text(N_("The verdict is one of the four, with its reasons.")),
        Text(N_("The verdict is not one of the four with reasons.")),
    ),
)
_BY_NAME = {check.name: check for check in CHECKS}


@dataclass(frozen=True)
class CheckResult:
    """One check that ran."""

    name: str
    passed: bool
    text: Text


@dataclass(frozen=True)
class Verification:
    """What the checks said; ``statement`` and ``record`` are given only when every check passed."""

    checks: Sequence[CheckResult]
    unreadable: bool = False
    statement: Mapping[str, Any] | None = None
    record: Mapping[str, Any] | None = None

    @property
    def valid(self) -> bool:
        """True when every check ran and passed."""
        return len(self.checks) == len(CHECKS) and all(one.passed for one in self.checks)

    @property
    def failed(self) -> CheckResult | None:
        """The check that refused the file."""
        return next((one for one in self.checks if not one.passed), None)

    @property
    def exit_status(self) -> int:
        """0 valid, 1 refused, 2 not an evidence file at all."""
        return 0 if self.valid else 2 if self.unreadable else 1

    def to_json(self) -> dict[str, Any]:
        """One object for ``--json``."""
        failed = self.failed
        return {
            "valid": self.valid,
            "unreadable": self.unreadable,
            "failed": failed.name if failed else None,
            "message": str(failed.text) if failed else None,
            "checks": [{"name": one.name, "passed": one.passed} for one in self.checks],
            "statement": self.statement,
        }


def verify_evidence(data: bytes, keys: Sequence[PublicKey], *, roles: Collection[str] = (RUNNER,)) -> Verification:
    """Check the bytes of an evidence file against the public keys one trusts.

    ``roles`` are the signers' roles that must be present: the runner at 실증, the reviewer too from 검증.
    Never raises for what the file holds; the answer names the first check that failed.
    """
    state = _State(data, {key.keyid: key for key in keys}, frozenset(roles))
    done: list[CheckResult] = []
    for check in CHECKS:
        passed = STEPS[check.name](state)
        done.append(CheckResult(check.name, passed, check.holds if passed else check.fails))
        if not passed:
            foreign = check.name in ("size", "readable") and not any(mark in data for mark in MARKS)
            return Verification(done, unreadable=foreign)
    return Verification(done, statement=state.statement, record=state.record)


@dataclass
class _State:
    """What the checks so far have established."""

    data: bytes
    keys: Mapping[str, PublicKey]
    roles: frozenset[str]
    strict: CanonicalError | None = None
    content: Any = None
    envelope: Envelope | None = None
    fault: BadEnvelope | None = None
    statement: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def sealed(self) -> Envelope:
        """The envelope, once the checks have established that there is one."""
        if self.envelope is None:
            raise RuntimeError("a later check ran before the envelope's")
        return self.envelope

    @property
    def predicate(self) -> dict[str, Any]:
        predicate: dict[str, Any] = self.statement["predicate"]
        return predicate


def _size(state: _State) -> bool:
    return 0 < len(state.data) <= FILE_BYTES_MAX


def _readable(state: _State) -> bool:
    try:
        state.content = loads_strict(state.data, bytes_max=FILE_BYTES_MAX)
    except UnreadableJson:
        return False
    except CanonicalError as error:
        state.strict = error
    return True


def _canonical(state: _State) -> bool:
    if state.strict is not None:
        return False
    return canonical_bytes(state.content) + b"\n" == state.data


def _envelope(state: _State) -> bool:
    content = state.content
    if not isinstance(content, dict) or set(content) != {"envelope", "record"}:
        return False
    envelope, record = content["envelope"], content["record"]
    if not isinstance(record, dict) or not isinstance(envelope, dict):
        return False
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        return False
    try:
        state.envelope = Envelope.from_json(envelope)
    except BadEnvelope as error:
        state.fault = error
    state.record = record
    if isinstance(state.fault, BadBase64):
        return True
    return state.fault is None and _ascending([one.keyid for one in state.sealed.signatures])


def _ascending(names: Sequence[str]) -> bool:
    """In order and without repetition, so that a set of signatures has one spelling."""
    return list(names) == sorted(set(names))


def _base64(state: _State) -> bool:
    return state.fault is None


def _keyid(state: _State) -> bool:
    return all(one.keyid in state.keys for one in state.sealed.signatures)


def _signature(state: _State) -> bool:
    message = pae(state.sealed.payload_type, state.sealed.payload)
    return all(state.keys[one.keyid].verify(message, one.sig) for one in state.sealed.signatures)


def _statement(state: _State) -> bool:
    """Read only now: nothing unsigned is interpreted."""
    try:
        statement = loads_strict(state.sealed.payload, bytes_max=FILE_BYTES_MAX)
        if canonical_bytes(statement) != state.sealed.payload:
            return False
    except CanonicalError:
        return False
    if not _has(statement, {"_type": str, "predicateType": str, "predicate": dict, "subject": list}):
        return False
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        return False
    state.statement = statement
    return _has(statement["predicate"], PREDICATE) and all(
        _has(note, NOTE) for note in statement["predicate"]["notes"]
    )


NOTE: Mapping[str, type] = {"ko": str, "en": str}
PREDICATE: Mapping[str, type] = {
    "attempt": int,
    "centre": str,
    "class": str,
    "ended_at": str,
    "environment": dict,
    "issued_at": str,
    "log": dict,
    "notes": list,
    "parameters": dict,
    "protocol": dict,
    "record": dict,
    "signers": list,
    "started_at": str,
    "trial": str,
    "verdict": dict,
}


def _has(value: object, members: Mapping[str, type]) -> bool:
    """Exactly these members, each of its type; true and false are no whole numbers."""
    if not isinstance(value, dict) or set(value) != set(members):
        return False
    return all(type(value[name]) is kind for name, kind in members.items())


def _signers(state: _State) -> bool:
    signers = state.predicate["signers"]
    if not all(_has(one, {"role": str, "keyid": str, "algorithm": str}) for one in signers):
        return False
    named = {one["keyid"]: one["algorithm"] for one in signers}
    signed = {one.keyid: str(state.keys[one.keyid].algorithm) for one in state.sealed.signatures}
    return named == signed and state.roles <= {one["role"] for one in signers}


def _record_digest(state: _State) -> bool:
    data = canonical_bytes(state.record)
    return bool(state.predicate["record"] == {"sha256": sha256_hex(data), "size": len(data)})


def _record_size(state: _State) -> bool:
    return len(canonical_bytes(state.record)) <= RECORD_BYTES_MAX


def _member(record: Mapping[str, Any], name: str, part: str) -> Any:
    inner = record.get(name)
    return inner.get(part) if isinstance(inner, dict) else None


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _subject(state: _State) -> bool:
    subjects = state.statement["subject"]
    if len(subjects) != 1 or not _has(subjects[0], {"name": str, "digest": dict}):
        return False
    named = subjects[0]["digest"]
    digest_ = _member(state.record, "subject", "digest")
    return bool(_is_digest(digest_) and named == {"sha256": digest_})


def _protocol(state: _State) -> bool:
    named = state.predicate["protocol"]
    if not _has(named, {"name": str, "version": str, "sha256": str}):
        return False
    return _is_digest(named["sha256"]) and named["sha256"] == _member(state.record, "protocol", "digest")


def _parameters(state: _State) -> bool:
    # Canonical bytes, for Python holds True and 1 to be equal.
    theirs = state.record.get("parameters")
    return canonical_bytes(state.predicate["parameters"]) == canonical_bytes(theirs)


def _environment(state: _State) -> bool:
    theirs = state.record.get("environment")
    return isinstance(theirs, dict) and state.predicate["environment"] == {"sha256": digest(theirs)}


def _times(state: _State) -> bool:
    predicate, record = state.predicate, state.record
    times = [predicate["started_at"], predicate["ended_at"], predicate["issued_at"]]
    if not all(_TIME.fullmatch(one) for one in times) or times != sorted(times):
        return False
    return bool(record.get("started_at") == times[0] and record.get("ended_at") == times[1])


def _verdict(state: _State) -> bool:
    verdict = state.predicate["verdict"]
    if not _has(verdict, {"outcome": str, "reasons": list}) or verdict["outcome"] not in OUTCOMES:
        return False
    return all(isinstance(one, dict) and type(one.get("check")) is str for one in verdict["reasons"])


STEPS: Mapping[str, Callable[[_State], bool]] = {
    "size": _size,
    "readable": _readable,
    "canonical": _canonical,
    "envelope": _envelope,
    "base64": _base64,
    "keyid": _keyid,
    "signature": _signature,
    "statement": _statement,
    "signers": _signers,
    "record_digest": _record_digest,
    "record_size": _record_size,
    "subject": _subject,
    "protocol": _protocol,
    "parameters": _parameters,
    "environment": _environment,
    "times": _times,
    "verdict": _verdict,
}


def check_named(name: str) -> Check:
    """The check of that name (KeyError for an unknown one)."""
    return _BY_NAME[name]


__all__ = ["CHECKS", "Check", "CheckResult", "Verification", "check_named", "file_bytes", "verify_evidence"]
