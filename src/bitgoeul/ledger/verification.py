"""Recompute the whole ledger from its immutable rows and compare; SQL in bulk, nothing is trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.db import connection

from bitgoeul.audit import facade as audit
from bitgoeul.audit.facade import Finding, Report
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import N_, Text

from .models import Account, Hold, OpenHold, Posting, Transfer
from .rules import DIGESTS, POST, POST_BATCH, in_order
from .types import Reason

OVERDUE = timedelta(days=1)
BATCH = 500
FINDINGS_MAX = 1_000
REASONS = {str(reason): reason for reason in Reason}
CELLS = ("posting_id", "debit_id", "credit_id", "amount", "reason", "effective_at", "recorded_at")

BALANCES = """
SELECT a.id, a.credits, a.debits, a.held, a.overrun,
       COALESCE(c.total, 0), COALESCE(d.total, 0), COALESCE(h.total, 0), COALESCE(o.debits - o.credits, 0)
FROM ledger_account a
LEFT JOIN (SELECT credit_id, SUM(amount) AS total FROM ledger_transfer GROUP BY credit_id) c ON c.credit_id = a.id
LEFT JOIN (SELECT debit_id, SUM(amount) AS total FROM ledger_transfer GROUP BY debit_id) d ON d.debit_id = a.id
LEFT JOIN (
  SELECT account_id, SUM(amount) AS total FROM ledger_hold
  WHERE NOT EXISTS (SELECT 1 FROM ledger_holdresolution r WHERE r.hold_id = ledger_hold.id) GROUP BY account_id
) h ON h.account_id = a.id
LEFT JOIN ledger_account o ON o.covers_id = a.id
WHERE a.credits <> COALESCE(c.total, 0) OR a.debits <> COALESCE(d.total, 0)
   OR a.held <> COALESCE(h.total, 0) OR a.overrun <> COALESCE(o.debits - o.credits, 0)
ORDER BY a.id
"""
OVERDRAWN = "SELECT id FROM ledger_account WHERE limited AND credits < debits + held ORDER BY id"
ZERO_SUM = """
SELECT unit_id, SUM(credits) - SUM(debits) FROM ledger_account
GROUP BY unit_id HAVING SUM(credits) <> SUM(debits) ORDER BY unit_id
"""
MIXED_UNITS = """
SELECT t.posting_id FROM ledger_transfer t
JOIN ledger_account d ON d.id = t.debit_id JOIN ledger_account c ON c.id = t.credit_id
WHERE d.unit_id <> c.unit_id ORDER BY t.posting_id
"""
# A settled hold is covered by what its posting took from the hold's account.
SETTLED = """
SELECT r.hold_id FROM ledger_holdresolution r JOIN ledger_hold h ON h.id = r.hold_id
LEFT JOIN (
  SELECT posting_id, debit_id, SUM(amount) AS total FROM ledger_transfer GROUP BY posting_id, debit_id
) t ON t.posting_id = r.posting_id AND t.debit_id = h.account_id
WHERE r.settled > h.amount OR r.settled > COALESCE(t.total, 0) ORDER BY r.hold_id
"""
OPEN_HOLDS = """
SELECT h.id FROM ledger_hold h
LEFT JOIN ledger_openhold o ON o.hold_id = h.id LEFT JOIN ledger_holdresolution r ON r.hold_id = h.id
WHERE (o.hold_id IS NULL) = (r.hold_id IS NULL) OR o.expires_at <> h.expires_at ORDER BY h.id
"""
LISTS: tuple[tuple[str, str, str], ...] = (
    ("overdrawn", OVERDRAWN, N_("A limited account is below zero.")),
    ("unit", MIXED_UNITS, N_("Transfers mix two units.")),
    ("hold", SETTLED, N_("More was settled than was held, or than was posted.")),
    ("open_hold", OPEN_HOLDS, N_("The list of open holds disagrees with the holds and their ends.")),
)


def verify() -> Report:
    """Everything that should agree: balances, zero sums, postings with their audit events, holds, triggers.

    A fixed number of statements over whole tables and one pass over the postings in batches; at most
    FINDINGS_MAX findings of a kind.
    """
    findings = [*_balance_findings(), *_zero_sum_findings()]
    for check, statement, words in LISTS:
        findings += [Finding(check, _id(row[0]), Text(words)) for row in _rows(statement)]
    findings += [*_posting_findings(), *_gone_findings(), *_batch_findings()]
    findings += [*_overdue_findings(now()), *_trigger_findings()]
    counts = {
        "accounts": Account.objects.count(),
        "postings": Posting.objects.count(),
        "transfers": Transfer.objects.count(),
        "holds": Hold.objects.count(),
        "open_holds": OpenHold.objects.count(),
    }
    return Report(findings, counts)


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} LIMIT {FINDINGS_MAX}")
        return list(cursor.fetchall())


def _id(value: object) -> str:
    """An id as people write it: SQLite keeps it as 32 digits."""
    return str(UUID(str(value)))


def _balance_findings() -> Iterator[Finding]:
    for account, *columns in _rows(BALANCES):
        text = Text(
            N_("The account shows {shown}, its entries give {computed} (credits/debits/held/overrun)."),
            {"shown": "/".join(map(str, columns[:4])), "computed": "/".join(map(str, columns[4:]))},
        )
        yield Finding("balance", _id(account), text)


def _zero_sum_findings() -> Iterator[Finding]:
    for unit, difference in _rows(ZERO_SUM):
        text = Text(N_("Credits and debits differ by {difference}."), {"difference": int(difference)})
        yield Finding("zero_sum", str(unit), text)


def _posting_findings() -> Iterator[Finding]:
    """Postings with an event of their own, each compared with it."""
    last = UUID(int=0)
    while batch := list(Posting.objects.filter(pk__gt=last, batch=None).order_by("pk")[:BATCH]):
        said = audit.events_after(POST, "posting", [posting.pk for posting in batch])
        yield from _compare(batch, {pk: _Said.of(after) for pk, after in said.items()})
        last = batch[-1].pk


@dataclass(frozen=True)
class _Said:
    """What an audit event says of a posting."""

    digest: object
    layout: object

    @classmethod
    def of(cls, after: Mapping[str, object]) -> _Said:
        """An event without a layout is older than layouts are."""
        return cls(after.get("digest"), after.get("layout", 1))


def _batch_findings() -> Iterator[Finding]:
    """Postings that share an event, compared with its list; both ways, so neither may have more than the other."""
    for batch, after in audit.told_of(POST_BATCH, "posting_batch"):
        postings = list(Posting.objects.filter(batch__in=_uuids([batch])).order_by("pk"))
        pairs = dict(pair.split(":", 1) for pair in str(after.get("digests", "")).split(",") if ":" in pair)
        said = {str(pk): _Said(pairs.get(pk.hex), after.get("layout")) for pk in _uuids(pairs)}
        yield from _compare(postings, said)
        yield from _gone(said.keys() - {str(posting.pk) for posting in postings})
    shared = (
        Posting.objects.filter(batch__isnull=False).order_by("batch").values_list("batch", flat=True).distinct()
    )
    for chunk in _batches(map(str, shared.iterator(chunk_size=2_000))):
        for batch in sorted(set(chunk) - audit.subjects_with(POST_BATCH, "posting_batch", chunk)):
            for posting in Posting.objects.filter(batch=UUID(batch))[:FINDINGS_MAX]:
                yield _without_event(posting)


def _uuids(texts: Iterable[str]) -> list[UUID]:
    """The ids among texts of an event; what was changed into no id is left out and so matches nothing."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


def _without_event(posting: Posting) -> Finding:
    return Finding("audit_event", str(posting.pk), Text(N_("The posting has no audit event.")))


def _compare(postings: Sequence[Posting], said: Mapping[str, _Said]) -> Iterator[Finding]:
    ids = [posting.pk for posting in postings]
    rows = Transfer.objects.filter(posting_id__in=ids).order_by("posting_id", "line").values_list(*CELLS)
    transfers = {pk: [row[1:] for row in group] for pk, group in groupby(rows, key=lambda row: row[0])}
    for posting in postings:
        event = said.get(str(posting.pk))
        if event is None:
            yield _without_event(posting)
        elif not _agrees(posting, transfers.get(posting.pk, []), event):
            text = Text(N_("The posting differs from what the audit chain covers."))
            yield Finding("posting", str(posting.pk), text)


def _agrees(posting: Posting, transfers: Sequence[tuple[Any, ...]], said: _Said) -> bool:
    times = (posting.effective_at, posting.recorded_at)
    if any(row[4:] != times for row in transfers):
        return False  # a transfer carries its posting's times for the index
    layout = DIGESTS.get(said.layout) if isinstance(said.layout, int) else None
    if layout is None or any(row[3] not in REASONS for row in transfers):
        return False
    digest = layout(
        posting_id=posting.pk,
        effective_at=posting.effective_at,
        recorded_at=posting.recorded_at,
        actor=posting.actor,
        memo=posting.memo,
        transfers=in_order(*((*sides, REASONS[reason]) for *sides, reason, _, _ in transfers)),
    )
    return said.digest == digest == posting.digest


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch


def _gone_findings() -> Iterator[Finding]:
    """Postings that an event of their own knows and the ledger no longer has."""
    for subjects in _batches(audit.subjects_of(POST, "posting")):
        there = Posting.objects.filter(pk__in=subjects).values_list("pk", flat=True)
        yield from _gone(set(subjects) - {str(pk) for pk in there})


def _gone(subjects: Iterable[str]) -> Iterator[Finding]:
    for subject in sorted(subjects):
        yield Finding("posting_gone", subject, Text(N_("The audit chain knows a posting that is not there.")))


def _overdue_findings(moment: datetime) -> Iterator[Finding]:
    overdue = OpenHold.objects.filter(expires_at__lt=moment - OVERDUE).order_by("expires_at")[:FINDINGS_MAX]
    for hold in overdue:
        text = Text(N_("A hold is a day past its time and still stands."))
        yield Finding("overdue_hold", str(hold.hold_id), text)


def _trigger_findings() -> Iterator[Finding]:
    for name in audit.missing_triggers():
        if name.startswith("ledger_") or name == "recursive_triggers":
            yield Finding("append_only", name, Text(N_("The protection of an append-only table is missing.")))
