"""The hash chain over events: sealing in batches, verifying, signed heads outside the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from bitgoeul.kernel.canonical import digest, sha256_hex
from bitgoeul.kernel.heads import Head, append_head, check_heads, latest_head
from bitgoeul.kernel.text import N_, Text

from .append_only import missing_triggers
from .bulk import insert_rows, run_among
from .models import Event, PersonalValue, Seal, Unsealed
from .turns import take_turn
from .types import Finding, Report

GENESIS = "0" * 64
BATCH = 500
# Long enough to be quick, short enough that other writers on SQLite wait less than a second.
MANY = 2_000
# Read at once: an event that covers a batch has some 20 kB.
CHUNK = 200


def link(sequence: int, previous: str, event_digest: str) -> str:
    """The hash of one chain position."""
    # Written out in canonical form: sealing a hundred thousand events spells nothing else.
    return sha256_hex(f'{{"event":"{event_digest}","previous":"{previous}","sequence":{sequence}}}'.encode())


@transaction.atomic
def seal(limit: int = BATCH) -> int:
    """Give up to ``limit`` unsealed events their chain positions; returns how many.

    The list of unsealed events is a table, not a high-water mark, so an event whose transaction commits late
    is not skipped. Two sealers would give one position to two events, so they take turns.
    """
    take_turn("audit.seal")
    waiting = list(Event.objects.filter(pk__in=Unsealed.objects.order_by("event_id").values("event_id")[:limit]))
    waiting.sort(key=lambda event: event.pk)
    if not waiting:
        return 0
    last = Seal.objects.order_by("-sequence").values_list("sequence", "hash").first()
    sequence, previous = last or (0, GENESIS)
    rows = []
    for event in waiting:
        sequence += 1
        hash = link(sequence, previous, event.digest())
        rows.append((sequence, event.pk.hex, previous, hash))
        previous = hash
    insert_rows(Seal, ("sequence", "event", "previous", "hash"), rows)
    run_among("DELETE FROM audit_unsealed WHERE event_id {among}", [event.pk for event in waiting])
    return len(rows)


def seal_all(limit: int = 1_000_000) -> int:
    """Seal until nothing waits, or ``limit`` events are sealed."""
    sealed = 0
    while sealed < limit and (batch := seal(min(MANY, limit - sealed))):
        sealed += batch
    return sealed


def heads_path() -> Path:
    """Where the signed heads of this chain are kept, outside the database."""
    return Path(settings.HEADS) / "audit.jsonl"


def write_head() -> Head | None:
    """Sign the newest chain position and append it to ``var/heads/audit.jsonl`` when it is new."""
    last = Seal.objects.order_by("-sequence").values_list("sequence", "hash").first()
    if last is None:
        return None
    known = latest_head(heads_path())
    if known and known.sequence >= last[0]:
        return known
    return append_head(heads_path(), keys=Path(settings.KEYS), chain="audit", sequence=last[0], hash=last[1])


def verify() -> Report:
    """Seal what waits, then recompute the whole chain and compare everything that should agree."""
    sealed_now = seal_all()
    findings = list(_chain_findings())
    findings += _coverage_findings()
    findings += _personal_findings()
    findings += [
        Finding("append_only", name, Text(N_("The protection of an append-only table is missing.")))
        for name in missing_triggers()
    ]
    findings += head_findings()
    counts = {"events": Event.objects.count(), "sealed_now": sealed_now, "unsealed": Unsealed.objects.count()}
    return Report(findings, counts)


def _chain_findings() -> Iterator[Finding]:
    previous, expected = GENESIS, 1
    for row in Seal.objects.select_related("event").order_by("sequence").iterator(chunk_size=CHUNK):
        subject = f"#{row.sequence}"
        if row.sequence != expected:
            yield Finding("sequence", subject, Text(N_("Chain positions are missing before this one.")))
        if row.previous != previous:
            yield Finding("previous", subject, Text(N_("The chain does not continue from the position before.")))
        if row.hash != _link_of(row):
            yield Finding("event", subject, Text(N_("The event differs from what was sealed.")))
        previous, expected = row.hash, row.sequence + 1


def _link_of(row: Seal) -> str:
    try:
        return link(row.sequence, row.previous, row.event.digest())
    except ValueError:
        return ""  # changed to something that has no canonical form


def _coverage_findings() -> list[Finding]:
    # NOT EXISTS: for NOT IN, PostgreSQL may read the whole chain once for each event.
    uncovered = (
        Event.objects.filter(~Exists(Seal.objects.filter(event_id=OuterRef("pk"))))
        .filter(~Exists(Unsealed.objects.filter(event_id=OuterRef("pk"))))
        .values_list("pk", flat=True)[:100]
    )
    return [Finding("coverage", str(pk), Text(N_("The event is in no chain position."))) for pk in uncovered]


def _personal_findings() -> list[Finding]:
    findings = []
    kept = PersonalValue.objects.filter(erased_at=None).select_related("event").iterator(chunk_size=CHUNK)
    for row in kept:
        if row.event.personal_digest != digest({"salt": row.salt, "value": row.value}):
            findings.append(
                Finding("personal", str(row.event_id), Text(N_("Personal values differ from what was sealed.")))
            )
    return findings


def head_findings() -> list[Finding]:
    """Kept heads that disagree with the chain, or cannot be trusted."""
    faults = check_heads(heads_path(), keys=Path(settings.KEYS), chain="audit", hash_at=_hash_at)
    return [Finding("heads", fault.subject, fault.text) for fault in faults]


def _hash_at(sequence: int) -> str | None:
    return Seal.objects.filter(sequence=sequence).values_list("hash", flat=True).first()
