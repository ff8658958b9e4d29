"""Recompute the whole ledger from its immutable rows and compare; SQL in bulk, nothing is trusted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import Sum

from bitgoeul.audit import facade as audit
from bitgoeul.audit.facade import Finding, Report
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import N_, Text

from .models import Account, Hold, HoldResolution, Posting, Transfer
from .rules import Change, Changes, Entry, posting_digest
from .types import Reason

OVERDUE = timedelta(days=1)
CHUNK = 1_000


def verify() -> Report:
    """Everything that should agree: balances, zero sums, postings with their audit events, holds, triggers."""
    units = dict(Account.objects.values_list("pk", "unit_id"))
    findings = [
        *_balance_findings(),
        *_zero_sum_findings(),
        *_unit_findings(units),
        *_posting_findings(),
        *_hold_findings(),
        *_trigger_findings(),
    ]
    counts = {
        "accounts": len(units),
        "transfers": Transfer.objects.count(),
        "holds": Hold.objects.count(),
        "open_holds": Hold.objects.filter(resolution=None).count(),
    }
    return Report(findings, counts)


def _recomputed() -> Changes:
    """Every account's columns from transfers, holds and their ends."""
    changes = Changes()
    covers = dict(Account.objects.exclude(covers=None).values_list("pk", "covers_id"))
    for pk, total in Transfer.objects.values_list("credit_id").annotate(total=Sum("amount")):
        changes.of(pk).credits += total
        if pk in covers:
            changes.of(covers[pk]).overrun -= total
    for pk, total in Transfer.objects.values_list("debit_id").annotate(total=Sum("amount")):
        changes.of(pk).debits += total
        if pk in covers:
            changes.of(covers[pk]).overrun += total
    for pk, total in Hold.objects.filter(resolution=None).values_list("account_id").annotate(total=Sum("amount")):
        changes.of(pk).held += total
    return changes


def _balance_findings() -> Iterator[Finding]:
    expected = _recomputed()
    for row in Account.objects.order_by("pk").iterator(chunk_size=CHUNK):
        wanted = expected.pop(row.pk, Change())
        have = Change(row.credits, row.debits, row.held, row.overrun)
        if have != wanted:
            text = Text(
                N_("The account shows {shown}, its entries give {computed} (credits/debits/held/overrun)."),
                {"shown": _columns(have), "computed": _columns(wanted)},
            )
            yield Finding("balance", str(row.pk), text)
        if row.limited and row.credits - row.debits - row.held < 0:
            yield Finding("overdrawn", str(row.pk), Text(N_("A limited account is below zero.")))


def _columns(change: Change) -> str:
    return f"{change.credits}/{change.debits}/{change.held}/{change.overrun}"


def _zero_sum_findings() -> Iterator[Finding]:
    totals = Account.objects.values_list("unit_id").annotate(credits=Sum("credits"), debits=Sum("debits"))
    for unit, credits, debits in totals.order_by("unit_id"):
        if credits != debits:
            text = Text(N_("Credits and debits differ by {difference}."), {"difference": credits - debits})
            yield Finding("zero_sum", unit, text)


def _unit_findings(units: dict[UUID, str]) -> Iterator[Finding]:
    for debit, credit in Transfer.objects.values_list("debit_id", "credit_id").distinct():
        if units.get(debit) != units.get(credit):
            yield Finding("unit", f"{debit} → {credit}", Text(N_("Transfers mix two units.")))


def _posting_findings() -> Iterator[Finding]:
    """Each posting's transfers still have the digest that the audit chain covers."""
    entries: dict[UUID, list[Entry]] = defaultdict(list)
    rows = Transfer.objects.order_by("posting_id", "line").iterator(chunk_size=CHUNK)
    for posting_id, group in groupby(rows, key=lambda row: row.posting_id):
        entries[posting_id] = [Entry(r.debit_id, r.credit_id, r.amount, Reason(r.reason)) for r in group]
    ids: list[Posting] = []
    for posting in Posting.objects.order_by("pk").iterator(chunk_size=CHUNK):
        ids.append(posting)
        if len(ids) == CHUNK:
            yield from _compare(ids, entries)
            ids = []
    yield from _compare(ids, entries)


def _compare(postings: list[Posting], entries: dict[UUID, list[Entry]]) -> Iterator[Finding]:
    said = audit.events_after("ledger.post", [posting.pk for posting in postings])
    for posting in postings:
        digest = posting_digest(
            posting_id=posting.pk,
            effective_at=posting.effective_at,
            recorded_at=posting.recorded_at,
            actor=posting.actor,
            memo=posting.memo,
            entries=entries.get(posting.pk, []),
        )
        event = said.get(str(posting.pk))
        if event is None:
            yield Finding("audit_event", str(posting.pk), Text(N_("The posting has no audit event.")))
        elif event.get("digest") != digest:
            yield Finding(
                "posting", str(posting.pk), Text(N_("The posting differs from what the audit chain covers."))
            )


def _hold_findings() -> Iterator[Finding]:
    too_much = HoldResolution.objects.select_related("hold").order_by("pk").iterator(chunk_size=CHUNK)
    for end in too_much:
        if end.settled > end.hold.amount:
            yield Finding("hold", str(end.pk), Text(N_("More was settled than held.")))
    overdue = Hold.objects.filter(resolution=None, expires_at__lt=now() - OVERDUE).order_by("expires_at")[:100]
    for hold in overdue:
        yield Finding("overdue_hold", str(hold.pk), Text(N_("A hold is a day past its time and still stands.")))


def _trigger_findings() -> Iterator[Finding]:
    for name in audit.missing_triggers():
        if name.startswith("ledger_") or name == "recursive_triggers":
            yield Finding("append_only", name, Text(N_("The protection of an append-only table is missing.")))
