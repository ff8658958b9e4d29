"""The public figures, open to everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from bitgoeul.documents import Cell, Column, xlsx
from bitgoeul.programmes.facade import say
from bitgoeul.web.facade import attachment, page_number

from . import queries
from .types import FigureView
from .words import reported


@require_GET
def figures(request: HttpRequest) -> HttpResponse:
    """All figures in both registers."""
    return render(request, "outcomes/figures.html", {"figures": queries.public_figures()})


@require_GET
def figure(request: HttpRequest, code: str) -> HttpResponse:
    """One figure: what was reported, what is verified here, the rule, and the evidence under it."""
    view = queries.figure(code)
    context = {
        "figure": view,
        "claims": queries.claims(figure_code=code, number=page_number(request)) if view.verified else None,
        "withdrawn": queries.withdrawn_count(figure_code=code) if view.verified else 0,
    }
    return render(request, "outcomes/figure.html", context)


@require_GET
def figures_xlsx(request: HttpRequest) -> HttpResponse:
    """All figures as a workbook: a row for each report, the verified value in columns of its own."""
    columns = [
        Column(gettext("Figure"), 28),
        Column(gettext("Reported"), 24),
        Column(gettext("As of"), 16),
        Column(gettext("Note"), 32),
        Column(gettext("Source"), 48),
        Column(gettext("Verified here"), 16),
        Column(gettext("Unit"), 12),
        Column(gettext("Rule"), 60),
    ]
    rows = [row for view in queries.public_figures() for row in _rows(view)]
    return attachment(xlsx(gettext("Public figures"), columns, rows), "figures.xlsx")


def _rows(view: FigureView) -> list[list[Cell]]:
    """One row a report; the verified value stands in the first row only, so that nobody adds it twice."""
    label = say(view.label)
    reports: list[list[Cell]] = [
        [label, reported(one), one.as_of, say(one.note), say(one.source)] for one in view.reports
    ] or [[label, None, None, None, None]]
    verified: list[Cell] = [None, None, None]
    if view.verified:
        verified = [view.verified.value, say(view.verified.unit), say(view.verified.rule)]
    return [[*row, *(verified if number == 0 else [None, None, None])] for number, row in enumerate(reports)]
