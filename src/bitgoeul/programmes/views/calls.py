"""The list of calls and one call. Open to everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from bitgoeul.kernel.clock import now
from bitgoeul.web.facade import page_number

from .. import queries, rules
from ..planning import fit
from ..session import answers_in


@require_GET
def calls(request: HttpRequest) -> HttpResponse:
    """Open and coming calls, or with ``?past=1`` the closed ones."""
    past = request.GET.get("past") == "1"
    page = queries.calls_page(now(), past=past, number=page_number(request))
    return render(request, "programmes/calls.html", {"page": page, "past": past, "now": now()})


@require_GET
def call(request: HttpRequest, code: str) -> HttpResponse:
    """One call: what it gives, by which rules, until when."""
    moment = now()
    found = queries.call(code, moment)
    answers = answers_in(request)
    tiers = [
        {
            "tier": tier,
            "open": rules.is_open(found.body, moment, tier),
            "closes": rules.closing(found.body, tier),
            "fit": fit(found, tier, answers) if answers else None,
        }
        for tier in found.body.tiers
    ]
    return render(request, "programmes/call.html", {"call": found, "tiers": tiers, "now": moment})
