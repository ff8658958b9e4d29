"""The public figures, open to everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from bitgoeul.web.facade import page_number

from . import queries


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
