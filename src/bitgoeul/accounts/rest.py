"""Accounts over REST: who am I, my organisations and their people, my projects and their people, tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import Paged, PageNumber, paged, refusals

from . import members_rest, operators_rest, queries, services, tokens
from .sessions import actor_of
from .types import OrganisationKind, OrganisationRole, OrganisationView

router = Router(tags=["accounts"])
router.add_router("", members_rest.router)
router.add_router("", operators_rest.router)


class OrganisationRoleOut(Schema):
    """My part in an organisation."""

    organisation_id: UUID
    role: OrganisationRole


class Me(Schema):
    """The person a request acts for."""

    id: str
    name: str
    email: str
    language: str
    operator_roles: list[str]
    resting_roles: list[str] = Field(
        description="Operator roles that rest because nothing but one factor proves the person."
    )
    scopes: list[str] | None = Field(
        description="What the token of this request may do at most; null in a session."
    )
    organisations: list[OrganisationRoleOut]
    read_only: bool


class AccountIn(Schema):
    """My name as others read it, and the language the portal's pages and mail use for me."""

    name: Annotated[str, Field(max_length=400)]
    language: Literal["ko", "en"]


class OrganisationIn(Schema):
    """An organisation to register; ``id`` is made by the caller, who becomes its owner."""

    id: UUID
    name: Annotated[str, Field(max_length=400)]
    kind: OrganisationKind
    registration_number: Annotated[
        str, Field("", max_length=40, description="Business registration number, ten digits; may be left out.")
    ]


class OrganisationOut(Schema):
    """An organisation."""

    id: UUID
    name: str
    kind: OrganisationKind
    registration_number: str
    is_example: bool


class OrganisationList(Paged):
    """One page of organisations."""

    items: list[OrganisationOut]


class ProjectOut(Schema):
    """A project."""

    id: UUID
    number: str
    title: str
    organisation_id: UUID
    organisation_name: str
    created_at: datetime


class ProjectList(Paged):
    """One page of projects."""

    items: list[ProjectOut]


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


def _me(request: HttpRequest) -> Me:
    actor = actor_of(request)
    account = queries.account(actor)
    mine = [OrganisationRoleOut(organisation_id=pk, role=role) for pk, role in actor.organisation_roles.items()]
    return Me(
        id=actor.id,
        name=actor.name,
        email=account.email,
        language=account.locale,
        operator_roles=sorted(actor.operator_roles),
        organisations=mine,
        read_only=actor.read_only,
        resting_roles=sorted(actor.withheld_roles),
        scopes=None if actor.scopes is None else sorted(actor.scopes),
    )


def _organisation(view: OrganisationView) -> OrganisationOut:
    return OrganisationOut.model_validate(view, from_attributes=True)


@router.get("/me", response=Me, summary="Who am I")
def get_me(request: HttpRequest) -> Me:
    """The person this request acts for, with their roles of today. Anybody signed in may."""
    return _me(request)


@router.post("/me", response={200: Me, **refusals(409)}, summary="Change my account")
def change_account(request: HttpRequest, body: AccountIn) -> Me:
    """Change my own name and language; the same again changes nothing. Anybody signed in may."""
    services.change_account(actor=actor_of(request), display_name=body.name, locale=body.language)
    return _me(request).model_copy(update={"name": queries.account(actor_of(request)).display_name})


@router.get("/organisations", response=OrganisationList, summary="My organisations")
def list_organisations(request: HttpRequest, page: PageNumber = 1) -> OrganisationList:
    """The organisations I belong to, by name."""
    return paged(OrganisationList, queries.my_organisations_page(actor_of(request), page), _organisation)


@router.post(
    "/organisations", response={201: OrganisationOut, **refusals(409)}, summary="Register an organisation"
)
def create_organisation(request: HttpRequest, body: OrganisationIn) -> Status[OrganisationOut]:
    """Anybody signed in may, and becomes its owner. The same ``id`` again gives what is there.

    409 when the number is registered already, or the ``id`` is somebody else's.
    """
    made = services.create_organisation(
        actor=actor_of(request),
        id=body.id,
        name=body.name,
        kind=body.kind,
        registration_number=body.registration_number,
    )
    return Status(201, _organisation(made))


@router.get(
    "/organisations/{uuid:organisation_id}",
    response={200: OrganisationOut, **refusals(404)},
    summary="One organisation",
)
def get_organisation(request: HttpRequest, organisation_id: UUID) -> OrganisationOut:
    """Its people and the operator may see it; to anybody else it does not exist."""
    return _organisation(queries.organisation(actor=actor_of(request), organisation_id=organisation_id))


@router.get("/projects", response=ProjectList, summary="My projects")
def list_projects(request: HttpRequest, page: PageNumber = 1) -> ProjectList:
    """The projects I am in, newest first."""
    found = queries.my_projects(actor_of(request), page)
    return paged(ProjectList, found, lambda view: ProjectOut.model_validate(view, from_attributes=True))


@router.get("/projects/{uuid:project_id}", response={200: ProjectOut, **refusals(404)}, summary="One project")
def get_project(request: HttpRequest, project_id: UUID) -> ProjectOut:
    """Its people and the operator may see it; to anybody else it does not exist."""
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


@router.get("/tokens", response=TokenList, summary="My tokens")
def list_tokens(request: HttpRequest) -> TokenList:
    """My living tokens, newest first."""
    found = tokens.my_tokens(actor_of(request))
    return TokenList(items=[LivingToken.model_validate(view, from_attributes=True) for view in found])


@router.post("/tokens/{uuid:token_id}/end", response={204: None}, summary="End a token")
def end_token(request: HttpRequest, token_id: UUID) -> Status[None]:
    """End one of my tokens; it is dead at once. Again, or for a token that is not mine, changes nothing."""
    tokens.revoke_token(actor=actor_of(request), id=token_id)
    return Status(204, None)


@router.post("/tokens", response={201: TokenOut, **refusals(409)}, summary="Make a token")
def create_token(request: HttpRequest, body: TokenIn) -> Status[TokenOut]:
    """Make a token; its secret is shown this once. Not repeatable: each call makes another one."""
    made = tokens.issue_token(
        actor=actor_of(request),
        id=new_id(),
        name=body.name,
        days=body.days,
        read_only=body.read_only,
        scopes=body.scopes,
    )
    return Status(201, TokenOut(id=made.id, secret=made.secret, expires_at=made.expires_at))
