"""Published results over REST: the list, one result, and results side by side. Open to everybody."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from bitgoeul.kernel.text import Text
from bitgoeul.published.mlperf import figure
from bitgoeul.web.facade import Paged, PageNumber, paged, refusals, render_text

from . import published_queries as queries
from .published_types import PublishedView
from .published_words import NOT_VERIFIED, TRADEMARK, footnote

router = Router(tags=["published results"])
Word = Annotated[str, Field(max_length=160)]


class PublishedOut(Schema):
    """A result that others published; ``value`` as claimed, ``figure`` what may be compared, for ``scenario``.

    ``logged_value`` and ``derived_value`` are read from the run's detail log. ``notes`` go with it wherever it is
    shown.
    """

    id: UUID
    round: str
    division: str
    submitter: str
    system: str
    accelerator: str
    accelerators: int | None
    system_type: str
    status: str
    benchmark: str
    scenario: str
    log_scenario: str
    inferred: bool
    result: str
    metric: str
    value: float | None
    unit: str
    logged_value: float | None
    derived_value: float | None
    inferred_value: float | None
    figure: float | None
    figure_unit: str
    errors: int
    accuracy: str
    wall_watts: float | None
    flags: list[str]
    log_digest: str
    version: int
    current: bool
    result_id: str
    reviewed: bool
    source: str
    retrieved_on: date
    read_at: datetime
    notes: list[str]


class PublishedList(Paged):
    """One page of published results, the newest round first."""

    items: list[PublishedOut]


class ComparisonOut(Schema):
    """Results side by side, by round, submitter and system, never by rank."""

    benchmark: str
    scenario: str
    unit: str
    lower_is_better: bool
    differences: list[str]
    results: list[PublishedOut]


def _out(view: PublishedView) -> PublishedOut:
    one = view.result
    value, unit = figure(one)
    told = {name: getattr(one, name) for name in PublishedOut.model_fields if hasattr(one, name)}
    notes = [footnote(view), *map(Text, () if view.reviewed else (NOT_VERIFIED,)), Text(TRADEMARK)]
    return PublishedOut(
        **told | {"flags": [str(each) for each in one.flags]},
        id=view.id, figure=value, figure_unit=unit, wall_watts=one.power.watts if one.power else None,
        version=view.version, current=view.current, result_id=view.result_id, reviewed=view.reviewed,
        source=view.source, retrieved_on=view.retrieved_on, read_at=view.read_at,
        notes=[render_text(each) for each in notes],
    )  # fmt: skip


@router.get("/published-results", response=PublishedList, auth=None, summary="Results that others published")
def list_published_results(
    request: HttpRequest,
    round: Word = "",
    submitter: Word = "",
    benchmark: Word = "",
    scenario: Word = "",
    page: PageNumber = 1,
) -> PublishedList:
    """The reading that counts of each. ``benchmark`` is the spelling that all rounds share. Open to everybody."""
    found = queries.published_results(
        round=round, submitter=submitter, benchmark=benchmark, scenario=scenario, page=page
    )
    return paged(PublishedList, found, _out)


@router.get(
    "/published-results/comparison",
    response={200: ComparisonOut, **refusals(400, 404)},
    auth=None,
    summary="Published results side by side",
)
def compare_published_results(
    request: HttpRequest, pick: Annotated[list[Word], Query(..., min_length=1, max_length=100)]
) -> ComparisonOut:
    """From 2 to 20 results of the same work, from compatible versions. Refuses every other mix by name.

    Open to everybody.
    """
    found = queries.compare(pick)
    return ComparisonOut(
        benchmark=found.kind.benchmark,
        scenario=found.kind.scenario,
        unit=found.unit,
        lower_is_better=found.lower_is_better,
        differences=[render_text(each) for each in found.differences],
        results=[_out(view) for view in found.results],
    )


@router.get(
    "/published-results/{id}",
    response={200: PublishedOut, **refusals(404)},
    auth=None,
    summary="One published result",
)
def get_published_result(request: HttpRequest, id: UUID) -> PublishedOut:
    """One reading, also one that a later reading replaced. Open to everybody."""
    return _out(queries.published_result(id))
