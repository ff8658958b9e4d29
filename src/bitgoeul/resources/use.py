"""What was charged by month, summed by the database from the monthly sums alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum, Value

from bitgoeul.accounts import facade as accounts
from bitgoeul.web.facade import Page, page_of

from .models import UseMonth
from .types import UseBy, UseRow, UseWanted

PER_PAGE = 15
EXPORT_MAX = 200_000
UNIT = "allocation__account__unit_id"
GROUP = "allocation__origin_group"
KIND = "allocation__project__organisation__kind"
KEYS = {
    UseBy.PROGRAMME: F(GROUP),
    UseBy.KIND: F(KIND),
    UseBy.DEVICE: Value(""),
    UseBy.PROJECT: F("allocation__project_id"),
}


def _rows(actor: accounts.Actor, wanted: UseWanted) -> QuerySet[UseMonth]:
    accounts.require(actor=actor, verb="resources.view_use", thing=accounts.PORTAL)
    asked = {UNIT: wanted.unit, GROUP: wanted.programme, KIND: wanted.kind}
    rows = UseMonth.objects.filter(month__gte=wanted.since, month__lte=wanted.until)
    return rows.filter(**{name: value for name, value in asked.items() if value})


def _keyed(rows: QuerySet[UseMonth], by: UseBy) -> QuerySet[Any, Any]:
    return rows.annotate(key=KEYS[by], unit=F(UNIT)).values("key", "unit")


def use_rows(*, actor: accounts.Actor, wanted: UseWanted, page: int = 1, per_page: int = PER_PAGE) -> Page[UseRow]:
    """One page of what was charged, by key and unit, the most of a unit first; three queries whatever there is."""
    rows = _rows(actor, wanted)
    summed = _keyed(rows, wanted.by).annotate(total=Sum("amount")).order_by("unit", "-total", "key")
    found = page_of(summed, page, per_page)
    cells = _cells(rows, wanted.by, found.items)
    return found.map(
        lambda row: UseRow(_text(row["key"]), row["unit"], row["total"], cells.get((row["key"], row["unit"]), {}))
    )


def _text(key: str | UUID) -> str:
    return str(key)


def _cells(
    rows: QuerySet[UseMonth], by: UseBy, shown: Sequence[Mapping[str, Any]]
) -> Mapping[tuple[Any, str], dict[date, int]]:
    """The months of the rows of a page."""
    chosen = Q(pk__in=[])
    for unit in {row["unit"] for row in shown}:
        keys = [row["key"] for row in shown if row["unit"] == unit]
        chosen |= Q(unit=unit, key__in=keys)
    found: dict[tuple[Any, str], dict[date, int]] = {}
    if shown:
        sums = rows.annotate(key=KEYS[by], unit=F(UNIT)).filter(chosen).values("key", "unit", "month")
        for row in sums.annotate(total=Sum("amount")).order_by():
            found.setdefault((row["key"], row["unit"]), {})[row["month"]] = row["total"]
    return found


def use_totals(*, actor: accounts.Actor, wanted: UseWanted) -> list[UseRow]:
    """What was charged of each unit in all, by month; one query."""
    sums = _keyed(_rows(actor, wanted), UseBy.DEVICE).values("unit", "month").annotate(total=Sum("amount"))
    found: dict[str, dict[date, int]] = {}
    for row in sums.order_by("unit", "month"):
        found.setdefault(row["unit"], {})[row["month"]] = row["total"]
    return [UseRow("", unit, sum(months.values()), months) for unit, months in found.items()]


def use_to_export(*, actor: accounts.Actor, wanted: UseWanted) -> Iterator[UseRow]:
    """All rows, streamed, by key and unit."""
    sums = _keyed(_rows(actor, wanted), wanted.by).values("key", "unit", "month").annotate(total=Sum("amount"))
    cells = sums.order_by("key", "unit", "month")[:EXPORT_MAX].iterator(chunk_size=2_000)
    for (key, unit), group in groupby(cells, key=lambda row: (row["key"], row["unit"])):
        months = {row["month"]: row["total"] for row in group}
        yield UseRow(_text(key), unit, sum(months.values()), months)
