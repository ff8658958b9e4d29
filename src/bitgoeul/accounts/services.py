"""Every write of the accounts room."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import N_, Text

from .authority import may, require
from .models import (
    OperatorGrant,
    Organisation,
    OrganisationMembership,
    Project,
    ProjectCounter,
    ProjectMembership,
    User,
)
from .queries import MEMBERS_MAX, organisation_view, project, project_view
from .rules import clean_registration_number
from .types import (
    Actor,
    OperatorRole,
    OrganisationKind,
    OrganisationRole,
    OrganisationView,
    ProjectRole,
    ProjectView,
    Thing,
)

PORTAL = Thing("portal", "portal")
NAME_LENGTH_MAX = 120
TITLE_LENGTH_MAX = 160
DISPLAY_NAME_LENGTH_MAX = 80


def _clean_name(text: str, field: str, limit: int) -> str:
    cleaned = " ".join(text.split())
    if not cleaned:
        raise BadInput(N_("This field is needed."), field=field)
    if len(cleaned) > limit or not cleaned.isprintable():
        raise BadInput(N_("At most {limit} printable characters."), field=field, limit=limit)
    return cleaned


@transaction.atomic
def create_user(
    *,
    actor: Actor,
    id: UUID,
    email: str,
    display_name: str,
    password: str | None = None,
    operator_roles: frozenset[OperatorRole] = frozenset(),
    is_example: bool = False,
) -> UUID:
    """Make a person's account; the same id again changes nothing. Without a password nobody can sign in by one.

    Only the platform itself calls it (example, command line); people sign up through their own pages.
    """
    if not actor.is_system:
        raise BadInput(N_("Accounts are made by signing up."))
    if User.objects.filter(pk=id).exists():
        return id
    if User.objects.filter(email__iexact=email.strip()).exists():
        raise Conflict(N_("Somebody else has an account with the e-mail {email}."), email=email, field="email")
    User.objects.create(
        pk=id,
        email=email.strip().lower(),
        display_name=display_name,
        password=make_password(password),
        is_example=is_example,
    )
    OperatorGrant.objects.bulk_create(OperatorGrant(user_id=id, role=role) for role in operator_roles)
    audit.record(
        verb="accounts.create_user",
        subject_kind="user",
        subject_id=str(id),
        actor=actor.id,
        after={"operator_roles": sorted(operator_roles)},
        personal={"email": email, "display_name": display_name},
    )
    return id


@transaction.atomic
def create_organisation(
    *,
    actor: Actor,
    id: UUID,
    name: str,
    kind: OrganisationKind,
    registration_number: str = "",
    is_example: bool = False,
) -> OrganisationView:
    """Register an organisation with the actor as its owner; the same id again returns what is there.

    Raises BadInput for a number that cannot be one and Conflict for a number registered before, or for an id
    under which the actor sees no organisation though there is one.
    """
    require(actor=actor, verb="accounts.create_organisation", thing=PORTAL)
    if known := _known_organisation(actor, id):
        return known
    number = clean_registration_number(registration_number)
    row = Organisation(
        pk=id,
        name=_clean_name(name, "name", NAME_LENGTH_MAX),
        kind=OrganisationKind(kind),
        registration_number=number,
        is_example=is_example,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if known := _known_organisation(actor, id):  # the same request came twice at once
            return known
        raise Conflict(
            N_("An organisation with this business registration number is registered already."),
            field="registration_number",
            remedy=Text(N_("Ask its owner to add you.")),
        ) from error
    if actor.user_id:
        OrganisationMembership.objects.create(organisation=row, user_id=actor.user_id, role=OrganisationRole.OWNER)
    audit.record(
        verb="accounts.create_organisation",
        subject_kind="organisation",
        subject_id=str(id),
        actor=actor.id,
        after={"name": row.name, "kind": row.kind, "registration_number": number},
    )
    return organisation_view(row)


def _known_organisation(actor: Actor, id: UUID) -> OrganisationView | None:
    """What is registered under the id; Conflict when the actor may not see it."""
    known = Organisation.objects.filter(pk=id).first()
    if known is None:
        return None
    thing = Thing("organisation", str(id), organisation_id=id)
    if not may(actor=actor, verb="accounts.view_organisation", thing=thing):
        raise Conflict
    return organisation_view(known)


@transaction.atomic
def add_organisation_member(*, actor: Actor, organisation_id: UUID, user_id: UUID, role: OrganisationRole) -> None:
    """Add a person to an organisation; somebody who is in it keeps their role."""
    thing = Thing("organisation", str(organisation_id), organisation_id=organisation_id)
    require(actor=actor, verb="accounts.change_organisation_members", thing=thing)
    _lock(Organisation, organisation_id)
    _check_joins(user_id, OrganisationMembership.objects.filter(organisation_id=organisation_id))
    _membership, made = OrganisationMembership.objects.get_or_create(
        organisation_id=organisation_id, user_id=user_id, defaults={"role": role}
    )
    if made:
        audit.record(
            verb="accounts.add_organisation_member",
            subject_kind="organisation",
            subject_id=str(organisation_id),
            actor=actor.id,
            after={"user": user_id, "role": role},
        )


@transaction.atomic
def remove_organisation_member(*, actor: Actor, organisation_id: UUID, user_id: UUID) -> None:
    """Remove a person from an organisation, which keeps an owner; again changes nothing."""
    thing = Thing("organisation", str(organisation_id), organisation_id=organisation_id)
    require(actor=actor, verb="accounts.change_organisation_members", thing=thing)
    # In turn: two owners who remove each other at once would leave none.
    _lock(Organisation, organisation_id)
    rows = {row.user_id: row for row in OrganisationMembership.objects.filter(organisation_id=organisation_id)}
    known = rows.get(user_id)
    if known is None:
        return
    owners = [row for row in rows.values() if row.role == OrganisationRole.OWNER]
    if owners == [known]:
        raise BadInput(
            N_("An organisation keeps at least one owner."),
            remedy=Text(N_("Add another owner first.")),
        )
    known.delete()
    audit.record(
        verb="accounts.remove_organisation_member",
        subject_kind="organisation",
        subject_id=str(organisation_id),
        actor=actor.id,
        before={"user": user_id, "role": known.role},
    )


def _lock(model: type[Organisation | Project], id: UUID) -> None:
    """Who is in a team is changed by one at a time: every rule about it speaks of the team as a whole."""
    model._base_manager.select_for_update(no_key=True).filter(pk=id).first()


def _check_joins(user_id: UUID, team: QuerySet[Any]) -> None:
    """Somebody who can join a team that has room."""
    if not User.objects.filter(pk=user_id, is_active=True).exists():
        raise NotFound(N_("There is no such person."), field="email")
    if team.count() >= MEMBERS_MAX and not team.filter(user_id=user_id).exists():
        raise LimitReached(N_("At most {limit} people belong to one team."), limit=MEMBERS_MAX, field="email")


def _next_project_number() -> str:
    year = now().year
    ProjectCounter.objects.get_or_create(year=year)
    # The UPDATE locks the row; a read before it would give two projects one number.
    ProjectCounter.objects.filter(year=year).update(last=F("last") + 1)
    return f"PRJ-{year}-{ProjectCounter.objects.get(year=year).last:05d}"


@transaction.atomic
def create_project(
    *, actor: Actor, id: UUID, organisation_id: UUID, title: str, owner_user_id: UUID
) -> ProjectView:
    """Make a project (과제) with its owner; the same id again returns what is there."""
    require(actor=actor, verb="accounts.create_project", thing=PORTAL)
    known = Project.objects.select_related("organisation").filter(pk=id).first()
    if known:
        return project_view(known)
    row = Project.objects.create(
        pk=id,
        number=_next_project_number(),
        title=_clean_name(title, "title", TITLE_LENGTH_MAX),
        organisation_id=organisation_id,
    )
    ProjectMembership.objects.create(project=row, user_id=owner_user_id, role=ProjectRole.OWNER)
    audit.record(
        verb="accounts.create_project",
        subject_kind="project",
        subject_id=str(id),
        actor=actor.id,
        after={"number": row.number, "title": row.title, "organisation": organisation_id, "owner": owner_user_id},
    )
    return project_view(row)


@transaction.atomic
def add_member(*, actor: Actor, project_id: UUID, user_id: UUID, role: ProjectRole) -> None:
    """Add a person to a project or change their role; the owner's role stays."""
    view = project(actor=actor, project_id=project_id)
    require(actor=actor, verb="accounts.change_members", thing=view.thing)
    _lock(Project, project_id)
    _check_joins(user_id, ProjectMembership.objects.filter(project_id=project_id))
    known = ProjectMembership.objects.filter(project_id=project_id, user_id=user_id).first()
    if known and known.role == role:
        return
    _keep_owner(known, role)
    ProjectMembership.objects.update_or_create(
        project_id=project_id,
        user_id=user_id,
        defaults={"role": role},
        create_defaults={"id": new_id(), "role": role},
    )
    audit.record(
        verb="accounts.add_member",
        subject_kind="project",
        subject_id=str(project_id),
        actor=actor.id,
        before={"user": user_id, "role": known.role} if known else None,
        after={"user": user_id, "role": role},
    )


@transaction.atomic
def remove_member(*, actor: Actor, project_id: UUID, user_id: UUID) -> None:
    """Remove a person from a project; removing somebody who is not in it changes nothing."""
    view = project(actor=actor, project_id=project_id)
    require(actor=actor, verb="accounts.change_members", thing=view.thing)
    _lock(Project, project_id)
    known = ProjectMembership.objects.filter(project_id=project_id, user_id=user_id).first()
    if known is None:
        return
    _keep_owner(known, None)
    known.delete()
    audit.record(
        verb="accounts.remove_member",
        subject_kind="project",
        subject_id=str(project_id),
        actor=actor.id,
        before={"user": user_id, "role": known.role},
    )


@transaction.atomic
def hand_over_project(*, actor: Actor, project_id: UUID, user_id: UUID) -> None:
    """Make a person of the project its owner; the owner until now becomes a manager. Again changes nothing.

    The database holds the one owner (a partial unique index), so the order of the two updates matters.
    """
    view = project(actor=actor, project_id=project_id)
    require(actor=actor, verb="accounts.hand_over_project", thing=view.thing)
    _lock(Project, project_id)
    team = {row.user_id: row for row in ProjectMembership.objects.filter(project_id=project_id)}
    heir = team.get(user_id)
    if heir is None:
        raise BadInput(
            N_("Only a person of the project can become its owner."),
            field="user_id",
            remedy=Text(N_("Add them to the project first.")),
        )
    if heir.role == ProjectRole.OWNER:
        return
    owners = [row.user_id for row in team.values() if row.role == ProjectRole.OWNER]
    rows = ProjectMembership.objects.filter(project_id=project_id)
    rows.filter(user_id__in=owners).update(role=ProjectRole.MANAGER)
    rows.filter(user_id=user_id).update(role=ProjectRole.OWNER)
    audit.record(
        verb="accounts.hand_over_project",
        subject_kind="project",
        subject_id=str(project_id),
        actor=actor.id,
        before={"owners": owners},
        after={"owner": user_id},
    )


def _keep_owner(known: ProjectMembership | None, role: ProjectRole | None) -> None:
    if known and known.role == ProjectRole.OWNER and role != ProjectRole.OWNER:
        raise BadInput(
            N_("The owner of a project cannot be removed or given another role."),
            field="role",
            remedy=Text(N_("Make somebody else the owner first.")),
        )
    if role == ProjectRole.OWNER and not (known and known.role == ProjectRole.OWNER):
        raise BadInput(N_("A project has one owner."), field="role")


@transaction.atomic
def change_account(*, actor: Actor, display_name: str, locale: str) -> None:
    """Change the actor's own name and language; the same again changes nothing."""
    require(actor=actor, verb="accounts.change_account", thing=PORTAL)
    if actor.user_id is None:
        raise NotFound(N_("There is no such person."))
    name = _clean_name(display_name, "display_name", DISPLAY_NAME_LENGTH_MAX)
    if locale not in dict(settings.LANGUAGES):
        raise BadInput(N_("The portal does not speak this language."), field="locale")
    row = User.objects.select_for_update().get(pk=actor.user_id)
    if (row.display_name, row.locale) == (name, locale):
        return
    before, row.display_name, row.locale = row.display_name, name, locale
    row.save(update_fields=["display_name", "locale"])
    audit.record(
        verb="accounts.change_account",
        subject_kind="user",
        subject_id=str(row.pk),
        actor=actor.id,
        after={"locale": locale},
        personal={"display_name_before": before, "display_name": name},
    )
