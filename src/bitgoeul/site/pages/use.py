"""What was used, for those who answer for it: by programme, kind of organisation, device and project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import KIND_LABELS
from bitgoeul.compute import facade as compute
from bitgoeul.documents import Cell, Column, xlsx
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.quantity import divide_half_up
from bitgoeul.kernel.text import N_, Text
from bitgoeul.ledger.facade import UNITS
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.resources.facade import UseBy, UseRow, UseWanted
from bitgoeul.web.facade import attachment, no_store, page_number, render_text

from .. import formats
from .rows import Said, in_chunks

MONTHS_SHOWN, MONTHS_MAX, MONTHS_BACK = 6, 12, 36
HOUR_MS = 3_600_000
CHARTED = 4
BY_LABELS: Mapping[UseBy, Text] = {
    UseBy.PROGRAMME: Text(N_("Programme")),
    UseBy.KIND: Text(N_("Kind of organisation")),
    UseBy.DEVICE: Text(N_("Device")),
    UseBy.PROJECT: Text(N_("Project")),
}
# Grants without a call, by the kind of their origin.
OTHER_GROUPS = {
    "staff": Text(N_("Granted by staff")),
    "agreement": Text(N_("Agreements without a call")),
    "example": Text(N_("The example's history")),
}


def _month(text: str, default: date) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return default


def months_back(month: date, count: int) -> date:
    """The first day of the month ``count`` months before."""
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


def months_of(wanted: UseWanted) -> list[date]:
    """The months asked for, in order."""
    count = (wanted.until.year - wanted.since.year) * 12 + wanted.until.month - wanted.since.month
    return [months_back(wanted.until, each) for each in range(count, -1, -1)]


def wanted_of(request: HttpRequest) -> UseWanted:
    """What the address asks for; what is no such value counts as not asked for, and at most a year is shown."""
    given = {name: str(value).replace("\0", "")[:80] for name, value in request.GET.items()}
    present = now().astimezone(SEOUL).date().replace(day=1)
    until = min(_month(given.get("until", ""), present), present)
    since = min(_month(given.get("since", ""), months_back(until, MONTHS_SHOWN - 1)), until)
    by, unit, kind = given.get("by", ""), given.get("unit", ""), given.get("kind", "")
    return UseWanted(
        since=max(since, months_back(until, MONTHS_MAX - 1)),
        until=until,
        by=UseBy(by) if by in list(UseBy) else UseBy.PROGRAMME,
        unit=unit if unit in UNITS else "",
        programme=given.get("programme", ""),
        kind=kind if kind in list(accounts.OrganisationKind) else "",
    )


def query_of(wanted: UseWanted) -> str:
    """The part of an address that asks for it."""
    parts = {
        "by": wanted.by, "since": f"{wanted.since:%Y-%m}", "until": f"{wanted.until:%Y-%m}", "unit": wanted.unit,
        "programme": wanted.programme, "kind": wanted.kind,
    }  # fmt: skip
    return urlencode({name: str(value) for name, value in parts.items() if value})


@require_safe
@login_required
def use(request: HttpRequest) -> HttpResponse:
    """GET /use/?by=&since=&until=&unit=&programme=&kind=&page="""
    actor, wanted = accounts.actor_of(request), wanted_of(request)
    totals = resources.use_totals(actor=actor, wanted=wanted)
    page = resources.use_rows(actor=actor, wanted=wanted, page=page_number(request))
    months = months_of(wanted)
    language = getattr(request, "LANGUAGE_CODE", None)
    charted = charted_unit(wanted, totals)
    context = {
        "wanted": wanted,
        "query": query_of(wanted),
        "page": page,
        "rows": shown_rows(page.items, wanted, months, language),
        "months": months,
        "by_label": BY_LABELS[wanted.by],
        "figures": figures(wanted, totals),
        "free": free_rows(wanted),
        **(drawn(actor, wanted, charted, language) if charted else {}),
        **choices(wanted),
    }
    return no_store(render(request, "site/pages/use.html", context))


def choices(wanted: UseWanted) -> dict[str, object]:
    """What the form offers."""
    present = now().astimezone(SEOUL).date().replace(day=1)
    groups: dict[str, Said] = {**programmes.groups(), **OTHER_GROUPS}
    return {
        "bys": list(BY_LABELS.items()),
        "all_months": sorted({wanted.since, wanted.until, *(months_back(present, n) for n in range(MONTHS_BACK))}),
        "units": [(code, unit.label) for code, unit in UNITS.items() if unit.scale > 1],
        "programmes": list(groups.items()),
        "kinds": list(KIND_LABELS.items()),
    }


def names_of(rows: Sequence[UseRow], by: UseBy) -> Mapping[str, tuple[Said, str]]:
    """By key what a row is called, and what tells it from others of the same name; one query."""
    keys = {row.key for row in rows}
    if by is UseBy.PROJECT:
        found = accounts.projects(UUID(key) for key in keys)
        return {str(pk): (view.title, f"{view.number} · {view.organisation_name}") for pk, view in found.items()}
    if by is UseBy.KIND:
        return {str(kind): (label, "") for kind, label in KIND_LABELS.items()}
    if by is UseBy.PROGRAMME:
        titles: dict[str, Said] = {**OTHER_GROUPS, **programmes.group_titles(keys)}
        return {key: (title, "") for key, title in titles.items()}
    return {}


def _below(row: UseRow, wanted: UseWanted) -> UseWanted:
    """What lies under a row: its projects."""
    programme = row.key if wanted.by is UseBy.PROGRAMME else wanted.programme
    kind = row.key if wanted.by is UseBy.KIND else wanted.kind
    return replace(wanted, by=UseBy.PROJECT, unit=row.unit, programme=programme, kind=kind)


def _down(row: UseRow, wanted: UseWanted, since: date, until: date) -> str:
    """The address of what lies under a figure: the projects of a row, or the statement of a project."""
    if wanted.by is not UseBy.PROJECT:
        return f"{reverse('site:use')}?{query_of(replace(_below(row, wanted), since=since, until=until))}"
    asked = urlencode({"unit": row.unit, "since": since.isoformat()})
    return f"{reverse('resources:statement', args=[row.key])}?{asked}"


def shown_rows(
    rows: Sequence[UseRow], wanted: UseWanted, months: Sequence[date], language: str | None
) -> list[dict[str, object]]:
    """The rows with their names, their figures by month and the ways down."""
    names = names_of(rows, wanted.by)
    found: list[dict[str, object]] = []
    for row in rows:
        name, note = names.get(row.key, (row.key, ""))
        if wanted.by is UseBy.DEVICE:
            name = UNITS[row.unit].label
        url = reverse("site:project", args=[row.key]) if wanted.by is UseBy.PROJECT else ""
        cells = [(month, row.months.get(month, 0), _down(row, wanted, month, month)) for month in months]
        found.append({
            "name": name, "note": note, "url": url, "unit": row.unit, "unit_label": UNITS[row.unit].label,
            "cells": cells, "total": row.total, "down": _down(row, wanted, wanted.since, wanted.until),
        })  # fmt: skip
    return found


def figures(wanted: UseWanted, totals: Sequence[UseRow]) -> list[dict[str, object]]:
    """What was charged of each unit in all, each a way to its projects."""
    return [
        {"words": formats.human_amount(row.total, row.unit), "label": UNITS[row.unit].label,
         "url": f"{reverse('site:use')}?{query_of(_below(row, replace(wanted, by=UseBy.DEVICE)))}"}
        for row in totals
    ]  # fmt: skip


def free_rows(wanted: UseWanted) -> list[dict[str, object]] | None:
    """What was metered and charged to nobody; None where the filters ask for a part, for it has no programme."""
    if wanted.programme or wanted.kind:
        return None
    sums: dict[tuple[str, bool], int] = {}
    for each in compute.free_use(since=wanted.since, until=wanted.until):
        if wanted.unit in ("", each.unit):
            key = (each.unit, each.of_projects)
            sums[key] = sums.get(key, 0) + each.amount
    return [
        {"unit": unit, "of_projects": known, "words": free_words(amount, unit)}
        for (unit, known), amount in sorted(sums.items())
        if amount
    ]


def free_words(amount: int, unit: str) -> str:
    """The amount; of a device without a unit in its own name."""
    if unit in UNITS:
        return formats.human_amount(amount, unit)
    return _("%(amount)s h of %(device)s") % {"amount": formats.decimal(amount, HOUR_MS, 1), "device": unit}


def charted_unit(wanted: UseWanted, totals: Sequence[UseRow]) -> str:
    """The unit that is drawn: the one asked for, else that of which most time was used; empty for nothing."""
    found = [row for row in totals if row.total > 0 and UNITS[row.unit].scale > 1]
    return max(found, key=lambda row: row.total).unit if found else ""


def drawn(actor: accounts.Actor, wanted: UseWanted, unit: str, language: str | None) -> dict[str, object]:
    """The chart of one unit: the largest keys and the rest together, by month, with its sentence."""
    one = replace(wanted, unit=unit)
    largest = resources.use_rows(actor=actor, wanted=one, per_page=CHARTED)
    whole = resources.use_totals(actor=actor, wanted=one)[0]
    months = months_of(wanted)
    names = names_of(largest.items, wanted.by)
    step = formats.step_of(max(whole.months.values(), default=0), unit)
    series = [
        {"name": in_words(names.get(row.key, (row.key or UNITS[unit].label, ""))[0], language),
         "values": [_in(step, row.months.get(month, 0)) for month in months]}
        for row in largest.items
    ]  # fmt: skip
    if largest.total > CHARTED:
        rest = {m: whole.months.get(m, 0) - sum(r.months.get(m, 0) for r in largest.items) for m in months}
        series.append({"name": _("All others"), "values": [_in(step, rest[month]) for month in months]})
    counted = _(step.words).format(amount="").strip()
    chart = {
        "kind": "stacked", "labels": [f"{month:%Y-%m}" for month in months], "series": series, "unit": counted,
        "x_label": _("Month"), "y_label": counted,
    }  # fmt: skip
    return {
        "chart": chart,
        "chart_title": _("%(unit)s charged by month") % {"unit": counted},
        "reading": reading(largest.items[0], whole, wanted, str(series[0]["name"])),
    }


def reading(first: UseRow, whole: UseRow, wanted: UseWanted, name: str) -> str:
    """The chart in one sentence."""
    said = {
        "amount": formats.human_amount(whole.total, whole.unit), "since": f"{wanted.since:%Y-%m}",
        "until": f"{wanted.until:%Y-%m}", "name": name, "share": divide_half_up(100 * first.total, whole.total),
    }  # fmt: skip
    if wanted.by is UseBy.DEVICE:
        return _("%(amount)s were charged from %(since)s to %(until)s.") % said
    return _("%(amount)s were charged from %(since)s to %(until)s, most to “%(name)s” (%(share)s %%).") % said


def _in(step: formats.Step, amount: int) -> float:
    """An amount in a size of its unit, to one decimal."""
    tenths = divide_half_up(abs(amount) * 10, step.scale)
    return (tenths if amount >= 0 else -tenths) / 10


def in_words(words: Said, language: str | None) -> str:
    """What something is called, in a language."""
    if isinstance(words, Text):
        return render_text(words)
    return words if isinstance(words, str) else words.in_language(language)


@require_safe
@login_required
def use_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /use.xlsx with the filters of the page: every row, in whole ledger amounts."""
    actor, wanted = accounts.actor_of(request), wanted_of(request)
    months, language = months_of(wanted), getattr(request, "LANGUAGE_CODE", None)
    columns = [Column(render_text(BY_LABELS[wanted.by]), 44), Column(_("Number"), 32), Column(_("Unit"), 16)]
    columns += [Column(f"{month:%Y-%m}", 20) for month in months] + [Column(_("Total"), 22)]
    rows = _exported(resources.use_to_export(actor=actor, wanted=wanted), wanted, months, language)
    return attachment(xlsx(_("What was used"), columns, rows), "use.xlsx")


def _exported(
    rows: Iterable[UseRow], wanted: UseWanted, months: Sequence[date], language: str | None
) -> Iterator[list[Cell]]:
    for chunk in in_chunks(rows):
        names = names_of(chunk, wanted.by)
        for row in chunk:
            name, note = names.get(row.key, (row.key or UNITS[row.unit].label, ""))
            figures = [row.months.get(month, 0) for month in months]
            yield [in_words(name, language), note, row.unit, *figures, row.total]
