"""Pages of results that others published: the list, one result, and results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from bitgoeul.documents import Cell, Column, xlsx
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import Text
from bitgoeul.published.mlperf import Kind, benchmark_code, figure, is_fit, table
from bitgoeul.web.facade import attachment, page_number, render_text

from . import published_queries as queries
from .published_types import Comparison, PublishedView
from .published_words import NOT_VERIFIED, TRADEMARK, UNVERIFIED, UNVERIFIED_BESIDE_VERIFIED, footnote, remarks

MILLISECOND = 1e6
NARROW = ("round", "submitter", "benchmark", "scenario")
WORD_MAX = 160


@dataclass(frozen=True)
class Line:
    """A row of a table: the figure as people read it, and what stands beside it as badges."""

    view: PublishedView
    shown: str
    marks: Sequence[tuple[Text, str]]


def _line(view: PublishedView) -> Line:
    marks = [(text, "bad" if finding else "neutral") for text, finding in remarks(view.result)]
    return Line(view, shown(*figure(view.result)), marks)


def shown(value: float | None, unit: str) -> str:
    """A figure with its unit, times in milliseconds: ``0.712 ms``, ``2,757.8 samples/s``; – for none."""
    if value is None:
        return "–"
    return f"{value / MILLISECOND:,.4g} ms" if unit == "ns" else f"{value:,.6g} {unit}"


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").strip()[:WORD_MAX] for name in NARROW}


@require_safe
def published_list(request: HttpRequest) -> HttpResponse:
    """GET /published/?round=&submitter=&benchmark=&scenario=&page="""
    asked = _asked(request)
    page = queries.published_results(**asked, page=page_number(request))
    context = {
        "asked": asked,
        "choice": queries.choice(),
        "page": page,
        "lines": list(map(_line, page.items)),
        "warnings": _warnings(page.items),
        "workbook_max": queries.EXPORT_MAX if page.total > queries.EXPORT_MAX else None,
        "trademark": render_text(TRADEMARK),
        "query": request.GET.urlencode(),
    }
    return render(request, "trials/published.html", context)


@require_safe
def published_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /published.xlsx — what the list shows, without pages; refused beyond EXPORT_MAX results."""
    columns = [
        Column(_("Round"), 8), Column(_("Division"), 10), Column(_("Submitter"), 18), Column(_("System"), 28),
        Column(_("Accelerator"), 24), Column(_("Number of accelerators"), 12), Column(_("Benchmark"), 16),
        Column(_("Scenario"), 14), Column(_("Scenario of the log"), 14), Column(_("Claimed"), 16),
        Column(_("In the log"), 16), Column(_("Derived again"), 16), Column(_("Unit"), 10),
        Column(_("Inferred value"), 16), Column(_("Accuracy"), 24), Column(_("Wall power (W)"), 12),
        Column(_("Remarks"), 48), Column(_("Note"), 80),
    ]  # fmt: skip
    rows = (_cells(view) for view in queries.published_to_export(**_asked(request)))
    return attachment(xlsx(_("Published results"), columns, rows), "published-results.xlsx")


def _cells(view: PublishedView) -> tuple[Cell, ...]:
    one = view.result
    words = [*([] if view.reviewed else [Text(UNVERIFIED)]), *(text for text, _finding in remarks(one))]
    said = ", ".join(map(render_text, words))
    return (
        one.round, one.division, one.submitter, one.system, one.accelerator, one.accelerators, one.benchmark,
        one.scenario, one.log_scenario, one.value, one.logged_value, one.derived_value, one.unit,
        one.inferred_value, one.accuracy, one.power.watts if one.power else None, said, _note(view),
    )  # fmt: skip


def _note(view: PublishedView) -> str:
    """The footnote in one piece."""
    return " ".join([render_text(footnote(view)), *([] if view.reviewed else [render_text(NOT_VERIFIED)])])


@require_safe
def published_result(request: HttpRequest, id: UUID) -> HttpResponse:
    """GET /published/<id>/"""
    view = queries.published_result(id)
    result = view.result
    context = {
        "view": view,
        "result": result,
        "work": f"{benchmark_code(result.benchmark)} {result.scenario}",
        "claimed": shown(result.value, result.unit),
        "logged": shown(result.logged_value, result.unit),
        "derived": shown(result.derived_value, result.unit),
        "inferred": shown(*figure(result)),
        "comparable": is_fit(result) and view.current,
        "remarks": remarks(result),
        "readings": [(one, shown(one.result.value, one.result.unit)) for one in queries.readings(view)],
        "note": _note(view),
        "trademark": render_text(TRADEMARK),
    }
    return render(request, "trials/published_result.html", context)


@require_safe
def published_compare(request: HttpRequest) -> HttpResponse:
    """GET /published/compare/?work=&pick=…

    Without a choice the largest group of results of a single accelerator is shown.
    """
    counts = queries.works()
    works = {" ".join(each): each for each in counts}
    work = request.GET.get("work", "")
    if work not in works:
        work = max(works, key=lambda each: counts[works[each]], default="")
    offered = queries.candidates(*works.get(work, ("", "")))
    groups = offered.groups
    picked = request.GET.getlist("pick")[: queries.CANDIDATES_MAX]
    refusal, comparison = None, None
    try:
        chosen = picked or _first_choice(list(groups.values()))
        comparison = queries.compare(chosen) if chosen else None
    except BadInput as error:
        chosen, refusal = picked, error
    context = {
        "works": list(works),
        "work": work,
        "groups": [
            (_title(kind), [(view, str(view.id) in chosen) for view in views]) for kind, views in groups.items()
        ],
        "listed_max": None if offered.complete else queries.CANDIDATES_MAX,
        "comparison": comparison,
        "refusal": refusal,
        "rules": table()["source"],
        "trademark": render_text(TRADEMARK),
        **(_side_by_side(comparison) if comparison else {}),
    }
    return render(request, "trials/published_compare.html", context, status=400 if refusal else 200)


def _first_choice(groups: Sequence[Sequence[PublishedView]]) -> list[str]:
    single = [[view for view in views if view.result.accelerators == 1] for views in groups]
    best = max(single, key=len, default=[])
    return [str(view.id) for view in best[-queries.COMPARED_MAX :]] if len(best) > 1 else []


def _title(kind: Kind) -> str:
    words = [kind.division, _("from {round} on").format(round=kind.era)]
    return ", ".join([*words, _("wall power measured")] if kind.power else words)


def _side_by_side(comparison: Comparison) -> dict[str, object]:
    factor = MILLISECOND if comparison.lower_is_better else 1
    unit = "ms" if comparison.lower_is_better else "samples/s"
    values = [round(each / factor, 4) for each in comparison.figures]
    work = f"{comparison.kind.benchmark} {comparison.kind.scenario}"
    better = _("Lower is better.") if comparison.lower_is_better else _("Higher is better.")
    return {
        "lines": list(map(_line, comparison.results)),
        "unit": unit,
        "better": better,
        "footnotes": [_note(view) for view in comparison.results],
        "warnings": _warnings(comparison.results),
        "chart": {
            "kind": "bar",
            "labels": list(map(_label, comparison.results)),
            "series": [{"name": work, "values": values}],
            "unit": unit,
            "x_label": _("System"),
        },
        "reading": _("{count} systems, from {least} to {most} {unit}. {better}").format(
            count=len(values), least=f"{min(values):,}", most=f"{max(values):,}", unit=unit, better=better
        ),
    }


def _warnings(views: Sequence[PublishedView]) -> list[str]:
    """What MLCommons asks to be said under a table with a result that it has not reviewed."""
    verified = {view.reviewed for view in views}
    said = [render_text(NOT_VERIFIED)] if False in verified else []
    return said + ([render_text(UNVERIFIED_BESIDE_VERIFIED)] if len(verified) > 1 else [])


def _label(view: PublishedView) -> str:
    result = view.result
    about = result.round if view.reviewed else f"{result.round}, {render_text(UNVERIFIED)}"
    return f"{result.accelerator or result.system} × {result.accelerators or '?'} ({about})"
