"""Pages of the resources room: the statement of a project's allocation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Column, xlsx
from bitgoeul.kernel.errors import NotFound
from bitgoeul.ledger.facade import StatementLine
from bitgoeul.web.facade import attachment, no_store, page_number, render_text

from . import queries
from .periods import YEARS, period
from .sources import source_page
from .types import AllocationView


def _day(request: HttpRequest, name: str) -> date | None:
    try:
        day = parse_date(request.GET.get(name, ""))
    except ValueError:
        return None
    return day if day and YEARS[0] <= day.year <= YEARS[1] else None


def _chosen(request: HttpRequest, found: list[AllocationView]) -> AllocationView:
    wanted, unit = request.GET.get("allocation", ""), request.GET.get("unit", "")
    first = next((one for one in found if one.unit == unit), found[0] if found else None)
    chosen = next((one for one in found if str(one.id) == wanted), None if wanted else first)
    if chosen is None:
        raise NotFound()
    return chosen


@login_required
@require_safe
def statement(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """GET /projects/<id>/statement/?allocation=&unit=&since=&until=&page="""
    actor = accounts.actor_of(request)
    project = accounts.project(actor=actor, project_id=project_id)
    found = queries.allocations(project_ids=[project_id])[project_id]
    context: dict[str, object] = {"project": project, "allocations": found}
    if found:
        chosen, (since, until) = _chosen(request, found), period(_day(request, "since"), _day(request, "until"))
        if request.GET.get("format") == "xlsx":
            return _export(actor, chosen, since, until)
        shown = queries.statement(
            actor=actor,
            project_id=project_id,
            allocation_id=chosen.id,
            since=since,
            until=until,
            page=page_number(request),
        )
        context |= {
            "chosen": chosen,
            "since": since,
            "until": until - timedelta(days=1),
            "statement": shown,
            "rows": _rows(shown.lines),
        }
    return no_store(render(request, "resources/statement.html", context))


def _rows(lines: Sequence[StatementLine]) -> list[dict[str, object]]:
    """Each line with the usage record behind it and the page of what used it."""
    found = queries.usage_of_postings(line.posting_id for line in lines)
    return [
        {"line": line, "usage": usage, "url": source_page(usage.detail) if usage else ""}
        for line in lines
        for usage in [found.get(line.posting_id)]
    ]


def _export(actor: accounts.Actor, chosen: AllocationView, since: datetime, until: datetime) -> HttpResponse:
    columns = [
        Column(_("Recorded"), 20),
        Column(_("Used"), 20),
        Column(_("Reason"), 16),
        Column(_("For"), 40),
        Column(_("Change (%(unit)s)") % {"unit": chosen.unit}, 20),
        Column(_("Balance (%(unit)s)") % {"unit": chosen.unit}, 20),
    ]
    lines = queries.statement_lines(
        actor=actor, project_id=chosen.project_id, allocation_id=chosen.id, since=since, until=until
    )
    rows = (
        (one.recorded_at, one.effective_at, render_text(one.reason.label), one.memo, one.change, one.balance)
        for one in lines
    )
    return attachment(xlsx(_("Statement"), columns, rows), f"statement-{chosen.resource_code}.xlsx")
