"""The evidence log: a hash chain over evidence files, its signed heads, and its verification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from bitgoeul.audit.facade import Finding, Report, missing_triggers
from bitgoeul.content import facade as content
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.heads import Head, append_head, check_heads, latest_head
from bitgoeul.kernel.signing import PublicKey, public_key
from bitgoeul.kernel.text import N_, Text

from . import evidence_tree, proofs
from .models.evidence import Evidence, EvidenceLog
from .statement import FILE_BYTES_MAX, GENESIS, LogPosition
from .verify import Verification, verify_evidence

CHAIN = "evidence"


def link(position: LogPosition, evidence_digest: str) -> str:
    """The hash of one position."""
    return proofs.link(position.sequence, position.previous, evidence_digest)


def next_position() -> LogPosition:
    """The free position after the newest one; whether it is still free, the insert decides."""
    last = EvidenceLog.objects.order_by("-sequence").values_list("sequence", "hash").first()
    return LogPosition(last[0] + 1, last[1]) if last else LogPosition(1, GENESIS)


def heads_path() -> Path:
    """Where the signed heads of the log are kept, outside the database."""
    return Path(settings.HEADS) / f"{CHAIN}.jsonl"


def write_log_head() -> Head | None:
    """Sign the newest position and append it to ``var/heads/evidence.jsonl`` when it is new."""
    last = EvidenceLog.objects.order_by("-sequence").values_list("sequence", "hash").first()
    if last is None:
        return None
    known = latest_head(heads_path())
    if known and known.sequence >= last[0]:
        return known
    return append_head(heads_path(), keys=Path(settings.KEYS), chain=CHAIN, sequence=last[0], hash=last[1])


def trusted_keys() -> list[PublicKey]:
    """Every public key of the installation: the centre's, and earlier or reviewers' ones beside it."""
    return [public_key(path.read_bytes()) for path in sorted(Path(settings.KEYS).glob("*.pub"))]


def verify_log() -> Report:
    """Recompute the chain, re-check every file in it, and compare what should agree; reads one file at a time."""
    findings = [
        *_position_findings(),
        *_uncovered_findings(),
        *(
            Finding("append_only", name, Text(N_("The protection of an append-only table is missing.")))
            for name in missing_triggers()
            if name.startswith("trials_evidence")
        ),
        *head_findings(),
    ]
    return Report(findings, {"evidence": Evidence.objects.count(), "log_positions": EvidenceLog.objects.count()})


def check_newest() -> tuple[str, Verification] | None:
    """Check the newest evidence as an outsider would, from its file and the public keys; None before the first."""
    digest = EvidenceLog.objects.order_by("-sequence").values_list("evidence__digest", flat=True).first()
    if digest is None:
        return None
    return digest, verify_evidence(content.read(digest, max_bytes=FILE_BYTES_MAX), trusted_keys())


def _position_findings() -> Iterator[Finding]:
    keys = trusted_keys()
    previous, expected = GENESIS, 1
    for row in EvidenceLog.objects.select_related("evidence").order_by("sequence").iterator(chunk_size=500):
        subject = f"#{row.sequence}"
        if row.sequence != expected:
            yield Finding(
                "sequence", subject, Text(N_("Positions of the evidence log are missing before this one."))
            )
        if row.previous != previous:
            yield Finding(
                "previous", subject, Text(N_("The evidence log does not continue from the position before."))
            )
        if row.hash != link(LogPosition(row.sequence, row.previous), row.evidence.digest):
            yield Finding("hash", subject, Text(N_("The position is not that of this evidence.")))
        yield from _file_findings(row, keys)
        previous, expected = row.hash, row.sequence + 1


def _file_findings(row: EvidenceLog, keys: list[PublicKey]) -> Iterator[Finding]:
    evidence = row.evidence
    try:
        data = content.read(evidence.digest, max_bytes=FILE_BYTES_MAX)
    except (DomainError, OSError):
        yield Finding("file", evidence.digest, Text(N_("The evidence file is missing or damaged.")))
        return
    result = verify_evidence(data, keys)
    if result.failed:
        yield Finding(f"file.{result.failed.name}", evidence.digest, result.failed.text)
    elif result.statement is not None:
        said = result.statement["predicate"]
        told = (said["log"], said["trial"], said["verdict"]["outcome"])
        kept = ({"sequence": row.sequence, "previous": row.previous}, str(evidence.trial_id), evidence.outcome)
        if told != kept:
            yield Finding("row", evidence.digest, Text(N_("The row does not say what the signed statement says.")))


def _uncovered_findings() -> list[Finding]:
    rows = Evidence.objects.exclude(pk__in=EvidenceLog.objects.values("evidence_id"))
    return [
        Finding("coverage", found, Text(N_("The evidence is in no position of the log.")))
        for found in rows.values_list("digest", flat=True)[:100]
    ]


def head_findings() -> list[Finding]:
    """Kept heads that disagree with the log, or cannot be trusted."""
    faults = check_heads(heads_path(), keys=Path(settings.KEYS), chain=CHAIN, hash_at=_hash_at)
    return [Finding("heads", fault.subject, fault.text) for fault in (*faults, *evidence_tree.head_faults())]


def _hash_at(sequence: int) -> str | None:
    return EvidenceLog.objects.filter(sequence=sequence).values_list("hash", flat=True).first()
