"""Reports of what was used, from the sums by day alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Sum

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .metering import FIELDS, next_month
from .models import DayUse


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
