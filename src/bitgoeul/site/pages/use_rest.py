"""What was used, over REST, as the page and its workbook tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from django.http import HttpRequest
from django.utils.translation import get_language
from ninja import Field, Router, Schema

from bitgoeul.accounts import facade as accounts
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.ledger.facade import UNITS
from bitgoeul.resources import facade as resources
from bitgoeul.resources.facade import UseBy, UseRow, UseWanted
from bitgoeul.web.facade import Paged, PageNumber, asked_of, refusals

from .use import MONTHS_MAX, MONTHS_SHOWN, in_words, months_back, months_of, names_of

router = Router(tags=["use"])
Month = Annotated[str, Field(pattern=r"^20[0-9][0-9]-(0[1-9]|1[0-2])$", examples=["2026-11"])]


class UseRowOut(Schema):
    """What was charged of one unit under one key: a programme's group, a kind, a project's id; none for a device.

    ``months`` has every month asked for; amounts are whole ledger amounts of ``unit`` as decimal strings, and may
    be below zero where more was given back than charged.
    """

    key: str
    name: str
    note: str
    unit: str
    months: dict[str, str]
    total: str


class UnchargedOut(Schema):
    """What was metered and charged to nobody, in thousandths of a second; ``of_projects``: by one's account."""

    month: str
    unit: str
    of_projects: bool
    amount: str


class UseTableOut(Paged):
    """One page of the rows, the most of a unit first; ``totals`` over all of them, by unit.

    ``uncharged`` is null where a programme or a kind is asked for, for it has neither.
    """

    by: UseBy
    since: str
    until: str
    items: list[UseRowOut]
    totals: list[UseRowOut]
    uncharged: list[UnchargedOut] | None


@router.get("/use", response={200: UseTableOut, **refusals(400, 403)}, summary="What was used")
def get_use(
    request: HttpRequest,
    by: UseBy = UseBy.PROGRAMME,
    since: Month | None = None,
    until: Month | None = None,
    unit: str = "",
    programme: str = "",
    kind: accounts.OrganisationKind | None = None,
    page: PageNumber = 1,
) -> UseTableOut:
    """What was charged by month, at most 12 of them, the last 6 unless said otherwise; only of a ``unit``, a
    ``programme`` (a row's key) or a ``kind`` of organisation. The operator's people may."""
    actor, wanted = accounts.actor_of(request), _wanted(by, since, until, unit, programme, str(kind or ""))
    found = resources.use_rows(actor=actor, wanted=wanted, page=page)
    totals = resources.use_totals(actor=actor, wanted=wanted)
    names = _names(found.items, wanted.by)
    return UseTableOut(
        by=wanted.by,
        since=f"{wanted.since:%Y-%m}",
        until=f"{wanted.until:%Y-%m}",
        items=[_row(row, wanted, *names.get(row.key, (row.key, ""))) for row in found.items],
        totals=[_row(row, wanted, "", "") for row in totals],
        uncharged=_uncharged(wanted),
        page=found.number,
        last=found.last,
        total=found.total,
    )


def _wanted(by: UseBy, since: str | None, until: str | None, unit: str, programme: str, kind: str) -> UseWanted:
    """The use that is asked for; BadInput for a unit that is none, and for more months than are told at once."""
    present = now().astimezone(SEOUL).date().replace(day=1)
    last = date.fromisoformat(f"{until}-01") if until else present
    first = date.fromisoformat(f"{since}-01") if since else months_back(last, MONTHS_SHOWN - 1)
    if not months_back(last, MONTHS_MAX - 1) <= first <= last:
        raise BadInput(
            N_("Ask for 1 to {limit} months, the first before the last."), field="since", limit=MONTHS_MAX
        )
    return UseWanted(
        since=first, until=last, by=by, unit=asked_of(unit, UNITS, "unit"), kind=kind,
        programme=programme.replace("\0", "")[:80],
    )  # fmt: skip


def _names(rows: Sequence[UseRow], by: UseBy) -> Mapping[str, tuple[str, str]]:
    language = get_language()
    return {key: (in_words(name, language), note) for key, (name, note) in names_of(rows, by).items()}


def _row(row: UseRow, wanted: UseWanted, name: str, note: str) -> UseRowOut:
    return UseRowOut(
        key=row.key,
        name=name,
        note=note,
        unit=row.unit,
        months={f"{month:%Y-%m}": str(row.months.get(month, 0)) for month in months_of(wanted)},
        total=str(row.total),
    )


def _uncharged(wanted: UseWanted) -> list[UnchargedOut] | None:
    if wanted.programme or wanted.kind:
        return None
    return [
        UnchargedOut(
            month=f"{one.month:%Y-%m}", unit=one.unit, of_projects=one.of_projects, amount=str(one.amount)
        )
        for one in compute.free_use(since=wanted.since, until=wanted.until)
        if wanted.unit in ("", one.unit)
    ]
