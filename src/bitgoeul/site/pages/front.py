"""The front page: believable in sixty seconds to an officer and to an engineer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import N_
from bitgoeul.outcomes import facade as outcomes
from bitgoeul.programmes import facade as programmes
from bitgoeul.trials import facade as trials

from .. import formats
from . import board
from .places import DOTS, PLACES
from .rows import CallRow, EvidenceRow, FigureRow

FIGURES = 6
EVIDENCE = 5
CALLS = 5
HURRY_DAYS = 3
BOUNDS = {
    outcomes.Bound.EXACT: "{value}",
    outcomes.Bound.ABOUT: N_("about {value}"),
    outcomes.Bound.MORE_THAN: N_("over {value}"),
}


def front(request: HttpRequest) -> HttpResponse:
    """GET /"""
    first_minute = programmes.median_time_to_first_usable_minute()
    context = {
        "doors": {
            "start": reverse("programmes:start"),
            "verify": reverse("trials:verify"),
            "figures": reverse("outcomes:figures"),
        },
        "figures": [figure_row(view) for view in outcomes.public_figures(front=True)[:FIGURES]],
        "places": PLACES,
        "dots": DOTS,
        "columns": board.newest(),
        "calls": [call_row(call) for call in programmes.open_calls(now())[:CALLS]],
        "median_seconds": first_minute.median_ms // 1000 if first_minute else None,
        "median_count": first_minute.count if first_minute else 0,
        "evidence": evidence_rows(),
    }
    return render(request, "site/pages/front.html", context)


def figure_row(view: outcomes.FigureView) -> FigureRow:
    """A figure in both registers as one row."""
    report, verified = view.reported, view.verified
    return FigureRow(
        label=view.label,
        reported_value=gettext(BOUNDS[report.bound]).format(value=report.value) if report else "–",
        reported_unit=report.unit if report else "",
        source=report.source if report else "",
        as_of=report.as_of.replace("/", "–") if report else "",
        verified=verified.value if verified else None,
        verified_unit=verified.unit if verified else "",
        url=reverse("outcomes:figure", args=[view.code]),
    )


def call_row(call: programmes.OpenCall) -> CallRow:
    """An open call with its working days left."""
    days = call.working_days_left
    return CallRow(
        title=call.body.title,
        url=reverse("programmes:call", args=[call.body.code]),
        closes_at=call.body.closes_at,
        left_words=formats.working_days(days),
        tone="warning" if days <= HURRY_DAYS else "progress",
    )


def evidence_rows() -> list[EvidenceRow]:
    """The newest public evidence."""
    return [evidence_row(view) for view in trials.latest_public(EVIDENCE)]


def evidence_row(view: trials.EvidenceView) -> EvidenceRow:
    """A public piece of evidence; an invalidated one is shown as invalid."""
    valid = view.invalidated_at is None
    return EvidenceRow(
        subject=view.subject_name,
        protocol=view.protocol_title,
        digest=view.digest,
        verdict=str(view.verdict).upper() if valid else "INVALID",
        issued_at=view.issued_at,
        url=reverse("trials:verify_result", args=[view.digest]),
    )
