"""What joins rooms, over REST: the audit trail of a thing."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.accounts import facade as accounts

from .trail import Line, trail_of
from .trail_things import traced

router = Router(tags=["portal"])


class ChangeOut(Schema):
    """One value of an event, readable: before and after, empty for neither."""

    field: str
    before: str
    after: str


class TrailLineOut(Schema):
    """One event; ``sequence`` is its place in the chain, null until sealed; ``who`` a name where you see it."""

    id: str
    at: datetime
    who: str
    verb: str
    what: str
    reason: str
    changes: list[ChangeOut]
    sequence: int | None
    request_id: str


class TrailOut(Schema):
    """One page of a thing's audit trail, oldest first."""

    items: list[TrailLineOut]
    page: int
    last: int
    total: int


@router.get("/trail/{kind}/{id}", response=TrailOut)
def trail(request: HttpRequest, kind: str, id: str, page: int = 1) -> TrailOut:
    """What happened to a thing, whose ``kind`` is project, organisation, application, agreement, allocation, job,
    subject, trial or evidence; evidence has its digest as id."""
    actor = accounts.actor_of(request)
    shown = trail_of(actor=actor, found=traced(actor=actor, kind=kind, id=id), page=page)
    return TrailOut(items=list(map(_line, shown.items)), page=shown.number, last=shown.last, total=shown.total)


def _line(line: Line) -> TrailLineOut:
    return TrailLineOut.model_validate(line, from_attributes=True)
