"""What joins rooms, over REST: search, the audit trail of a thing, and what waits for the operator."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils.translation import get_language
from ninja import Field, Router, Schema

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.text import Label
from bitgoeul.web.facade import Paged, PageNumber, paged, refusals, sought

from .decisions import rows_for
from .search import PAGES_MAX, Group, few_of_each, page_of_kind
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


class FoundOut(Schema):
    """One thing found: ``id`` is the one in its address, ``note`` what tells it from others of the same name."""

    id: str
    title: str
    note: str
    url: str


class FoundGroupOut(Schema):
    """What was found of one kind; ``more`` when there is more of it that you may see."""

    kind: str
    items: list[FoundOut]
    more: bool


class SearchOut(Schema):
    """What was found, by kind; kinds without a thing are left out."""

    groups: list[FoundGroupOut]


def _anybody(_request: HttpRequest) -> str:
    return "anybody"


@router.get(
    "/search",
    response={200: SearchOut, **refusals(400)},
    auth=[*accounts.session_or_token, _anybody],
    summary="Search what you may see",
    openapi_extra={"security": [{}]},
)
def search(
    request: HttpRequest,
    q: str,
    kind: str = "",
    page: Annotated[int, Field(ge=1, le=PAGES_MAX, description="From 1; used with a kind.")] = 1,
) -> SearchOut:
    """By the beginning of a name, number, id or digest (at least 8 digits of those two); catalogue, calls and
    figures by any part of the name. ``q`` has 2 to 80 characters. Without ``kind`` at most 5 of each; with one of
    project, organisation, application, job, subject, trial, evidence, resource, call, figure a page of 20."""
    actor, wanted = accounts.actor_of(request), sought(q)
    if not kind:
        return SearchOut(groups=[_found(group) for group in few_of_each(actor=actor, wanted=wanted)])
    group = page_of_kind(actor=actor, wanted=wanted, kind=kind, page=page)
    return SearchOut(groups=[_found(group)] if group.lines else [])


def _found(group: Group) -> FoundGroupOut:
    items = [
        FoundOut(id=one.found.id, title=_said(one.found.title), note=_said(one.found.note), url=one.url)
        for one in group.lines
    ]
    return FoundGroupOut(kind=group.kind, items=items, more=group.more)


def _said(words: str | Label) -> str:
    return words.in_language(get_language()) if isinstance(words, Label) else words
