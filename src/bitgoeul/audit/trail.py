"""The audit trail of things: every event in time order, with its place in the chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from bitgoeul.kernel.errors import LimitReached
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of

from .models import Event, PersonalValue, Seal
from .types import TrailLine

PER_PAGE = 50
EXPORT_MAX = 20_000
Subjects = Sequence[tuple[str, str]]


class TrailTooLong(LimitReached):
    """The trail has more lines than one workbook takes."""

    code = "trail_too_long"


def _rows(subjects: Subjects) -> QuerySet[Any, Any]:
    wanted = Q()
    for kind, subject_id in subjects:
        wanted |= Q(subject_kind=kind, subject_id=subject_id)
    seal = Seal.objects.filter(event=OuterRef("pk"))
    rows: QuerySet[Any, Any] = (
        Event.objects.filter(wanted)
        .annotate(sequence=Subquery(seal.values("sequence")[:1]))
        .annotate(personal=Exists(PersonalValue.objects.filter(event=OuterRef("pk"))))
        .order_by("at", "id")
        .values(*TrailLine.PLAIN, name=F("id"))
    )
    return rows


def _line(row: Mapping[str, Any]) -> TrailLine:
    return TrailLine(id=str(row["name"]), **{name: row[name] for name in TrailLine.PLAIN})


def trail(subjects: Subjects, page: int = 1, per_page: int = PER_PAGE) -> Page[TrailLine]:
    """One page of what happened to these things (kind and id of each), oldest first, in two queries.

    Unchecked: whoever asks has made sure that the reader may see the things.
    """
    return page_of(_rows(subjects), page, per_page).map(_line)


def trail_to_export(subjects: Subjects) -> list[TrailLine]:
    """All of it for a workbook, oldest first; TrailTooLong beyond 20,000 lines, nothing is cut."""
    lines = [_line(row) for row in _rows(subjects)[: EXPORT_MAX + 1]]
    if len(lines) > EXPORT_MAX:
        raise TrailTooLong(remedy=Text(N_("Read it page by page, or over the REST interface.")))
    return lines


def personal_values(event_ids: Iterable[str]) -> Mapping[str, Mapping[str, Any] | None]:
    """The personal values of events by event id, in one query; None for those that were erased."""
    rows = PersonalValue.objects.filter(event__in=list(event_ids)).values_list("event_id", "value")
    return {str(event_id): value for event_id, value in rows}
