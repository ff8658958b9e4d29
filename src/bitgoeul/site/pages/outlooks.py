"""Which allocations sleep, run out before their end, or will be left over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Cell, Column, xlsx
from bitgoeul.kernel.quantity import divide_half_up
from bitgoeul.kernel.text import N_, Text
from bitgoeul.ledger.facade import UNITS
from bitgoeul.resources import facade as resources
from bitgoeul.resources.facade import Ahead, Outlook
from bitgoeul.web.facade import attachment, no_store, page_number, render_text

from .. import formats
from ..burn import burn
from .rows import in_chunks

BADGES = {
    Ahead.SPENT: (Text(N_("used up")), "bad"),
    Ahead.RUNS_OUT: (Text(N_("will run out")), "warning"),
    Ahead.LASTS: (Text(N_("lasts")), "good"),
    Ahead.LEFT_OVER: (Text(N_("left over")), "progress"),
    Ahead.UNKNOWN: (Text(N_("no forecast")), "neutral"),
}


def words_of(one: Outlook) -> Text:
    """The forecast as a sentence."""
    said = one.forecast
    if said.ahead is Ahead.SPENT:
        return Text(N_("Nothing is left."))
    if said.runs_out_on:
        return Text(
            N_("At the pace of the last 28 days it runs out on {day}, {early} days before its end."),
            {"day": said.runs_out_on.isoformat(), "early": (one.ends - said.runs_out_on).days},
        )
    if said.left_at_end is not None:
        share = divide_half_up(100 * said.left_at_end, one.view.granted)
        amount = formats.human_amount(said.left_at_end, one.view.unit)
        return Text(
            N_("At the pace of the last 28 days {amount} ({share} %) will be left at its end."),
            {"amount": amount, "share": share},
        )
    return Text(N_("No forecast: it is younger than 14 days, or was used on fewer than 5 of the last 28 days."))


def shown(one: Outlook) -> dict[str, object]:
    """An allocation's outlook with the words and the drawing that it needs."""
    word, tone = BADGES[one.forecast.ahead]
    return {
        "one": one,
        "view": one.view,
        "word": word,
        "tone": tone,
        "says": words_of(one),
        "burn": burn(one),
        "time": divide_half_up(one.time_permille, 10),
        "used": divide_half_up(one.used_permille, 10),
        "whole_words": formats.human_amount(one.view.used + one.left, one.view.unit),
        "url": f"{reverse('resources:statement', args=[one.view.project_id])}?allocation={one.view.id}",
        "project_url": reverse("site:project", args=[one.view.project_id]),
    }


def _asked(request: HttpRequest) -> dict[str, str]:
    given = {name: request.GET.get(name, "") for name in ("flag", "unit", "order")}
    known = {"flag": resources.OUTLOOK_FLAGS, "unit": UNITS, "order": resources.OUTLOOK_ORDERS}
    return {name: value if value in known[name] else "" for name, value in given.items()}


@require_safe
@login_required
def outlooks(request: HttpRequest) -> HttpResponse:
    """GET /use/allocations/?flag=&unit=&order=&page="""
    asked = _asked(request)
    page = resources.outlook_page(actor=accounts.actor_of(request), page=page_number(request), **asked)
    projects = accounts.projects(one.view.project_id for one in page.items)
    context = {
        "page": page,
        "rows": [{**shown(one), "project": projects[one.view.project_id]} for one in page.items],
        **asked,
        "flags": list(resources.OUTLOOK_FLAGS.items()),
        "orders": list(resources.OUTLOOK_ORDERS.items()),
        "units": [(code, unit.label) for code, unit in UNITS.items() if unit.scale > 1],
        "query": request.GET.urlencode(),
    }
    return no_store(render(request, "site/pages/outlooks.html", context))


@require_safe
@login_required
def outlooks_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /use/allocations.xlsx with the filters of the list, in whole ledger amounts."""
    headings = (
        (_("Project"), 40), (_("Number"), 18), (_("Resource"), 32), (_("Unit"), 14), (_("Granted"), 18),
        (_("used"), 18), (_("held"), 18), (_("left"), 18), (_("Begins"), 12), (_("Ends"), 12),
        (_("Time gone (%)"), 10), (_("Used (%)"), 10), (_("Used in 28 days"), 18), (_("Last used"), 12),
        (_("Forecast"), 16), (_("Runs out on"), 12), (_("Left at the end"), 18), (_("Idle"), 8),
    )  # fmt: skip
    language = getattr(request, "LANGUAGE_CODE", None)
    found = resources.outlooks_to_export(actor=accounts.actor_of(request), **_asked(request))
    return attachment(
        xlsx(_("Allocations"), [Column(*each) for each in headings], _rows(found, language)), "allocations.xlsx"
    )


def _rows(found: Iterable[Outlook], language: str | None) -> Iterator[list[Cell]]:
    for chunk in in_chunks(found):
        projects = accounts.projects(one.view.project_id for one in chunk)
        for one in chunk:
            view, said, project = one.view, one.forecast, projects[one.view.project_id]
            yield [
                project.title, project.number, view.label.in_language(language), view.unit, view.granted,
                view.used, view.held, view.available, str(one.starts), str(one.ends),
                divide_half_up(one.time_permille, 10), divide_half_up(one.used_permille, 10), one.pace.recent,
                _day(one.pace.last_use), render_text(BADGES[said.ahead][0]), _day(said.runs_out_on),
                said.left_at_end, _("yes") if one.idle else _("no"),
            ]  # fmt: skip


def _day(day: object) -> str | None:
    return str(day) if day else None
