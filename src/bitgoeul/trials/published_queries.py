"""Reading published results, and comparing those that may be compared. Open to everybody: they are public."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet

from bitgoeul.kernel.errors import BadInput, LimitReached, NotFound
from bitgoeul.kernel.text import N_, Text
from bitgoeul.published.mlperf import Kind, Result, figure, is_fit, kind_of
from bitgoeul.web.facade import Page, page_of

from .evidence_queries import is_digest
from .models import PublishedResult
from .published import kind_digest
from .published_types import Candidates, Choice, Comparison, PublishedView

COMPARED_MAX = 20
CANDIDATES_MAX = 200
READINGS_MAX = 50
CHOICES_MAX = 200
EXPORT_MAX = 5_000
ORDER = ("-round", "submitter", "system", "benchmark", "scenario", "pk")


class WorkbookTooLong(LimitReached):
    """The list has more results than one workbook takes."""

    code = "workbook_too_long"


def _rows() -> QuerySet[Any, Any]:
    """Every reading, with whether it counts."""
    later = PublishedResult.objects.filter(place=OuterRef("place"), version__gt=OuterRef("version"))
    return PublishedResult.objects.annotate(replaced=Exists(later)).select_related("origin")


def _current() -> QuerySet[Any, Any]:
    return _rows().filter(replaced=False)


def _view(row: Any) -> PublishedView:
    return PublishedView(
        id=row.pk, result=Result.from_stored(row.row), version=row.version, current=not row.replaced,
        result_id=row.result_id, source=row.origin.source, retrieved_on=row.origin.retrieved_on,
        reviewed=row.origin.reviewed, read_at=row.origin.at,
    )  # fmt: skip


def published_results(
    *, round: str = "", submitter: str = "", benchmark: str = "", scenario: str = "", page: int = 1
) -> Page[PublishedView]:
    """Results that count, the newest round first; an empty word narrows nothing."""
    rows = _narrowed(round=round, submitter=submitter, benchmark=benchmark, scenario=scenario)
    return page_of(rows, page).map(_view)


def published_to_export(
    *, round: str = "", submitter: str = "", benchmark: str = "", scenario: str = ""
) -> Iterator[PublishedView]:
    """The same without pages; WorkbookTooLong beyond EXPORT_MAX, nothing is cut off."""
    rows = _narrowed(round=round, submitter=submitter, benchmark=benchmark, scenario=scenario)
    if rows.count() > EXPORT_MAX:
        raise WorkbookTooLong(
            N_("One workbook takes {limit} results, and there are more."),
            remedy=Text(N_("Narrow the list by round, submitter, benchmark or scenario.")),
            limit=EXPORT_MAX,
        )
    return map(_view, rows[:EXPORT_MAX].iterator(chunk_size=500))


def _narrowed(**asked: str) -> QuerySet[Any, Any]:
    return _current().filter(**{name: word for name, word in asked.items() if word}).order_by(*ORDER)


def choice() -> Choice:
    """What the list can be narrowed by."""
    return Choice(*(_words(name) for name in ("round", "submitter", "benchmark", "scenario")))


def _words(column: str) -> list[str]:
    rows = PublishedResult.objects.order_by(column).values_list(column, flat=True)
    return list(rows.distinct()[:CHOICES_MAX])


def published_result(id: UUID) -> PublishedView:
    """One reading; raises NotFound."""
    row = _rows().filter(pk=id).first()
    if row is None:
        raise NotFound()
    return _view(row)


def readings(view: PublishedView) -> Sequence[PublishedView]:
    """Every reading of the same place, the newest first."""
    place = PublishedResult.objects.filter(pk=view.id).values("place")
    return [_view(row) for row in _rows().filter(place__in=place).order_by("-version")[:READINGS_MAX]]


def works() -> Mapping[tuple[str, str], int]:
    """Benchmarks with their scenarios of which there are results, by name; how many readings of each."""
    rows = PublishedResult.objects.order_by("benchmark", "scenario").values_list("benchmark", "scenario")
    return {
        (benchmark, scenario): count for benchmark, scenario, count in rows.annotate(Count("pk"))[:CHOICES_MAX]
    }


def candidates(benchmark: str, scenario: str) -> Candidates:
    """Results of one work that may be compared, by kind; within one kind all may be, across two none.

    Of the CANDIDATES_MAX results of the newest rounds, in the order of round, submitter and system.
    """
    rows = _current().filter(benchmark=benchmark, scenario=scenario)
    newest = list(rows.order_by("-round", "submitter", "system", "pk")[: CANDIDATES_MAX + 1])
    found: dict[Kind, list[PublishedView]] = {}
    for view in map(_view, sorted(newest[:CANDIDATES_MAX], key=lambda row: row.round)):
        if is_fit(view.result) and figure(view.result)[0] is not None:
            found.setdefault(kind_of(view.result), []).append(view)
    return Candidates(found, len(newest) <= CANDIDATES_MAX)


def compare(ids: Sequence[str]) -> Comparison:
    """Results side by side; raises BadInput, which names what must not be mixed, and NotFound.

    Refused are results of other work or of versions that are not compatible, one whose flags ask for a look, a
    reading that a later one replaced, and whatever was measured here.
    """
    wanted = list(dict.fromkeys(ids))
    if any(is_digest(each) for each in wanted):
        raise BadInput(
            N_("A result that was measured here never stands beside published MLPerf results. Take it out."),
            field="pick",
        )
    if not 2 <= len(wanted) <= COMPARED_MAX:
        raise BadInput(N_("Choose from 2 to {limit} results."), field="pick", limit=COMPARED_MAX)
    views = [_view(row) for row in _rows().filter(pk__in=_ids(wanted)).order_by("round", "submitter", "system")]
    if len(views) != len(wanted):
        raise NotFound()
    for view in views:
        _refuse_unfit(view)
    _refuse_mixed([view.result for view in views])
    figures = [figure(view.result) for view in views]
    values = [value for value, _unit in figures if value is not None]
    if len(values) != len(views) or len({unit for _value, unit in figures}) != 1:
        raise BadInput(N_("One of these results has no number to compare."), field="pick")
    return Comparison(kind_of(views[0].result), views, values, figures[0][1], list(_differences(views)))


def _ids(texts: Sequence[str]) -> list[UUID]:
    try:
        return [UUID(each) for each in texts]
    except ValueError as error:
        raise BadInput(N_("One of these names no published result."), field="pick") from error


def _refuse_unfit(view: PublishedView) -> None:
    result = view.result
    if not view.current:
        raise BadInput(
            N_("{system} ({round}) is not compared in this reading: a later one of the same place replaced it."),
            field="pick", system=result.system, round=result.round,
        )  # fmt: skip
    if not is_fit(result):
        raise BadInput(
            N_("{system} ({round}) is not compared: something about its log has to be looked at first."),
            field="pick", system=result.system, round=result.round,
        )  # fmt: skip


def _refuse_mixed(results: Sequence[Result]) -> None:
    first = results[0]
    other = next((each for each in results if kind_digest(each) != kind_digest(first)), None)
    if other is None:
        return
    one, two = kind_of(first), kind_of(other)
    if (one.benchmark, one.scenario) != (two.benchmark, two.scenario):
        why = N_("{one} and {two} did other work: only the same benchmark and scenario is compared.")
    elif one.division != two.division:
        why = N_("{one} and {two} are of two divisions: in the open one the work may differ.")
    elif one.power != two.power:
        why = N_("{one} and {two} do not compare: a run whose power is measured is set up for it.")
    else:
        why = N_("{one} and {two} are of versions that MLCommons does not list as compatible.")
    raise BadInput(why, field="pick", one=_named(first), two=_named(other))


def _named(result: Result) -> str:
    return f"{result.system} ({result.round})"


def _differences(views: Sequence[PublishedView]) -> Iterator[Text]:
    """What MLCommons' rules ask to be said: version, status, system type, count, review, inferred."""
    results = [view.result for view in views]
    for sentence, values in (
        (N_("Rounds: {words}."), [each.round for each in results]),
        (N_("Availability: {words}."), [each.status or "?" for each in results]),
        (N_("Kind of system: {words}."), [each.system_type or "?" for each in results]),
        (N_("Number of accelerators: {words}."), [str(each.accelerators or "?") for each in results]),
    ):
        words = sorted(set(values))
        if len(words) > 1:
            yield Text(sentence, {"words": " / ".join(words)})
    if len({each.inferred for each in results}) > 1:
        yield Text(N_("Some are inferred from another scenario, allowed by the rules; others are measured."))
    if len({view.reviewed for view in views}) > 1:
        yield Text(N_("Some were reviewed by MLCommons, others were not."))
