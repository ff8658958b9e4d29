"""What joins rooms, over REST: the audit trail of a thing, and what waits for the operator."""

from __future__ import annotations

from datetime import date, datetime

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.accounts import facade as accounts
from bitgoeul.web.facade import Paged, PageNumber, paged, refusals

from .decisions import rows_for
from .trail import Line, trail_of
from .trail_things import traced

router = Router(tags=["portal"])


class TrailChangeOut(Schema):
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
    changes: list[TrailChangeOut]
    sequence: int | None
    request_id: str


class TrailOut(Paged):
    """One page of a thing's audit trail, oldest first."""

    items: list[TrailLineOut]


@router.get("/trail/{kind}/{id}", response={200: TrailOut, **refusals(404)}, summary="A thing's audit trail")
def get_trail(request: HttpRequest, kind: str, id: str, page: PageNumber = 1) -> TrailOut:
    """What happened to a thing, whose ``kind`` is project, organisation, application, agreement, allocation, job,
    subject, trial or evidence; evidence has its digest as id. Who may see the thing may."""
    actor = accounts.actor_of(request)
    shown = trail_of(actor=actor, found=traced(actor=actor, kind=kind, id=id), page=page)
    return paged(TrailOut, shown, _line)


def _line(line: Line) -> TrailLineOut:
    return TrailLineOut.model_validate(line, from_attributes=True)


class WaitingOut(Schema):
    """One thing that waits for the operator; ``actions`` are what can be done now, each by its own operation."""

    kind: str
    title: str
    due: date
    url: str
    actions: list[str]


class InboxOut(Schema):
    """One page of the inbox, the oldest deadline first."""

    items: list[WaitingOut]
    page: int
    last: int


@router.get("/decisions", response={200: InboxOut, **refusals(403)}, summary="What waits for the operator")
def list_decisions(request: HttpRequest, page: PageNumber = 1) -> InboxOut:
    """What waits for a decision, the oldest deadline first. Staff and auditors may."""
    rows, last = rows_for(accounts.actor_of(request), page)
    items = [
        WaitingOut(
            kind=str(row.kind),
            title=row.title,
            due=row.due,
            url=row.url,
            actions=[one.action for one in row.choices if one.closed is None],
        )
        for row in rows
    ]
    return InboxOut(items=items, page=page, last=last)
