"""Who acts, on what, and what the answer was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bitgoeul.kernel.text import N_, Text


class OrganisationKind(StrEnum):
    """What kind of body an organisation is."""

    START_UP = "START_UP"
    SME = "SME"
    MID_SIZE = "MID_SIZE"
    FABLESS = "FABLESS"
    UNIVERSITY = "UNIVERSITY"
    INSTITUTE = "INSTITUTE"
    OPERATOR = "OPERATOR"


KIND_LABELS: Mapping[OrganisationKind, Text] = {
    OrganisationKind.START_UP: Text(N_("Start-up")),
    OrganisationKind.SME: Text(N_("Small or medium enterprise")),
    OrganisationKind.MID_SIZE: Text(N_("Mid-size company")),
    OrganisationKind.FABLESS: Text(N_("Fabless chip company")),
    OrganisationKind.UNIVERSITY: Text(N_("University")),
    OrganisationKind.INSTITUTE: Text(N_("Research institute")),
    OrganisationKind.OPERATOR: Text(N_("Operator")),
}


class OrganisationRole(StrEnum):
    """A person's part in an organisation."""

    OWNER = "OWNER"
    MEMBER = "MEMBER"


ORGANISATION_ROLE_LABELS: Mapping[OrganisationRole, Text] = {
    OrganisationRole.OWNER: Text(N_("Owner")),
    OrganisationRole.MEMBER: Text(N_("Member")),
}
ORGANISATION_ANY = frozenset(OrganisationRole)


class ProjectRole(StrEnum):
    """A person's part in a project: an owner signs, a manager runs it, a member works, a viewer reads."""

    OWNER = "OWNER"
    MANAGER = "MANAGER"
    MEMBER = "MEMBER"
    VIEWER = "VIEWER"


PROJECT_ROLE_LABELS: Mapping[ProjectRole, Text] = {
    ProjectRole.OWNER: Text(N_("Owner")),
    ProjectRole.MANAGER: Text(N_("Manager")),
    ProjectRole.MEMBER: Text(N_("Member")),
    ProjectRole.VIEWER: Text(N_("Viewer")),
}
PROJECT_ANY = frozenset(ProjectRole)
PROJECT_WORK = frozenset({ProjectRole.OWNER, ProjectRole.MANAGER, ProjectRole.MEMBER})
PROJECT_LEAD = frozenset({ProjectRole.OWNER, ProjectRole.MANAGER})


class OperatorRole(StrEnum):
    """A person's part in the operator: staff decide, engineers run the centre, auditors read."""

    STAFF = "STAFF"
    ENGINEER = "ENGINEER"
    AUDITOR = "AUDITOR"


OPERATOR_ROLE_NAMES: Mapping[OperatorRole, Text] = {
    OperatorRole.STAFF: Text(N_("staff")),
    OperatorRole.ENGINEER: Text(N_("engineer")),
    OperatorRole.AUDITOR: Text(N_("auditor")),
}
OPERATOR_ROLE_LABELS: Mapping[OperatorRole, Text] = {
    OperatorRole.STAFF: Text(N_("Staff: decides and administers")),
    OperatorRole.ENGINEER: Text(N_("Engineer: runs the centre")),
    OperatorRole.AUDITOR: Text(N_("Auditor: reads everything, changes nothing")),
}
OPERATOR_ANY = frozenset(OperatorRole)


class Assurance(StrEnum):
    """How sure it is that the person is who they say: operator rights rest without a second proof.

    ``EXAMPLE`` is the one click of a named example person; it counts only while that click is open at all.
    """

    SINGLE = "SINGLE"
    SECOND_FACTOR = "SECOND_FACTOR"
    EXAMPLE = "EXAMPLE"


@dataclass(frozen=True)
class ElevationView:
    """A time in which a person may do named dangerous things, asked for with a reason."""

    id: UUID
    user_id: UUID
    verbs: frozenset[str]
    reason: str
    since: datetime
    until: datetime
    ended_at: datetime | None = None
    with_tokens: bool = False

    def covers(self, verb: str, moment: datetime) -> bool:
        """True while it lasts and when ``verb`` is one of those asked for."""
        return self.ended_at is None and moment < self.until and verb in self.verbs


@dataclass(frozen=True)
class Actor:
    """Who acts: a person with their roles, the system itself, or nobody known.

    ``id`` is opaque to lower rooms: ``user:<uuid>``, ``system:<name>`` or ``anonymous``. ``withheld_roles`` are
    operator roles that rest because nothing but one factor proves the person. ``scopes`` (None: a session, not
    limited) are what a token may do at most: ``<room>:read``, ``<room>:write``, and ``*`` for every room.
    """

    id: str
    user_id: UUID | None = None
    name: str = ""
    operator_roles: frozenset[OperatorRole] = frozenset()
    project_roles: Mapping[UUID, ProjectRole] = field(default_factory=dict)
    organisation_roles: Mapping[UUID, OrganisationRole] = field(default_factory=dict)
    withheld_roles: frozenset[OperatorRole] = frozenset()
    assurance: Assurance = Assurance.SINGLE
    elevation: ElevationView | None = None
    scopes: frozenset[str] | None = None

    @classmethod
    def system(cls, name: str) -> Actor:
        """The platform itself, acting under ``name``."""
        return cls(id=f"system:{name}", name=name)

    @classmethod
    def anonymous(cls) -> Actor:
        """Somebody who has not signed in."""
        return cls(id="anonymous")

    @property
    def is_system(self) -> bool:
        """True for the platform itself."""
        return self.id.startswith("system:")

    @property
    def is_signed_in(self) -> bool:
        """True for a person with an account."""
        return self.user_id is not None

    @property
    def is_operator(self) -> bool:
        """True for anybody with an operator role that does not rest."""
        return bool(self.operator_roles)

    @property
    def by_token(self) -> bool:
        """True when a token acts for the person."""
        return self.scopes is not None

    @property
    def read_only(self) -> bool:
        """True for a token without any scope to write."""
        return self.scopes is not None and all(scope.endswith(":read") for scope in self.scopes)

    def has_scope(self, wanted: str) -> bool:
        """May a token do what needs the scope ``<room>:read`` or ``<room>:write``; writing includes reading."""
        if self.scopes is None:
            return True
        room, _, mode = wanted.partition(":")
        enough = ("read", "write") if mode == "read" else (mode,)
        return any(f"{one}:{each}" in self.scopes for one in (room, "*") for each in enough)


@dataclass(frozen=True)
class Thing:
    """What a verb acts on, as far as rights go: its kind, id and whom it belongs to."""

    kind: str
    id: str
    project_id: UUID | None = None
    organisation_id: UUID | None = None
    public: bool = False


@dataclass(frozen=True)
class Decision:
    """May it be done, and why or why not; ``code`` names a refusal that the person can lift themselves."""

    allowed: bool
    reason: Text
    code: str = ""

    def __bool__(self) -> bool:
        return self.allowed


Rule = Callable[[Actor, Thing], Decision | None]


@dataclass(frozen=True)
class Verb:
    """One thing that can be done, and who may: any of the roles, or anybody when ``public`` says so.

    ``name`` is ``<room>.<verb>_<kind>``; ``<room>.view_<kind>`` decides whether a thing exists for an actor.
    ``rule`` is asked first and may decide alone (None: the roles decide). An ``elevated`` verb is dangerous: who
    may do it asks for a time to do it in, with a reason. ``any_token`` verbs are asked on the way to other things
    and need no scope of their own.
    """

    name: str
    kind: str
    label: Text
    project_roles: frozenset[ProjectRole] = frozenset()
    organisation_roles: frozenset[OrganisationRole] = frozenset()
    operator_roles: frozenset[OperatorRole] = frozenset()
    signed_in: bool = False
    public: bool = False
    rule: Rule | None = None
    elevated: bool = False
    any_token: bool = False

    @property
    def scope(self) -> str:
        """The scope that a token needs for it: ``<room>:read`` or ``<room>:write``."""
        return f"{self.name.split('.', 1)[0]}:{'read' if self.reads else 'write'}"

    @property
    def reads(self) -> bool:
        """True when the verb only looks."""
        return self.name.split(".", 1)[1].startswith(("view", "list", "read", "export"))


@dataclass(frozen=True)
class AccountView:
    """A person's own account as they see it."""

    email: str
    display_name: str
    locale: str


@dataclass(frozen=True)
class OrganisationView:
    """An organisation as other rooms see it."""

    id: UUID
    name: str
    kind: OrganisationKind
    registration_number: str
    is_example: bool

    @property
    def kind_label(self) -> Text:
        """The word for its kind."""
        return KIND_LABELS[self.kind]

    @property
    def thing(self) -> Thing:
        """What rights are asked about."""
        return Thing("organisation", str(self.id), organisation_id=self.id)


@dataclass(frozen=True)
class ProjectView:
    """A project as other rooms see it."""

    id: UUID
    number: str
    title: str
    organisation_id: UUID
    organisation_name: str
    created_at: datetime

    @property
    def thing(self) -> Thing:
        """What rights are asked about."""
        return Thing("project", str(self.id), project_id=self.id, organisation_id=self.organisation_id)


@dataclass(frozen=True)
class MemberView:
    """A person's part in a project."""

    user_id: UUID
    name: str
    email: str
    role: ProjectRole

    @property
    def role_label(self) -> Text:
        """The word for the role."""
        return PROJECT_ROLE_LABELS[self.role]


@dataclass(frozen=True)
class OrganisationMemberView:
    """A person's part in an organisation."""

    user_id: UUID
    name: str
    email: str
    role: OrganisationRole

    @property
    def role_label(self) -> Text:
        """The word for the role."""
        return ORGANISATION_ROLE_LABELS[self.role]


@dataclass(frozen=True)
class TokenView:
    """A living API token as its owner sees it; the secret is not kept."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None

    @property
    def read_only(self) -> bool:
        """True without any scope to write."""
        return all(scope.endswith(":read") for scope in self.scopes)


@dataclass(frozen=True)
class SignInView:
    """A place where a person is signed in."""

    id: UUID
    device: str
    address: str
    since: datetime
    last_seen: datetime
    assurance: Assurance
    is_this: bool = False

    @property
    def device_words(self) -> Text:
        """Browser and system, as the browser tells; it may tell anything, so this is a hint and no proof."""
        browser = next((word for mark, word in BROWSERS if mark in self.device), "")
        system = next((word for mark, word in SYSTEMS if mark in self.device), "")
        if not browser and not system:
            return Text(N_("Unknown device"))
        return Text("{device}", {"device": " · ".join(filter(None, (browser, system)))})


# The more particular first: every browser also names the one it descends from.
BROWSERS = (
    ("Whale/", "Whale"), ("Edg/", "Edge"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("python-", "Python"), ("curl/", "curl"),
)  # fmt: skip
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True)
class OperatorView:
    """A person with operator roles, as those who administer them see it."""

    user_id: UUID
    name: str
    email: str
    roles: tuple[OperatorRole, ...]
    given_by: Mapping[OperatorRole, str]
    has_second_factor: bool

    @property
    def role_rows(self) -> list[tuple[OperatorRole, Text, Text, str]]:
        """Each role with its name, what it does, and the provider that gives it (empty: given by hand)."""
        return [
            (role, OPERATOR_ROLE_NAMES[role], OPERATOR_ROLE_LABELS[role], self.given_by.get(role, ""))
            for role in self.roles
        ]
