"""Who works for the operator, over REST: list them, give a role, take it away."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.web.facade import Paged, PageNumber, paged, refusals

from . import operators, queries
from .authority import require
from .services import PORTAL
from .sessions import actor_of
from .types import OperatorRole, OperatorView

router = Router(tags=["operators"])


class OperatorRoleOut(Schema):
    """A role at the operator."""

    role: OperatorRole
    given_by: str = Field(description="The identity provider whose claim gives it; empty: given by hand.")


class OperatorOut(Schema):
    """Somebody who works for the operator; their roles rest while they have no second factor."""

    user_id: UUID
    name: str
    email: str
    roles: list[OperatorRoleOut]
    has_second_factor: bool


class OperatorList(Paged):
    """One page of the people with roles at the operator, by e-mail."""

    items: list[OperatorOut]


class OperatorIn(Schema):
    """Whom to give which role."""

    email: Annotated[
        str, Field(min_length=3, max_length=254, description="The e-mail somebody has signed up with.")
    ]
    role: OperatorRole


def _operator(view: OperatorView) -> OperatorOut:
    roles = [OperatorRoleOut(role=role, given_by=view.given_by.get(role, "")) for role in view.roles]
    return OperatorOut(
        user_id=view.user_id,
        name=view.name,
        email=view.email,
        roles=roles,
        has_second_factor=view.has_second_factor,
    )


@router.get("/operators", response=OperatorList, summary="People of the operator")
def list_operators(request: HttpRequest, page: PageNumber = 1) -> OperatorList:
    """Staff and auditors may, and leave an access record."""
    actor = actor_of(request)
    found = operators.listed(actor=actor, page=page)
    operators.record_look(actor, found.items)
    return paged(OperatorList, found, _operator)


@router.post("/operators", response={200: OperatorOut, **refusals(404)}, summary="Give a role at the operator")
def grant_operator_role(request: HttpRequest, body: OperatorIn) -> OperatorOut:
    """Staff within an elevation may; the same again changes nothing. A new role signs the person out.

    404 also when nobody has signed up with the e-mail; 400 for a closed account.
    """
    actor = actor_of(request)
    # Before any name is looked up: who may not give roles does not learn who has an account.
    require(actor=actor, verb="accounts.grant_operator", thing=PORTAL)
    user_id = queries.person_to_add(body.email)
    operators.grant_role(actor=actor, user_id=user_id, role=body.role)
    return _operator(operators.view(actor=actor, user_id=user_id))


@router.post(
    "/operators/{uuid:user_id}/{role}/revoke",
    response={204: None, **refusals(400)},
    summary="Take a role at the operator away",
)
def revoke_operator_role(request: HttpRequest, user_id: UUID, role: OperatorRole) -> Status[None]:
    """Staff within an elevation may; the last member of staff stays (400). Again changes nothing."""
    operators.revoke_role(actor=actor_of(request), user_id=user_id, role=role)
    return Status(204, None)
