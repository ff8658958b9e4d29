"""Reading resources: allocations with their balances, usage, statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor, Thing
from bitgoeul.kernel.clock import parse_rfc3339
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import Label
from bitgoeul.ledger import facade as ledger

from .models import Allocation, Usage
from .states import AllocationState
from .types import AllocationView, LateUse, Origin, UsageView

PER_PROJECT_MAX = 500
KEYS_AT_ONCE = 500


# What a view shows, as plain columns: pages of many projects read these rows most.
SHOWN = (
    "pk", "project_id", "resource_id", "resource__name_ko", "resource__name_en", "account__unit_id", "granted",
    "state", "starts_at", "ends_at", "origin_kind", "origin_id", "origin_label", "account__credits",
    "account__debits", "account__held", "account__overrun", "used_account__credits", "used_account__debits",
)  # fmt: skip


def _with_accounts() -> QuerySet[Allocation]:
    return Allocation.objects.select_related("resource", "account", "used_account")


def allocation_view(row: Allocation) -> AllocationView:
    """An allocation with its balance; its accounts must have been selected with it."""
    resource, account, used = row.resource, row.account, row.used_account
    return shown((
        row.pk, row.project_id, row.resource_id, resource.name_ko, resource.name_en, account.unit_id, row.granted,
        row.state, row.starts_at, row.ends_at, row.origin_kind, row.origin_id, row.origin_label, account.credits,
        account.debits, account.held, account.overrun, used.credits, used.debits,
    ))  # fmt: skip


def shown(cells: Sequence[Any]) -> AllocationView:
    """An allocation from the columns of ``SHOWN``."""
    id, project_id, code, ko, en, unit, granted, state, starts_at, ends_at, *origin = cells[:13]
    credits, debits, held, overrun, used, given_back = cells[13:]
    return AllocationView(
        id=id,
        project_id=project_id,
        resource_code=code,
        label=Label(ko, en),
        unit=unit,
        granted=granted,
        used=used - given_back,
        held=held,
        available=credits - debits - held,
        overrun=overrun,
        state=AllocationState(state),
        starts_at=starts_at,
        ends_at=ends_at,
        origin=Origin(*origin),
    )


def thing_of(row: Allocation) -> Thing:
    """What rights are asked about."""
    return Thing("allocation", str(row.pk), project_id=row.project_id)


def allocations(*, project_ids: Iterable[UUID]) -> Mapping[UUID, list[AllocationView]]:
    """The allocations of projects, oldest first, one query; unchecked, for pages of projects already checked."""
    ids = set(project_ids)
    found: dict[UUID, list[AllocationView]] = {project_id: [] for project_id in ids}
    rows = Allocation.objects.filter(project_id__in=ids).order_by("created_at", "id").values_list(*SHOWN)
    for view in map(shown, rows[: PER_PROJECT_MAX * max(1, len(ids))]):
        found[view.project_id].append(view)
    return found


def allocation(*, actor: Actor, allocation_id: UUID) -> AllocationView:
    """One allocation; NotFound when there is none that the actor may see."""
    row = _with_accounts().filter(pk=allocation_id).first()
    if row is None:
        raise NotFound()
    accounts.require(actor=actor, verb="resources.view_allocation", thing=thing_of(row))
    return allocation_view(row)


def _newest(rows: QuerySet[Usage]) -> dict[str, Usage]:
    return {row.source_key: row for row in rows.select_related("allocation__account").order_by("revision")}


def usage_view(row: Usage) -> UsageView:
    """The row as other rooms see it; its allocation's account must have been selected with it."""
    return UsageView(
        id=row.pk,
        source_key=row.source_key,
        revision=row.revision,
        allocation_id=row.allocation_id,
        unit=row.allocation.account.unit_id,
        amount=row.amount,
        posting_id=row.posting_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        recorded_at=row.recorded_at,
        detail=row.detail,
    )


def usage(source_keys: Sequence[str]) -> Mapping[str, UsageView]:
    """Usage records by source key as they stand after corrections, a query a chunk; unknown keys are left out."""
    found: dict[str, UsageView] = {}
    for start in range(0, len(source_keys), KEYS_AT_ONCE):
        rows = Usage.objects.filter(source_key__in=source_keys[start : start + KEYS_AT_ONCE])
        found |= {key: usage_view(row) for key, row in _newest(rows).items()}
    return found


def with_change(rows: QuerySet[Usage]) -> QuerySet[Usage]:
    """``change``: what a revision changed against the one before."""
    before = Usage.objects.filter(source_key=OuterRef("source_key"), revision=OuterRef("revision") - 1)
    return rows.annotate(change=F("amount") - Coalesce(Subquery(before.values("amount")), Value(0)))


def usage_sums(*, prefix: str, since: datetime, until: datetime) -> list[tuple[UUID, str, int]]:
    """What was charged of uses whose source begins so, by project and unit, on days from ``since`` to ``until``.

    With corrections, each on the day on which it counts. Unchecked, for the operator's own reports; one query.
    """
    rows = Usage.objects.filter(source_key__startswith=prefix, ended_at__gte=since, ended_at__lt=until)
    keys = ("allocation__project_id", "allocation__account__unit_id")
    sums = with_change(rows).values_list(*keys).annotate(total=Sum("change"))
    return list(sums.order_by(*keys))


def late_usage(*, prefix: str, booked_at: Sequence[datetime]) -> Iterator[LateUse]:
    """What was charged late for a closed month, and booked at one of these moments; unchecked, one query."""
    rows = Usage.objects.filter(source_key__startswith=prefix, ended_at__in=booked_at, detail__has_key="late_for")
    keys = ("allocation__project_id", "allocation__account__unit_id", "detail", "ended_at", "change")
    for project_id, unit, detail, booked, change in with_change(rows).values_list(*keys).order_by("pk"):
        yield LateUse(project_id, unit, detail["late_for"], parse_rfc3339(detail["ended_at"]), booked, change)


def usage_of_postings(posting_ids: Iterable[UUID]) -> Mapping[UUID, UsageView]:
    """The usage record that each posting charged or corrected, in one query; other postings are left out."""
    rows = Usage.objects.filter(posting_id__in=set(posting_ids)).select_related("allocation__account")
    return {row.posting_id: usage_view(row) for row in rows}


def _accounts_of(*, actor: Actor, project_id: UUID, allocation_id: UUID) -> list[UUID]:
    """An allocation's balance and overrun accounts, for a reader of the project's statements; else NotFound."""
    view = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="resources.view_statement", thing=view.thing)
    row = Allocation.objects.filter(pk=allocation_id, project_id=project_id).first()
    if row is None:
        raise NotFound()
    return [row.account_id, row.overrun_account_id]


def statement(
    *,
    actor: Actor,
    project_id: UUID,
    allocation_id: UUID,
    since: datetime,
    until: datetime,
    page: int = 1,
    per_page: int = 50,
) -> ledger.Statement:
    """The statement of one allocation: its balance and its overrun together, so every use shows."""
    ids = _accounts_of(actor=actor, project_id=project_id, allocation_id=allocation_id)
    return ledger.statement(account_ids=ids, since=since, until=until, page=page, per_page=per_page)


def statement_lines(
    *, actor: Actor, project_id: UUID, allocation_id: UUID, since: datetime, until: datetime
) -> Iterator[ledger.StatementLine]:
    """Every line of an allocation's statement, streamed, for a download."""
    ids = _accounts_of(actor=actor, project_id=project_id, allocation_id=allocation_id)
    return ledger.statement_lines(account_ids=ids, since=since, until=until)
