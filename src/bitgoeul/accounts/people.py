"""Who somebody is, as far as the reader may know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from bitgoeul.kernel.text import N_, Text

from .models import OperatorGrant, OrganisationMembership, ProjectMembership, User
from .types import Actor, OperatorRole, Thing

READERS = frozenset({OperatorRole.STAFF, OperatorRole.AUDITOR})
PLATFORM = Text(N_("The platform, by itself"))
NOBODY = Text(N_("Nobody signed in"))
TEAM = Text(N_("Somebody of the project or organisation"))
GONE = Text(N_("Somebody who is not on the team any more"))
OPERATOR_WORDS: Mapping[str, Text] = {
    OperatorRole.STAFF: Text(N_("Staff of the operator")),
    OperatorRole.ENGINEER: Text(N_("Engineer of the operator")),
    OperatorRole.AUDITOR: Text(N_("Auditor of the operator")),
}


@dataclass(frozen=True)
class SeenPerson:
    """Somebody as one reader sees them: by ``name``, or only by what they are (``role``)."""

    name: str
    role: Text

    @property
    def named(self) -> bool:
        """Whether the reader sees the name."""
        return bool(self.name)


def seen_people(*, reader: Actor, actor_ids: Iterable[str], thing: Thing) -> Mapping[str, SeenPerson]:
    """Who acted on ``thing``, by opaque id, for one reader, in four queries.

    Staff and auditors read every name. The people of the thing's project or organisation read each other's names;
    of the operator's people and of those who have left they read what they are. Oneself one always reads.
    """
    wanted = set(actor_ids)
    ids = {text.removeprefix("user:") for text in wanted if text.startswith("user:")}
    users = {row.actor_id: row for row in User.objects.filter(pk__in=ids)} if ids else {}
    team = _team(thing, [row.pk for row in users.values()])
    roles = dict(
        OperatorGrant.objects.filter(user__in=[row.pk for row in users.values()]).values_list("user", "role")
    )
    everybody = bool(READERS & reader.operator_roles) or reader.is_system
    mine = _on_team(reader, thing)
    found = {}
    for text in wanted:
        row = users.get(text)
        if row is None:
            found[text] = SeenPerson("", NOBODY if text == "anonymous" else PLATFORM)
            continue
        role = OPERATOR_WORDS.get(roles.get(row.pk, ""), TEAM if row.pk in team else GONE)
        see = everybody or text == reader.id or (mine and row.pk in team)
        found[text] = SeenPerson(str(row) if see else "", role)
    return found


def _team(thing: Thing, ids: Iterable[UUID]) -> set[UUID]:
    """Those of ``ids`` who belong to the thing's project or organisation now."""
    ids, found = list(ids), set()
    if thing.project_id and ids:
        rows = ProjectMembership.objects.filter(project_id=thing.project_id, user__in=ids)
        found |= set(rows.values_list("user_id", flat=True))
    if thing.organisation_id and ids:
        members = OrganisationMembership.objects.filter(organisation_id=thing.organisation_id, user__in=ids)
        found |= set(members.values_list("user_id", flat=True))
    return found


def _on_team(reader: Actor, thing: Thing) -> bool:
    return thing.project_id in reader.project_roles or thing.organisation_id in reader.organisation_roles
