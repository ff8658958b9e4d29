"""Everybody who may stand before an address, with a client and the actor that the portal should take them for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bitgoeul.kernel.ids import new_id
from people import elevate, sign_in_by

TOKENS = ("token_read", "token_narrow")
PEOPLE = (
    "anonymous", "chan", "dami", "coworker", "viewer", "bora", "manager", "ara", "staff", "weak", "elevated",
    "engineer", "auditor", *TOKENS,
)  # fmt: skip
# Whom Ara's project must not exist for; Dami is named as a reader once.
OUTSIDERS = ("anonymous", "chan", "dami")


@dataclass(frozen=True)
class Part:
    """Somebody: how they ask and what ``may`` is asked about them."""

    client: Any
    headers: dict[str, str]
    actor: Any


def furnish(world: Any) -> None:
    """Three more people beside Ara and Bora, and a log that a job of theirs has left."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.compute.models import JobArtefact
    from portal_world import person

    system = accounts.Actor.system("test")
    for name, role in (("viewer", accounts.ProjectRole.VIEWER), ("manager", accounts.ProjectRole.MANAGER)):
        world.people[name] = person(name)
        accounts.add_member(actor=system, project_id=world.project.id, user_id=world.people[name], role=role)
    world.people["coworker"] = person("coworker")
    accounts.add_organisation_member(
        actor=system,
        organisation_id=world.company.id,
        user_id=world.people["coworker"],
        role=accounts.OrganisationRole.MEMBER,
    )
    done = world.trials["private"]
    JobArtefact.objects.create(job_id=done.job_id, role="log", name="stdout", blob_id=done.record_digest)


def cast(world: Any) -> dict[str, Part]:
    """Everybody by name."""
    return {name: _part(world, name) for name in PEOPLE}


def _part(world: Any, name: str) -> Part:
    from django.test import Client

    from bitgoeul.accounts import facade as accounts
    from bitgoeul.accounts.types import Assurance

    client = Client(raise_request_exception=False)
    if name == "anonymous":
        return Part(client, {}, accounts.Actor.anonymous())
    if name in TOKENS:
        return _by_token(world, client, ("*:read",) if name == "token_read" else ("compute:read",))
    user_id = world.people["staff" if name in ("weak", "elevated") else name]
    sign_in_by(client, user_id, strong=name != "weak")
    assurance = Assurance.SINGLE if name == "weak" else Assurance.SECOND_FACTOR
    actor = accounts.actor_for(user_id=user_id, assurance=assurance)
    return Part(client, {}, elevate(client, actor) if name == "elevated" else actor)


def _by_token(world: Any, client: Any, scopes: tuple[str, ...]) -> Part:
    from bitgoeul.accounts import facade as accounts

    ara = accounts.actor_for(user_id=world.people["ara"])
    made = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1, scopes=scopes)
    actor = replace(ara, scopes=frozenset(scopes))
    return Part(client, {"Authorization": f"Bearer {made.secret}"}, actor)
