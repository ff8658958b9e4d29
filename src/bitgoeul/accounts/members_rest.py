"""The people of organisations and projects over REST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.web.facade import Paged, PageNumber, page_of_items, paged, refusals

from . import queries, services
from .authority import require
from .sessions import actor_of
from .types import MemberView, OrganisationMemberView, OrganisationRole, ProjectRole

router = Router(tags=["people"])
Email = Annotated[str, Field(min_length=3, max_length=254, description="The e-mail somebody has signed up with.")]


class MemberOut(Schema):
    """A person's part in a project."""

    user_id: UUID
    name: str
    email: str
    role: ProjectRole


class MemberList(Paged):
    """One page of a project's people, longest in it first."""

    items: list[MemberOut]


class MemberIn(Schema):
    """Whom to add to a project, and as what; somebody in it gets the role."""

    email: Email
    role: ProjectRole = Field(description="OWNER only changes by handing the project over.")


class OrganisationMemberOut(Schema):
    """A person's part in an organisation."""

    user_id: UUID
    name: str
    email: str
    role: OrganisationRole


class OrganisationMemberList(Paged):
    """One page of an organisation's people, longest in it first."""

    items: list[OrganisationMemberOut]


class OrganisationMemberIn(Schema):
    """Whom to add to an organisation, and as what; somebody in it keeps their role."""

    email: Email
    role: OrganisationRole


def _member(view: MemberView) -> MemberOut:
    return MemberOut.model_validate(view, from_attributes=True)


def _members(request: HttpRequest, project_id: UUID, page: int = 1) -> MemberList:
    found = queries.members(actor=actor_of(request), project_id=project_id)
    return paged(MemberList, page_of_items(found, page), _member)


def _organisation_members(request: HttpRequest, organisation_id: UUID, page: int = 1) -> OrganisationMemberList:
    found: Sequence[OrganisationMemberView] = queries.organisation_members(
        actor=actor_of(request), organisation_id=organisation_id
    )
    make = OrganisationMemberOut.model_validate
    return paged(OrganisationMemberList, page_of_items(found, page), lambda view: make(view, from_attributes=True))


@router.get(
    "/projects/{uuid:project_id}/members",
    response={200: MemberList, **refusals(403, 404)},
    summary="A project's people",
)
def list_members(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> MemberList:
    """The project's people may, staff and auditors too: they leave an access record."""
    return _members(request, project_id, page)


@router.post(
    "/projects/{uuid:project_id}/members",
    response={200: MemberList, **refusals(404, 409)},
    summary="Add somebody to a project",
)
def add_member(request: HttpRequest, project_id: UUID, body: MemberIn) -> MemberList:
    """Add a person, or change their role; the owner and managers may. The same again changes nothing.

    404 also when nobody has signed up with the e-mail; 409 when the team is full.
    """
    actor = actor_of(request)
    project = queries.project(actor=actor, project_id=project_id)
    # Before any name is looked up: who may not add people does not learn who has an account.
    require(actor=actor, verb="accounts.change_members", thing=project.thing)
    user_id = queries.person_to_add(body.email)
    services.add_member(actor=actor, project_id=project_id, user_id=user_id, role=body.role)
    return _members(request, project_id)


@router.post(
    "/projects/{uuid:project_id}/members/{uuid:user_id}/remove",
    response={204: None, **refusals(400, 404)},
    summary="Remove somebody from a project",
)
def remove_member(request: HttpRequest, project_id: UUID, user_id: UUID) -> Status[None]:
    """The owner and managers may; the owner stays (400). Again changes nothing."""
    services.remove_member(actor=actor_of(request), project_id=project_id, user_id=user_id)
    return Status(204, None)


@router.post(
    "/projects/{uuid:project_id}/members/{uuid:user_id}/owner",
    response={200: MemberList, **refusals(400, 404)},
    summary="Hand a project over",
)
def hand_over_project(request: HttpRequest, project_id: UUID, user_id: UUID) -> MemberList:
    """Make a person of the project its owner; the owner may, and becomes a manager. Again changes nothing."""
    services.hand_over_project(actor=actor_of(request), project_id=project_id, user_id=user_id)
    return _members(request, project_id)


@router.get(
    "/organisations/{uuid:organisation_id}/members",
    response={200: OrganisationMemberList, **refusals(403, 404)},
    summary="An organisation's people",
)
def list_organisation_members(
    request: HttpRequest, organisation_id: UUID, page: PageNumber = 1
) -> OrganisationMemberList:
    """Its people may, staff and auditors too: they leave an access record."""
    return _organisation_members(request, organisation_id, page)


@router.post(
    "/organisations/{uuid:organisation_id}/members",
    response={200: OrganisationMemberList, **refusals(404, 409)},
    summary="Add somebody to an organisation",
)
def add_organisation_member(
    request: HttpRequest, organisation_id: UUID, body: OrganisationMemberIn
) -> OrganisationMemberList:
    """Its owners may; somebody who is in it keeps their role. 404 also when nobody has signed up so."""
    actor = actor_of(request)
    view = queries.organisation(actor=actor, organisation_id=organisation_id)
    require(actor=actor, verb="accounts.change_organisation_members", thing=view.thing)
    user_id = queries.person_to_add(body.email)
    services.add_organisation_member(actor=actor, organisation_id=organisation_id, user_id=user_id, role=body.role)
    return _organisation_members(request, organisation_id)


@router.post(
    "/organisations/{uuid:organisation_id}/members/{uuid:user_id}/remove",
    response={204: None, **refusals(400, 404)},
    summary="Remove somebody from an organisation",
)
def remove_organisation_member(request: HttpRequest, organisation_id: UUID, user_id: UUID) -> Status[None]:
    """Its owners may; it keeps at least one owner (400). Again changes nothing."""
    services.remove_organisation_member(actor=actor_of(request), organisation_id=organisation_id, user_id=user_id)
    return Status(204, None)
