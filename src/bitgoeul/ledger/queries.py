"""Reading the ledger: balances and statements, in bulk and bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import Page, page_of

from .models import Account, OpenHold, Transfer
from .types import AccountView, Purpose, Reason, Statement, StatementLine

ACCOUNTS_MAX = 100
IN_ORDER = ("recorded_at", "posting_id", "line")


def accounts(ids: Iterable[UUID]) -> Mapping[UUID, AccountView]:
    """Accounts with their balances, by id, one query; unknown ids are left out."""
    rows = Account.objects.filter(pk__in=set(ids))
    return {
        row.pk: AccountView(
            id=row.pk,
            unit=row.unit_id,
            purpose=Purpose(row.purpose),
            limited=row.limited,
            credits=row.credits,
            debits=row.debits,
            held=row.held,
            overrun=row.overrun,
        )
        for row in rows
    }


def _sums(account_ids: Sequence[UUID], when: Q) -> int:
    """Credits less debits of the accounts together, over transfers recorded ``when``."""
    rows = Transfer.objects.filter(when)
    into = rows.filter(credit_id__in=account_ids).aggregate(total=Sum("amount"))["total"] or 0
    out = rows.filter(debit_id__in=account_ids).aggregate(total=Sum("amount"))["total"] or 0
    return into - out


def _touching(account_ids: Sequence[UUID], since: datetime, until: datetime) -> QuerySet[Transfer]:
    return Transfer.objects.filter(
        Q(debit_id__in=account_ids) | Q(credit_id__in=account_ids), recorded_at__gte=since, recorded_at__lt=until
    )


def statement(
    *, account_ids: Sequence[UUID], since: datetime, until: datetime, page: int = 1, per_page: int = 50
) -> Statement:
    """Opening, lines and closing of accounts of one unit over ``[since, until)`` of recorded time, oldest first.

    A constant number of queries. Raises BadInput for no accounts, too many, or accounts of different units.
    """
    units = set(Account.objects.filter(pk__in=account_ids).values_list("unit_id", flat=True))
    if len(units) != 1 or not 0 < len(account_ids) <= ACCOUNTS_MAX:
        raise BadInput(N_("A statement is over accounts of one unit."), field="account_ids")
    opening = _sums(account_ids, Q(recorded_at__lt=since))
    rows = _touching(account_ids, since, until).select_related("posting").order_by(*IN_ORDER)
    shown = page_of(rows, page, per_page)
    lines = _lines(shown.items, set(account_ids), opening + _before(shown, account_ids, since))
    return Statement(
        unit=units.pop(),
        since=since,
        until=until,
        opening=opening,
        closing=opening + _sums(account_ids, Q(recorded_at__gte=since, recorded_at__lt=until)),
        lines=tuple(lines),
        number=shown.number,
        last=shown.last,
        total=shown.total,
    )


def _before(shown: Page[Transfer], account_ids: Sequence[UUID], since: datetime) -> int:
    """What the lines before this page changed: sums up to the first line, without reading the lines."""
    if shown.number == 1 or not shown.items:
        return 0
    first = shown.items[0]
    earlier = _sums(account_ids, Q(recorded_at__gte=since, recorded_at__lt=first.recorded_at))
    same_time = Q(recorded_at=first.recorded_at)
    before = Q(posting_id__lt=first.posting_id) | Q(posting_id=first.posting_id, line__lt=first.line)
    return earlier + _sums(account_ids, same_time & before)


def statement_lines(*, account_ids: Sequence[UUID], since: datetime, until: datetime) -> Iterator[StatementLine]:
    """Every line of a statement in its order, streamed: for a download, where a page would cut it off."""
    opening = _sums(account_ids, Q(recorded_at__lt=since))
    rows = _touching(account_ids, since, until).select_related("posting").order_by(*IN_ORDER)
    return _lines(rows.iterator(chunk_size=2_000), set(account_ids), opening)


def _lines(rows: Iterable[Transfer], chosen: set[UUID], balance: int) -> Iterator[StatementLine]:
    for row in rows:
        change = (row.amount if row.credit_id in chosen else 0) - (row.amount if row.debit_id in chosen else 0)
        balance += change
        yield StatementLine(
            posting_id=row.posting_id,
            line=row.line,
            reason=Reason(row.reason),
            memo=row.posting.memo,
            effective_at=row.effective_at,
            recorded_at=row.recorded_at,
            amount=row.amount,
            change=change,
            balance=balance,
        )


def open_holds(moment: datetime) -> tuple[int, int]:
    """How many holds stand, and how many of them are past their time at ``moment``; one query."""
    found = OpenHold.objects.aggregate(all=Count("pk"), due=Count("pk", filter=Q(expires_at__lt=moment)))
    return found["all"], found["due"]
