"""Which allocations sleep, run out or will be left over: chosen and ordered by the database, a page at a time.

The filters say in SQL what ``forecast`` says of one allocation; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    Expression,
    F,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    When,
)
from django.db.models.functions import Coalesce, Least, TruncWeek

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of

from . import forecast as rules
from .forecast import Forecast, Pace
from .models import Allocation, UseDay, UseMonth
from .queries import SHOWN, shown
from .states import AllocationState
from .types import AllocationView, Category

PER_PAGE = 15
EXPORT_MAX = 50_000
EPOCH = date(1970, 1, 1)
FLAGS: Mapping[str, Text] = {
    "out": Text(N_("Will run out before its end")),
    "left": Text(N_("Will be left over")),
    "idle": Text(N_("Not used for 30 days")),
}
ORDERS: Mapping[str, Text] = {
    "out": Text(N_("First to run out")),
    "ends": Text(N_("First to end")),
    "left": Text(N_("Most left")),
    "idle": Text(N_("Longest without use")),
}


@dataclass(frozen=True)
class Outlook:
    """An active allocation, its pace and what comes of it; ``points`` are days and what was used up to them."""

    view: AllocationView
    pace: Pace
    forecast: Forecast
    idle: bool
    starts: date
    ends: date
    today: date
    points: Sequence[tuple[date, int]] = ()

    @property
    def left(self) -> int:
        """What is left, what is held included, for it may still come back."""
        return self.view.available + self.view.held

    @property
    def time_permille(self) -> int:
        """How much of its time is gone."""
        return max(
            0, min(1_000, 1_000 * (self.today - self.starts).days // max(1, (self.ends - self.starts).days))
        )

    @property
    def used_permille(self) -> int:
        """How much of the grant was used; above 1000 with an overrun."""
        return 1_000 * self.view.used // self.view.granted


class _Day(Func):
    """A moment's day in Seoul as days since 1970. Korea has been nine hours ahead of UTC since 1988."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        template = "((CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) + 32400) / 86400)"
        return self.as_sql(compiler, connection, template=template, **more)

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        template = "FLOOR((EXTRACT(EPOCH FROM %(expressions)s) + 32400) / 86400)::bigint"
        return self.as_sql(compiler, connection, template=template, **more)


def _today() -> date:
    return now().astimezone(SEOUL).date()


def _of(field: Expression, rows: QuerySet[UseDay]) -> Subquery:
    """One figure of an allocation's days."""
    days = rows.filter(allocation_id=OuterRef("pk")).order_by().values("allocation_id")
    return Subquery(days.annotate(found=field).values("found"))


def _with_pace(rows: QuerySet[Allocation], today: date) -> QuerySet[Allocation]:
    days = UseDay.objects.filter(day__gte=today - timedelta(days=rules.WINDOW_DAYS), day__lt=today)
    return rows.annotate(
        recent=Coalesce(_of(Sum("amount"), days), 0),
        used_days=Coalesce(_of(Count("day"), days.filter(amount__gt=0)), 0),
        last_use=_of(Max("day"), UseDay.objects.filter(amount__gt=0)),
    )


def _with_forecast(rows: QuerySet[Allocation], today: date) -> QuerySet[Allocation]:
    """``days`` until nothing is left and ``at_end``, null where ``forecast`` says nothing."""
    number = (today - EPOCH).days
    left = F("account__credits") - F("account__debits")
    spoken = Q(recent__gt=0, used_days__gte=rules.USED_DAYS_MIN, span__gte=rules.AGE_DAYS_MIN, left__gt=0)
    return rows.annotate(
        left=left,
        age=number - _Day("starts_at"),
        remaining=_Day("ends_at") - number,
    ).annotate(span=Least(F("age"), rules.WINDOW_DAYS)).annotate(
        days=Case(When(spoken, then=F("left") * F("span") / F("recent")), output_field=BigIntegerField()),
        at_end=Case(
            When(spoken, then=F("left") - F("recent") * F("remaining") / F("span")), output_field=BigIntegerField()
        ),
    )  # fmt: skip


def _flagged(flag: str, today: date) -> Q:
    if flag == "out":
        return Q(days__lt=F("remaining"))
    if flag == "left":
        return Q(days__gte=F("remaining"), at_end__gte=F("granted") * rules.LEFT_OVER_PERMILLE / 1_000)
    since = today - timedelta(days=rules.IDLE_DAYS)
    return Q(age__gte=rules.IDLE_DAYS) & (Q(last_use=None) | Q(last_use__lte=since))


def _ordered(rows: QuerySet[Allocation], order: str) -> QuerySet[Allocation]:
    if order == "ends":
        return rows.order_by("ends_at", "pk")
    if order == "left":
        return rows.annotate(share=F("left") * 1_000 / F("granted")).order_by("-share", "pk")
    if order == "idle":
        return rows.order_by(F("last_use").asc(nulls_first=True), "starts_at", "pk")
    runs_out = Case(When(days__lt=F("remaining"), then=F("days")), output_field=BigIntegerField())
    return rows.annotate(runs_out=runs_out).order_by(F("runs_out").asc(nulls_last=True), "ends_at", "pk")


def _active() -> QuerySet[Allocation]:
    moment = now()
    return Allocation.objects.filter(
        state=str(AllocationState.ACTIVE), ends_at__gt=moment, starts_at__lte=moment,
        resource__category=str(Category.COMPUTE),
    )  # fmt: skip


def _chosen(actor: accounts.Actor, flag: str, unit: str, order: str) -> tuple[QuerySet[Allocation], date]:
    accounts.require(actor=actor, verb="resources.view_use", thing=accounts.PORTAL)
    today = _today()
    rows = _with_forecast(_with_pace(_active(), today), today)
    if unit:
        rows = rows.filter(account__unit_id=unit)
    if flag in FLAGS:
        rows = rows.filter(_flagged(flag, today))
    return _ordered(rows, order), today


def outlook_page(
    *, actor: accounts.Actor, flag: str = "", unit: str = "", order: str = "", page: int = 1
) -> Page[Outlook]:
    """One page of the active computing allocations with what comes of each; three queries whatever there is."""
    rows, today = _chosen(actor, flag, unit, order)
    cells = rows.values_list(*SHOWN, "recent", "used_days", "last_use")
    found = page_of(cells, page, PER_PAGE)
    months = _months([row[0] for row in found.items], today)
    return found.map(lambda row: _outlook(row, months.get(row[0], ()), today))


def outlooks_to_export(
    *, actor: accounts.Actor, flag: str = "", unit: str = "", order: str = ""
) -> Iterator[Outlook]:
    """All of them, streamed, at most EXPORT_MAX; without their points."""
    rows, today = _chosen(actor, flag, unit, order)
    cells = rows.values_list(*SHOWN, "recent", "used_days", "last_use")[:EXPORT_MAX]
    return (_outlook(row, (), today) for row in cells.iterator(chunk_size=1_000))


def _outlook(cells: Sequence[Any], points: Sequence[tuple[date, int]], today: date) -> Outlook:
    return seen(shown(cells[:-3]), Pace(*cells[-3:]), points, today)


def seen(view: AllocationView, pace: Pace, points: Sequence[tuple[date, int]], today: date) -> Outlook:
    """An allocation with what comes of it."""
    starts, ends = (moment.astimezone(SEOUL).date() for moment in (view.starts_at, view.ends_at))
    ahead = rules.forecast(
        granted=view.granted, left=view.available + view.held, pace=pace, starts=starts, ends=ends, today=today
    )
    return Outlook(
        view, pace, ahead, rules.is_idle(pace=pace, starts=starts, today=today), starts, ends, today, points
    )


def _months(ids: Sequence[UUID], today: date) -> Mapping[UUID, Sequence[tuple[date, int]]]:
    rows = UseMonth.objects.filter(allocation_id__in=ids).order_by("allocation_id", "month")
    ended = (
        (pk, month_end(month), amount)
        for pk, month, amount in rows.values_list("allocation_id", "month", "amount")
    )
    return _sums(ended, today)


def month_end(month: date) -> date:
    """The first day after a month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _sums(rows: Iterable[tuple[UUID, date, int]], today: date) -> Mapping[UUID, list[tuple[date, int]]]:
    """Days and what was used up to each, from what was used in periods, in their order."""
    found: dict[UUID, list[tuple[date, int]]] = {}
    for pk, end, amount in rows:
        points = found.setdefault(pk, [])
        points.append((min(end, today), amount + (points[-1][1] if points else 0)))
    return found


def outlooks(views: Iterable[AllocationView]) -> Mapping[UUID, Outlook]:
    """What comes of allocations that were checked already, by week; those that are not active are left out.

    Two queries, whatever their number.
    """
    today, moment = _today(), now()
    active = [
        view for view in views
        if view.state is AllocationState.ACTIVE and view.starts_at <= moment < view.ends_at
    ]  # fmt: skip
    if not active:
        return {}
    rows = UseDay.objects.filter(allocation_id__in=[view.id for view in active])
    since = today - timedelta(days=rules.WINDOW_DAYS)
    lately = Q(day__gte=since, day__lt=today)
    paces = rows.values("allocation_id").annotate(
        recent=Coalesce(Sum("amount", filter=lately), 0),
        used_days=Count("day", filter=lately & Q(amount__gt=0)),
        last_use=Max("day", filter=Q(amount__gt=0)),
    )
    found = {
        row["allocation_id"]: Pace(row["recent"], row["used_days"], row["last_use"]) for row in paces.order_by()
    }
    weeks = rows.annotate(week=TruncWeek("day")).values("allocation_id", "week").annotate(total=Sum("amount"))
    ended = (
        (row["allocation_id"], row["week"] + timedelta(days=7), row["total"])
        for row in weeks.order_by("allocation_id", "week")
    )
    points = _sums(ended, today)
    return {view.id: seen(view, found.get(view.id, Pace()), points.get(view.id, ()), today) for view in active}
