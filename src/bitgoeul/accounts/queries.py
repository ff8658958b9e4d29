"""Reading accounts, in bulk and with the reader's rights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Lowered, Page, page_of

from .authority import require
from .models import OperatorGrant, Organisation, OrganisationMembership, Project, ProjectMembership, User
from .types import (
    AccountView,
    Actor,
    Assurance,
    ElevationView,
    MemberView,
    OperatorRole,
    OrganisationKind,
    OrganisationMemberView,
    OrganisationRole,
    OrganisationView,
    ProjectRole,
    ProjectView,
)

# No team may grow beyond it, so a list of people is always whole.
MEMBERS_MAX = 200
R = TypeVar("R")


class RolesWhenAsked(Mapping[UUID, R]):
    """A person's roles by project or organisation, read at the first question and then kept.

    Most pages ask for neither or for one kind.
    """

    def __init__(self, read: Callable[[], Mapping[UUID, R]]) -> None:
        self._read: Callable[[], Mapping[UUID, R]] = read

    @cached_property
    def _roles(self) -> Mapping[UUID, R]:
        return self._read()

    def __getitem__(self, key: UUID) -> R:
        return self._roles[key]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._roles)

    def __len__(self) -> int:
        return len(self._roles)


def actor_for(*, user_id: UUID, assurance: Assurance = Assurance.SECOND_FACTOR) -> Actor:
    """The actor of a person whom the caller vouches for, with their roles; NotFound for no such active person."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound()
    return actor_of_user(user, assurance=assurance)


def actor_of_user(
    user: User,
    *,
    assurance: Assurance,
    scopes: frozenset[str] | None = None,
    elevation: Callable[[], ElevationView | None] | None = None,
    when_asked: bool = False,
) -> Actor:
    """The actor of a person already at hand, in three queries; ``elevation`` is asked only of operators.

    With ``when_asked`` (a request, which is short) one query, and one more for each kind of role once it matters.
    """
    operator = OperatorGrant.objects.filter(user=user).values_list("role", flat=True)
    projects = RolesWhenAsked(lambda: _project_roles(user))
    organisations = RolesWhenAsked(lambda: _organisation_roles(user))
    roles = frozenset(map(OperatorRole, operator))
    rest = assurance is Assurance.SINGLE and settings.SECOND_FACTOR_FOR_OPERATORS
    return Actor(
        id=user.actor_id,
        user_id=user.pk,
        name=str(user),
        operator_roles=frozenset() if rest else roles,
        withheld_roles=roles if rest else frozenset(),
        project_roles=projects if when_asked else dict(projects),
        organisation_roles=organisations if when_asked else dict(organisations),
        assurance=assurance,
        elevation=elevation() if elevation and roles and not rest else None,
        scopes=scopes,
    )


def _project_roles(user: User) -> dict[UUID, ProjectRole]:
    rows = ProjectMembership.objects.filter(user=user).values_list("project_id", "role")
    return {pk: ProjectRole(role) for pk, role in rows}


def _organisation_roles(user: User) -> dict[UUID, OrganisationRole]:
    rows = OrganisationMembership.objects.filter(user=user).values_list("organisation_id", "role")
    return {pk: OrganisationRole(role) for pk, role in rows}


def account(actor: Actor) -> AccountView:
    """The actor's own account; NotFound for who is no person."""
    row = User.objects.filter(pk=actor.user_id).first() if actor.user_id else None
    if row is None:
        raise NotFound()
    return AccountView(row.email, row.display_name, row.locale)


def organisation_view(row: Organisation) -> OrganisationView:
    """The row as other rooms see it."""
    return OrganisationView(row.pk, row.name, OrganisationKind(row.kind), row.registration_number, row.is_example)


def project_view(row: Project) -> ProjectView:
    """The row as other rooms see it; its organisation must have been selected with it."""
    return ProjectView(row.pk, row.number, row.title, row.organisation_id, row.organisation.name, row.created_at)


def organisations(ids: Iterable[UUID]) -> Mapping[UUID, OrganisationView]:
    """Organisations by id, in one query; unchecked, for joins with things already checked."""
    return {row.pk: organisation_view(row) for row in Organisation.objects.filter(pk__in=set(ids))}


def organisations_by_number(numbers: Iterable[str]) -> Mapping[str, OrganisationView]:
    """Organisations by business registration number (ten digits), in one query; unknown numbers are absent."""
    wanted = {number for number in numbers if number}
    rows = Organisation.objects.filter(registration_number__in=wanted)
    return {row.registration_number: organisation_view(row) for row in rows}


def my_organisations(actor: Actor) -> list[OrganisationView]:
    """The organisations the actor belongs to, by name."""
    rows = Organisation.objects.filter(pk__in=actor.organisation_roles).order_by("name")
    return [organisation_view(row) for row in rows]


def my_organisations_page(actor: Actor, page: int = 1) -> Page[OrganisationView]:
    """One page of the organisations the actor belongs to, by name."""
    rows = Organisation.objects.filter(pk__in=actor.organisation_roles).order_by("name", "pk")
    return page_of(rows, page).map(organisation_view)


def organisation(*, actor: Actor, organisation_id: UUID) -> OrganisationView:
    """One organisation; NotFound when there is none that the actor may see."""
    row = Organisation.objects.filter(pk=organisation_id).first()
    if row is None:
        raise NotFound()
    view = organisation_view(row)
    require(actor=actor, verb="accounts.view_organisation", thing=view.thing)
    return view


def organisation_members(*, actor: Actor, organisation_id: UUID) -> list[OrganisationMemberView]:
    """The people of an organisation; an operator who looks leaves an access record."""
    view = organisation(actor=actor, organisation_id=organisation_id)
    require(actor=actor, verb="accounts.view_organisation_members", thing=view.thing)
    rows = OrganisationMembership.objects.select_related("user").filter(organisation_id=organisation_id)
    found = [
        OrganisationMemberView(row.user_id, str(row.user), row.user.email, OrganisationRole(row.role))
        for row in rows.order_by("created_at", "pk")[:MEMBERS_MAX]
    ]
    if actor.is_operator and organisation_id not in actor.organisation_roles:
        people = [f"user:{member.user_id}" for member in found]
        audit.record_access(actor=actor.id, people=people, what=f"members of organisation {organisation_id}")
    return found


def project(*, actor: Actor, project_id: UUID) -> ProjectView:
    """One project; NotFound when there is none that the actor may see."""
    row = Project.objects.select_related("organisation").filter(pk=project_id).first()
    if row is None:
        raise NotFound()
    view = project_view(row)
    require(actor=actor, verb="accounts.view_project", thing=view.thing)
    return view


def projects(ids: Iterable[UUID]) -> Mapping[UUID, ProjectView]:
    """Projects by id, in one query; unchecked, for joins with things already checked."""
    rows = Project.objects.select_related("organisation").filter(pk__in=set(ids))
    return {row.pk: project_view(row) for row in rows}


def projects_by_number(numbers: Iterable[str]) -> Mapping[str, UUID]:
    """The ids of projects by number in lower case, in one query; unchecked, for records that name projects."""
    rows = Project.objects.annotate(lowered=Lowered("number")).filter(
        lowered__in={each.lower() for each in numbers}
    )
    return dict(rows.values_list("lowered", "pk"))


def my_projects(actor: Actor, page: int = 1, per_page: int = 20) -> Page[ProjectView]:
    """One page of the projects the actor belongs to, newest first."""
    rows = Project.objects.select_related("organisation").filter(pk__in=actor.project_roles)
    return page_of(rows.order_by("-created_at"), page, per_page, len(actor.project_roles)).map(project_view)


def members(*, actor: Actor, project_id: UUID) -> list[MemberView]:
    """The people of a project; an operator who looks leaves an access record."""
    view = project(actor=actor, project_id=project_id)
    require(actor=actor, verb="accounts.view_members", thing=view.thing)
    rows = (
        ProjectMembership.objects.select_related("user")
        .filter(project_id=project_id)
        .order_by("created_at")[:MEMBERS_MAX]
    )
    found = [MemberView(row.user_id, str(row.user), row.user.email, ProjectRole(row.role)) for row in rows]
    if actor.is_operator and project_id not in actor.project_roles:
        people = [f"user:{member.user_id}" for member in found]
        audit.record_access(actor=actor.id, people=people, what=f"members of {view.number}")
    return found


def emails_of_projects(project_ids: Iterable[UUID]) -> Mapping[UUID, list[str]]:
    """The e-mails of each project's active people, in one query; unchecked, for the platform's own steps."""
    found: dict[UUID, list[str]] = {}
    rows = ProjectMembership.objects.filter(project_id__in=set(project_ids), user__is_active=True)
    for project_id, email in rows.order_by("user__email").values_list("project_id", "user__email"):
        found.setdefault(project_id, []).append(email)
    return found


def names(actor_ids: Iterable[str]) -> Mapping[str, str]:
    """Display names by opaque actor id, in one query; the system's own ids are the platform, as readers say."""
    wanted = set(actor_ids)
    users = {text.removeprefix("user:") for text in wanted if text.startswith("user:")}
    found = {row.actor_id: str(row) for row in User.objects.filter(pk__in=users)}
    own = gettext("The platform, by itself")
    return {text: own if text.startswith("system:") else found.get(text, text) for text in wanted}


def user_id_by_email(email: str) -> UUID | None:
    """The person with this e-mail, or None."""
    return User.objects.filter(email__iexact=email.strip(), is_active=True).values_list("pk", flat=True).first()


def person_to_add(email: str) -> UUID:
    """The person with this e-mail, for who may add people to a team; NotFound says to ask them to sign up."""
    user_id = user_id_by_email(email)
    if user_id is None:
        raise NotFound(
            N_("Nobody has signed up with this e-mail."),
            field="email",
            remedy=Text(N_("Ask them to sign up first, then add them here.")),
        )
    return user_id
