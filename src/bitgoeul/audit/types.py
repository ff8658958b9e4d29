"""What the audit room tells other rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from bitgoeul.kernel.text import Text


@dataclass(frozen=True)
class Finding:
    """One thing a verification found wrong: which check, on what, in words."""

    check: str
    subject: str
    text: Text


@dataclass(frozen=True)
class Report:
    """What a verification saw: findings (none when all is well) and counts of what was looked at."""

    findings: Sequence[Finding] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True when nothing was found."""
        return not self.findings

    def __add__(self, other: Report) -> Report:
        return Report([*self.findings, *other.findings], {**self.counts, **other.counts})


@dataclass(frozen=True)
class Backlog:
    """What the audit room has still to do; times are None when nothing waits.

    ``unsealed`` events have no chain position yet; ``waiting`` messages are not delivered; ``stuck`` of
    them failed several times. ``waiting_since`` is when the oldest of them was written.
    """

    unsealed: int
    unsealed_since: datetime | None
    waiting: int
    stuck: int
    waiting_since: datetime | None


@dataclass(frozen=True)
class EventDraft:
    """One event to record: who did what to which thing, what was before and is after.

    ``request_id`` names the request behind it; None is the one being answered.
    """

    verb: str
    subject_kind: str
    subject_id: str
    actor: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class News:
    """One message to emit; ``(topic, key)`` makes it unique. ``request_id`` as of an event."""

    topic: str
    key: str
    payload: Mapping[str, object]
    request_id: str | None = None


@dataclass(frozen=True)
class MoveView:
    """One move of a state machine."""

    version: int
    action: str
    from_state: str
    to_state: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class EventView:
    """One event of a thing's history."""

    id: str
    at: datetime
    actor: str
    verb: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


@dataclass(frozen=True)
class TrailLine:
    """One event as an audit trail shows it.

    ``sequence`` is its position in the chain, None until the sealer has taken it; ``personal`` tells that values
    stand apart, erasable; ``request_id`` is the request that caused it, empty outside one.
    """

    PLAIN: ClassVar[tuple[str, ...]] = (
        "at",
        "actor",
        "verb",
        "subject_kind",
        "subject_id",
        "before",
        "after",
        "request_id",
        "sequence",
        "personal",
    )

    id: str
    at: datetime
    actor: str
    verb: str
    subject_kind: str
    subject_id: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    request_id: str
    sequence: int | None
    personal: bool

    @property
    def reason(self) -> str:
        """Why, as whoever acted said it; empty when nobody did."""
        return str((self.after or {}).get("reason") or "")
