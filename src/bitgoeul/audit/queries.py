"""Reading what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bitgoeul.web.facade import Page, page_of

from .models import Event, Move
from .types import EventView, MoveView


def moves_of(subject_kind: str, subject_ids: Iterable[object]) -> Mapping[str, list[MoveView]]:
    """The moves of each thing, oldest first, in one query."""
    ids = [str(subject_id) for subject_id in subject_ids]
    moves: dict[str, list[MoveView]] = {subject_id: [] for subject_id in ids}
    rows = Move.objects.filter(subject_kind=subject_kind, subject_id__in=ids).order_by("subject_id", "version")
    for row in rows:
        moves[row.subject_id].append(
            MoveView(row.version, row.action, row.from_state, row.to_state, row.actor, row.reason, row.at)
        )
    return moves


def history(subject_kind: str, subject_id: object, page: int = 1) -> Page[EventView]:
    """One page of a thing's events, newest first."""
    rows = Event.objects.filter(subject_kind=subject_kind, subject_id=str(subject_id)).order_by("-at", "-id")
    return page_of(rows, page).map(
        lambda row: EventView(str(row.id), row.at, row.actor, row.verb, row.before, row.after)
    )


def events_after(verb: str, subject_ids: Iterable[object]) -> Mapping[str, Mapping[str, object]]:
    """What events of ``verb`` say of each thing (``after``), in one query; the newest wins."""
    rows = Event.objects.filter(verb=verb, subject_id__in=[str(subject_id) for subject_id in subject_ids])
    return {row.subject_id: row.after or {} for row in rows.order_by("at")}


def subjects_of(verb: str) -> Iterator[str]:
    """The ids of the things that events of ``verb`` tell of, streamed; one id may come more than once."""
    rows = Event.objects.filter(verb=verb).order_by("pk").values_list("subject_id", flat=True)
    return rows.iterator(chunk_size=2_000)
