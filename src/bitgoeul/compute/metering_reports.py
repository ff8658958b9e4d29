"""Reports of what was used, from the sums by day alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Case, F, Q, Sum, Value, When
from django.db.models.functions import TruncMonth

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .metering import FIELDS, next_month, units
from .models import DayUse, MeteredRecord


@dataclass(frozen=True)
class MonthUse:
    """What a project (none: accounts that are no project's) used of a resource in a month.

    ``amount`` and ``charged`` are whole: thousandths of a core, device or node times seconds; memory in MiB times
    seconds; ``started``, ``ended`` and ``submitted`` count jobs.
    """

    project_id: UUID | None
    number: str
    resource: str
    amount: int
    charged: int

    def to_json(self) -> dict[str, object]:
        """The line as programs read it."""
        return {
            "project": self.number or None,
            "resource": self.resource,
            "amount": self.amount,
            "charged": self.charged,
        }


@dataclass(frozen=True)
class MeteredView:
    """One metered run of a job: ``start`` and ``end`` are seconds since 1970 in UTC."""

    id: UUID
    job_id: str
    state: str
    start: int
    end: int
    refunded_permille: int


RUNS_MAX = 1_000


def metered_runs(*, cluster: str, job_id: str) -> Sequence[MeteredView]:
    """The runs of one job that were metered, oldest first, by its number or its shown id; unchecked.

    A number that a cluster gave away twice, and a job that was requeued, have several.
    """
    rows = MeteredRecord.objects.filter(Q(raw_id=job_id) | Q(job_id=job_id), cluster_id=cluster)
    names = ("id", "job_id", "state", "start", "end", "refunded_permille")
    return [MeteredView(*row) for row in rows.order_by("start", "pk").values_list(*names)[:RUNS_MAX]]


def month_use(*, month: str) -> Sequence[MonthUse]:
    """Use by project and resource in a month of the site's zone; unchecked, for the operator's own reports.

    Raises BadInput for a month that is none.
    """
    try:
        first, last = (date.fromisoformat(f"{each}-01") for each in (month, next_month(month)))
    except ValueError:
        raise BadInput(N_("Write a month as 2026-10."), field="month") from None
    rows = list(
        DayUse.objects.filter(day__gte=first, day__lt=last)
        .values_list("project_id", "resource")
        .annotate(*(Sum(name) for name in FIELDS))
        .order_by("project_id", "resource")
    )
    names = accounts.projects({project for project, *_rest in rows if project})
    return [
        MonthUse(project, names[project].number if project else "", what, amount, charged)
        for project, resource, *sums in rows
        for what, amount, charged in _lines(resource, sums)
    ]


def _lines(resource: str, sums: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """The resource itself, then what else stands in its row."""
    amount, charged, *others = sums
    yield resource, amount, charged
    for name, other in zip(FIELDS[2:], others, strict=True):
        if other:
            yield name, other, 0


@dataclass(frozen=True)
class FreeUse:
    """What was metered in a month and charged to nobody; ``of_projects`` tells it from accounts of no project.

    ``unit`` is the ledger's, or the name of a device that has none; ``amount`` in thousandths of a second.
    """

    month: date
    unit: str
    of_projects: bool
    amount: int


def free_use(*, since: date, until: date) -> Sequence[FreeUse]:
    """What was metered and not charged, in the months from ``since`` to ``until``, their first days.

    With what the ledger was charged it is all that was used, each use once: the platform's own jobs are charged
    and stand in no sum of a day; what a cluster's accounting tells stands there with what was charged of it.
    Unchecked, for the operator's own reports; one query of the few days on which the two differ.
    """
    rows = (
        DayUse.objects.filter(day__gte=since, day__lt=date.fromisoformat(f"{next_month(f'{until:%Y-%m}')}-01"))
        .exclude(amount=F("charged"))
        .annotate(month=TruncMonth("day"), known=Case(When(project=None, then=Value(False)), default=Value(True)))
        .values_list("month", "resource", "known")
        .annotate(free=Sum(F("amount") - F("charged")))
        .order_by("resource", "known", "month")
    )
    return [
        FreeUse(month, units().get(resource, resource), known, free)
        for month, resource, known, free in rows
        if free
    ]
