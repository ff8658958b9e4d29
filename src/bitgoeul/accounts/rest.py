"""Accounts over REST: who am I, my projects, tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.kernel.ids import new_id

from . import queries, tokens
from .sessions import actor_of

router = Router(tags=["accounts"])


class Me(Schema):
    """The person a request acts for."""

    id: str
    name: str
    operator_roles: list[str]
    resting_roles: list[str] = Field(
        description="Operator roles that rest because nothing but one factor proves the person."
    )
    scopes: list[str] | None = Field(
        description="What the token of this request may do at most; null in a session."
    )


class ProjectOut(Schema):
    """A project."""

    id: UUID
    number: str
    title: str
    organisation_id: UUID
    organisation_name: str
    created_at: datetime


class ProjectList(Schema):
    """One page of projects."""

    items: list[ProjectOut]
    page: int
    last: int
    total: int


class TokenIn(Schema):
    """What a new token shall be."""

    name: str = Field("token", max_length=80)
    days: int = Field(30, ge=1, le=tokens.DAYS_MAX)
    read_only: bool = False
    scopes: list[str] = Field(
        [],
        max_length=50,
        description="What it may do at most: <room>:read, <room>:write, * for every room; empty: everything.",
    )


class TokenOut(Schema):
    """A new token; the secret is shown this once."""

    id: UUID
    secret: str
    expires_at: datetime


@router.get("/me", response=Me)
def me(request: HttpRequest) -> Me:
    """The person this request acts for."""
    actor = actor_of(request)
    return Me(
        id=actor.id,
        name=actor.name,
        operator_roles=sorted(actor.operator_roles),
        resting_roles=sorted(actor.withheld_roles),
        scopes=None if actor.scopes is None else sorted(actor.scopes),
    )


@router.get("/projects", response=ProjectList)
def projects(request: HttpRequest, page: int = 1) -> ProjectList:
    """One page of my projects, newest first."""
    found = queries.my_projects(actor_of(request), page)
    items = [ProjectOut.model_validate(view, from_attributes=True) for view in found.items]
    return ProjectList(items=items, page=found.number, last=found.last, total=found.total)


@router.get("/projects/{uuid:project_id}", response=ProjectOut)
def project(request: HttpRequest, project_id: UUID) -> ProjectOut:
    """One project."""
    view = queries.project(actor=actor_of(request), project_id=project_id)
    return ProjectOut.model_validate(view, from_attributes=True)


class LivingToken(Schema):
    """A living token; its secret is not kept."""

    id: UUID
    name: str
    read_only: bool
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class TokenList(Schema):
    """All my living tokens; there are never more than a page of them."""

    items: list[LivingToken]


@router.get("/tokens", response=TokenList)
def my_tokens(request: HttpRequest) -> TokenList:
    """My living tokens, newest first."""
    found = tokens.my_tokens(actor_of(request))
    return TokenList(items=[LivingToken.model_validate(view, from_attributes=True) for view in found])


@router.post("/tokens/{uuid:token_id}/end", response={204: None})
def end_token(request: HttpRequest, token_id: UUID) -> Status[None]:
    """End one of my tokens; it is dead at once. Again changes nothing."""
    tokens.revoke_token(actor=actor_of(request), id=token_id)
    return Status(204, None)


@router.post("/tokens", response={201: TokenOut})
def issue_token(request: HttpRequest, body: TokenIn) -> Status[TokenOut]:
    """Make a token; its secret is shown this once."""
    made = tokens.issue_token(
        actor=actor_of(request),
        id=new_id(),
        name=body.name,
        days=body.days,
        read_only=body.read_only,
        scopes=body.scopes,
    )
    return Status(201, TokenOut(id=made.id, secret=made.secret, expires_at=made.expires_at))
