"""Every write of the audit room: events, moves, messages, access records, erasure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import NotFound, WrongState
from bitgoeul.kernel.text import Text

from . import request
from .bulk import insert_rows, stored_json, stored_time
from .models import AccessRecord, Event, Message, Move, PersonalValue, StatefulModel, Unsealed
from .types import EventDraft, News

Row = TypeVar("Row", bound=StatefulModel)
EXACT_INTEGER = 2**53 - 1
ATTEMPTS_AT_A_MOVE = 5
BATCH = 500
EVENT = (
    *("id", "at", "actor", "verb", "subject_kind", "subject_id"),
    *("before", "after", "personal_digest", "request_id"),
)


def plain(value: Any) -> Any:
    """``value`` as JSON that RFC 8785 can write: ids, times and large integers become strings."""
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, Enum) else value
    if isinstance(value, int):
        return int(value) if abs(value) <= EXACT_INTEGER else str(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Text):
        return plain(value.to_json())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    raise TypeError(f"an event cannot hold a {type(value).__name__}")


@transaction.atomic(savepoint=False)
def record(
    *,
    verb: str,
    subject_kind: str,
    subject_id: str,
    actor: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> Event:
    """Insert one event in the caller's transaction; the sealer gives it a chain position later.

    ``personal`` goes to the erasable table; the event keeps the SHA-256 of salt and values.
    """
    salt = secrets.token_hex(32) if personal else ""
    values = plain(personal) if personal else None
    event = Event(
        actor=actor,
        verb=verb,
        subject_kind=subject_kind,
        subject_id=str(subject_id),
        before=plain(before),
        after=plain(after),
        personal_digest=digest({"salt": salt, "value": values}) if personal else "",
        request_id=request.request_id(),
    )
    _insert([event])
    if personal:
        PersonalValue.objects.create(event=event, salt=salt, value=values)
    return event


@transaction.atomic(savepoint=False)
def record_many(drafts: Sequence[EventDraft]) -> None:
    """Insert many events without personal values in the caller's transaction, in two statements."""
    asked_by = request.request_id()
    _insert(
        [
            Event(
                actor=draft.actor,
                verb=draft.verb,
                subject_kind=draft.subject_kind,
                subject_id=str(draft.subject_id),
                before=plain(draft.before),
                after=plain(draft.after),
                request_id=asked_by if draft.request_id is None else draft.request_id,
            )
            for draft in drafts
        ]
    )


def _insert(events: Sequence[Event]) -> None:
    rows = [
        (
            event.pk.hex,
            stored_time(event.at),
            event.actor,
            event.verb,
            event.subject_kind,
            event.subject_id,
            stored_json(event.before),
            stored_json(event.after),
            event.personal_digest,
            event.request_id,
        )
        for event in events
    ]
    insert_rows(Event, EVENT, rows)
    insert_rows(Unsealed, ("event",), [row[:1] for row in rows])


def emit(*, topic: str, key: str, payload: Mapping[str, Any]) -> None:
    """Write news in the caller's transaction; the same ``(topic, key)`` again changes nothing."""
    emit_many([News(topic, key, payload)])


def emit_many(news: Sequence[News]) -> None:
    """Write much news in the caller's transaction; a ``(topic, key)`` that is there changes nothing."""
    # ignore_conflicts, for a unique violation would break the caller's transaction on PostgreSQL.
    asked_by = request.request_id()
    Message.objects.bulk_create(
        [
            Message(
                topic=one.topic,
                key=one.key,
                payload=plain(one.payload),
                request_id=asked_by if one.request_id is None else one.request_id,
            )
            for one in news
        ],
        ignore_conflicts=True,
        batch_size=BATCH,
    )


@transaction.atomic
def advance(
    row: Row,
    action: str,
    *,
    actor: str,
    reason: str = "",
    changes: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
) -> Row:
    """Move ``row`` by ``action``: conditional UPDATE, move row, event and message, all or nothing.

    ``changes`` are further columns written by the same UPDATE; ``payload`` is added to the message
    ``<machine>.<action>``. Raises WrongState when the row's state, as the database has it, does not allow the
    action, and NotFound when the row is gone. ``row`` is refreshed and returned.
    """
    machine = row.machine
    before = _update(row, action, dict(changes or {}))
    row.refresh_from_db()
    facts = {"from": before, "to": row.state, "version": row.version}
    Move.objects.create(
        subject_kind=machine.name,
        subject_id=str(row.pk),
        version=row.version,
        action=action,
        from_state=before,
        to_state=row.state,
        actor=actor,
        reason=reason,
    )
    record(
        verb=f"{machine.name}.{action}",
        subject_kind=machine.name,
        subject_id=str(row.pk),
        actor=actor,
        before={"state": before},
        after={"state": row.state, "version": row.version, "reason": reason},
    )
    emit(
        topic=f"{machine.name}.{action}",
        key=f"{row.pk}:{row.version}",
        payload={**(payload or {}), "id": str(row.pk), **facts},
    )
    return row


def _update(row: StatefulModel, action: str, changes: dict[str, Any]) -> str:
    """Win the race for the move and return the state it left.

    The UPDATE names state and version, so of two callers only one changes the row; the other reads again.
    """
    manager = type(row)._base_manager
    for _attempt in range(ATTEMPTS_AT_A_MOVE):
        seen = manager.filter(pk=row.pk).values_list("state", "version").first()
        if seen is None:
            raise NotFound()
        state, version = seen
        target = row.machine.target(row.machine.states(state), action)
        won = manager.filter(pk=row.pk, state=state, version=version).update(
            state=str(target), version=F("version") + 1, **changes
        )
        if won:
            return str(state)
    raise WrongState()


def record_access(*, actor: str, people: Iterable[str], what: str, reason: str = "") -> None:
    """Keep who saw the personal data of ``people`` (opaque ids), with the request's id and origin."""
    AccessRecord.objects.bulk_create(
        AccessRecord(
            actor=actor,
            person=person,
            what=what,
            reason=reason,
            origin=request.origin(),
            request_id=request.request_id(),
        )
        for person in people
    )


@transaction.atomic
def erase_personal(*, subject_kind: str, subject_id: str, actor: str) -> int:
    """Erase the personal values of a thing's events; the chain stays verifiable. Returns how many were erased."""
    erased = PersonalValue.objects.filter(
        event__subject_kind=subject_kind, event__subject_id=subject_id, erased_at=None
    ).update(salt="", value=None, erased_at=now())
    if erased:
        record(
            verb="audit.erase",
            subject_kind=subject_kind,
            subject_id=subject_id,
            actor=actor,
            after={"erased": erased},
        )
    return erased
