"""Reading what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from bitgoeul.web.facade import Page, page_of

from .models import Event, Message, Move, Unsealed
from .types import Backlog, EventView, MoveView

STUCK_ATTEMPTS_MIN = 3


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


def events_after(
    verb: str, subject_kind: str, subject_ids: Iterable[object]
) -> Mapping[str, Mapping[str, object]]:
    """What events of ``verb`` say of each thing (``after``), in one query; the newest wins."""
    rows = _events(verb, subject_kind, subject_ids).order_by("at").values_list("subject_id", "after")
    return {subject_id: after or {} for subject_id, after in rows}


def subjects_with(verb: str, subject_kind: str, subject_ids: Iterable[object]) -> set[str]:
    """Which of the things have an event of ``verb``, in one query."""
    return set(_events(verb, subject_kind, subject_ids).values_list("subject_id", flat=True))


def _events(verb: str, subject_kind: str, subject_ids: Iterable[object]) -> QuerySet[Event]:
    # The kind is what the index begins with: without it each call would read every event.
    ids = [str(subject_id) for subject_id in subject_ids]
    return Event.objects.filter(subject_kind=subject_kind, subject_id__in=ids, verb=verb)


def subjects_of(verb: str, subject_kind: str) -> Iterator[str]:
    """The ids of the things that events of ``verb`` tell of, streamed; one id may come more than once."""
    rows = Event.objects.filter(subject_kind=subject_kind, verb=verb).values_list("subject_id", flat=True)
    return rows.iterator(chunk_size=2_000)


def told_of(verb: str, subject_kind: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each thing that events of ``verb`` tell of with what they say (``after``), streamed a few at a time."""
    rows = Event.objects.filter(subject_kind=subject_kind, verb=verb).values_list("subject_id", "after")
    return ((subject_id, after or {}) for subject_id, after in rows.iterator(chunk_size=20))


def backlog() -> Backlog:
    """What waits to be sealed and to be delivered, in two queries."""
    sealing = Unsealed.objects.aggregate(count=Count("pk"), since=Min("event__at"))
    failed = Q(attempts__gte=STUCK_ATTEMPTS_MIN)
    outbox = Message.objects.filter(done_at=None).aggregate(
        count=Count("pk"), stuck=Count("pk", filter=failed), since=Min("created_at")
    )
    return Backlog(sealing["count"], sealing["since"], outbox["count"], outbox["stuck"], outbox["since"])


def request_behind(subject_kind: str, subject_id: object) -> str:
    """The id of the request that first touched a thing; empty when none did."""
    rows = Event.objects.filter(subject_kind=subject_kind, subject_id=str(subject_id)).exclude(request_id="")
    return rows.order_by("at").values_list("request_id", flat=True).first() or ""


def requests_behind(subject_kind: str, subject_ids: Iterable[object]) -> Mapping[str, str]:
    """The same for many things, in one query; a thing that no request touched is left out."""
    ids = [str(subject_id) for subject_id in subject_ids]
    rows = Event.objects.filter(subject_kind=subject_kind, subject_id__in=ids).exclude(request_id="")
    return dict(rows.order_by("-at").values_list("subject_id", "request_id"))


def newest_event_at() -> datetime | None:
    """The time that the newest event bears, by ids, which follow the clock; None before the first."""
    return Event.objects.order_by("-pk").values_list("at", flat=True).first()
