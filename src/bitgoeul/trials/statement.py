"""The signed statement of a trial: an in-toto Statement v1 about one subject version and one record.

What a record must carry to become evidence (the rest is the protocol's own):
``subject.digest`` and ``protocol.digest`` (SHA-256, hex), ``parameters`` and ``environment`` (objects),
``started_at`` and ``ended_at`` (RFC 3339, UTC, as ``kernel.clock.rfc3339`` writes them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bitgoeul.kernel.canonical import canonical_bytes, digest, sha256_hex
from bitgoeul.kernel.clock import rfc3339
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.signing import Envelope, Signer
from bitgoeul.kernel.text import N_, Label

from .ports import Verdict

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:bitgoeul:trial:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
RECORD_BYTES_MAX = 256 * 1024
FILE_BYTES_MAX = 1024 * 1024
GENESIS = "0" * 64
RUNNER = "runner"
REVIEWER = "reviewer"


class RecordNotUsable(BadInput):
    """The record cannot become evidence."""

    code = "record_not_usable"


DEFAULT_TEXTS = (N_("The record cannot become evidence."),)


@dataclass(frozen=True)
class LogPosition:
    """The place in the evidence log: ``sequence`` from 1 and the hash of the position before."""

    sequence: int
    previous: str


@dataclass(frozen=True)
class TrialFacts:
    """What the platform knows of a judged trial and states over its signature."""

    trial_id: str
    attempt: int
    subject_name: str
    subject_digest: str
    protocol_name: str
    protocol_version: str
    protocol_digest: str
    verdict: Verdict
    issued_at: datetime
    centre: str
    notes: Sequence[Label]
    evidence_class: str = "bench"


def build_statement(
    facts: TrialFacts, record: Mapping[str, Any], log: LogPosition, signers: Mapping[str, Signer]
) -> dict[str, Any]:
    """The statement about ``record``; ``signers`` maps a role (``runner``, ``reviewer``) to who signs in it.

    Raises RecordNotUsable when the record lacks what evidence needs or speaks of another subject or protocol.
    """
    _check_record(facts, record)
    data = canonical_bytes(record)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": facts.subject_name, "digest": {"sha256": facts.subject_digest}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "attempt": facts.attempt,
            "centre": facts.centre,
            "class": facts.evidence_class,
            "ended_at": record["ended_at"],
            "environment": {"sha256": digest(record["environment"])},
            "issued_at": rfc3339(facts.issued_at),
            "log": {"sequence": log.sequence, "previous": log.previous},
            "notes": [{"ko": note.ko, "en": note.en} for note in facts.notes],
            "parameters": record["parameters"],
            "protocol": {
                "name": facts.protocol_name,
                "version": facts.protocol_version,
                "sha256": facts.protocol_digest,
            },
            "record": {"sha256": sha256_hex(data), "size": len(data)},
            "signers": [
                {"role": role, "keyid": signer.keyid, "algorithm": str(signer.algorithm)}
                for role, signer in sorted(signers.items())
            ],
            "started_at": record["started_at"],
            "trial": facts.trial_id,
            "verdict": verdict_json(facts.verdict),
        },
    }


def notes_of(definition: Mapping[str, Any], subject_kind: str) -> tuple[Label, ...]:
    """What must be said beside every result of this protocol on this kind's target: its own notes, the target's.

    Raises RecordNotUsable when the protocol's data says nothing, not even that there is nothing to say (``[]``).
    """
    target = definition.get("targets", {}).get(subject_kind, {})
    if "notes" not in definition or "notes" not in target:
        raise RecordNotUsable(N_("The protocol does not say what must stand beside its results."))
    return tuple(Label(ko=note["ko"], en=note["en"]) for note in (*definition["notes"], *target["notes"]))


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it is signed; sentences stay message ids with parameters, so the reader's language decides."""
    reasons = [
        {
            "check": reason.check,
            "passed": reason.passed,
            "text": reason.text.to_json(),
            "value": reason.value,
            "limit": reason.limit,
        }
        for reason in verdict.reasons
    ]
    return {"outcome": str(verdict.outcome), "reasons": reasons}


def seal_file(statement: Mapping[str, Any], record: Mapping[str, Any], signers: Sequence[Signer]) -> bytes:
    """The evidence file: the signed statement and the record, canonical, with one final newline."""
    envelope = Envelope.seal(canonical_bytes(statement), PAYLOAD_TYPE, signers)
    data = file_bytes({"envelope": envelope.to_json(), "record": record})
    if len(data) > FILE_BYTES_MAX:
        raise RecordNotUsable(
            N_("The evidence file would have {size} bytes; the limit is {limit}."),
            size=len(data),
            limit=FILE_BYTES_MAX,
        )
    return data


def file_bytes(content: Mapping[str, Any]) -> bytes:
    """The one spelling of an evidence file: RFC 8785 and one final newline."""
    return canonical_bytes(content) + b"\n"


def _check_record(facts: TrialFacts, record: Mapping[str, Any]) -> None:
    for name in ("subject", "protocol", "parameters", "environment"):
        if not isinstance(record.get(name), Mapping):
            raise RecordNotUsable(N_("The record has no “{name}”."), field=name, name=name)
    for name in ("started_at", "ended_at"):
        if not isinstance(record.get(name), str):
            raise RecordNotUsable(N_("The record has no “{name}”."), field=name, name=name)
    if record["subject"].get("digest") != facts.subject_digest:
        raise RecordNotUsable(N_("The record is about another subject."), field="subject")
    if record["protocol"].get("digest") != facts.protocol_digest:
        raise RecordNotUsable(N_("The record was made under another protocol."), field="protocol")
    size = len(canonical_bytes(record))
    if size > RECORD_BYTES_MAX:
        raise RecordNotUsable(
            N_("The record has {size} bytes; the limit is {limit}."),
            field="record",
            size=size,
            limit=RECORD_BYTES_MAX,
        )
