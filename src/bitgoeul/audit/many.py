"""Many things moved by one action: what ``advance`` does for each, in few statements whatever their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import WrongState
from bitgoeul.kernel.ids import new_id

from .bulk import insert_rows, stored_time
from .models import Move, StatefulModel
from .services import emit_many, record_many
from .types import EventDraft, News

Row = TypeVar("Row", bound=StatefulModel)
BATCH = 500
MOVE = (
    *("id", "subject_kind", "subject_id", "version", "action"),
    *("from_state", "to_state", "actor", "reason", "at"),
)


@transaction.atomic
def advance_many(
    rows: Sequence[Row],
    action: str,
    *,
    actor: str,
    reason: str = "",
    changes: Mapping[str, Any] | None = None,
    payloads: Mapping[Any, Mapping[str, Any]] | None = None,
    requests: Mapping[str, str] | None = None,
) -> list[Row]:
    """Move those of ``rows`` (of one table) whose state, as the database has it, allows ``action``.

    Returns the rows that moved, in their order, with their new state; the others are left as they are, for
    somebody else was faster. ``changes`` are written to each, ``payloads`` (by key of the row) are added to the
    messages, and ``requests`` names the request behind each thing by the text of its key; where it does not, the
    request being answered counts. Move row, event and message are written for each, all or nothing.
    """
    moved: list[Row] = []
    came_from: dict[Any, str] = {}
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        found = _won(chunk, action, dict(changes or {}))
        came_from |= {pk: state for pk, (state, _version) in found.items()}
        moved += [_as_moved(row, action, found[row.pk][1], changes or {}) for row in chunk if row.pk in found]
    if moved:
        _write(moved, came_from, action, actor, reason, payloads or {}, requests)
    return moved


def _won(rows: Sequence[StatefulModel], action: str, changes: dict[str, Any]) -> dict[Any, tuple[str, int]]:
    """The state and version that each row left, of those that were won.

    The rows are locked before they are read, in the order of their keys so that two callers never wait for each
    other; SQLite's transactions that write are one at a time anyway.
    """
    manager = type(rows[0])._base_manager
    move = rows[0].machine.move(action)
    mine = manager.filter(pk__in=[row.pk for row in rows], state__in=[str(one) for one in move.sources])
    held = mine.select_for_update(no_key=True).order_by("pk").values_list("pk", "state", "version")
    found = {pk: (state, version) for pk, state, version in held}
    for source in sorted({state for state, _version in found.values()}):
        ids = [pk for pk, (state, _version) in found.items() if state == source]
        done = manager.filter(pk__in=ids, state=source).update(
            state=str(move.target), version=F("version") + 1, **changes
        )
        if done != len(ids):  # the lock did not hold: then nothing of this may stand
            raise WrongState()
    return found


def _as_moved(row: Row, action: str, version: int, changes: Mapping[str, Any]) -> Row:
    row.state, row.version = str(row.machine.move(action).target), version + 1
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def _write(
    rows: Sequence[StatefulModel],
    came_from: Mapping[Any, str],
    action: str,
    actor: str,
    reason: str,
    payloads: Mapping[Any, Mapping[str, Any]],
    requests: Mapping[str, str] | None,
) -> None:
    kind, at = rows[0].machine.name, stored_time(now())
    behind = requests or {}
    insert_rows(
        Move,
        MOVE,
        [
            (new_id().hex, kind, str(row.pk), row.version, action, came_from[row.pk], row.state, actor, reason, at)
            for row in rows
        ],
    )
    record_many(
        [
            EventDraft(
                verb=f"{kind}.{action}",
                subject_kind=kind,
                subject_id=str(row.pk),
                actor=actor,
                before={"state": came_from[row.pk]},
                after={"state": row.state, "version": row.version, "reason": reason},
                request_id=behind.get(str(row.pk)),
            )
            for row in rows
        ]
    )
    emit_many(
        [
            News(
                topic=f"{kind}.{action}",
                key=f"{row.pk}:{row.version}",
                payload={
                    **payloads.get(row.pk, {}),
                    "id": str(row.pk),
                    "from": came_from[row.pk],
                    "to": row.state,
                    "version": row.version,
                },
                request_id=behind.get(str(row.pk)),
            )
            for row in rows
        ]
    )
