"""People, organisations, projects and who belongs to what."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q

from bitgoeul.audit.facade import AppendOnlyModel
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import Lowered

from .types import Assurance, OperatorRole, OrganisationKind, OrganisationRole, ProjectRole


def _one_of(field: str, values: Any, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{field}__in": sorted(map(str, values))}), name=name)


class UserManager(BaseUserManager["User"]):
    """People are found by e-mail, whatever its case."""

    def get_by_natural_key(self, email: str | None) -> User:
        """The person with this e-mail."""
        return self.get(email__iexact=email)


class User(AbstractBaseUser):
    """A person with an account; signs in by e-mail."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    display_name = models.CharField(max_length=80, blank=True, default="")
    locale = models.CharField(max_length=8, default="ko")
    is_active = models.BooleanField(default=True)
    is_example = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.display_name or self.email

    @property
    def actor_id(self) -> str:
        """The opaque id that lower rooms keep."""
        return f"user:{self.pk}"


class OperatorGrant(models.Model):
    """A person's role at the operator."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    # The identity provider whose claim gives the role; empty: given by hand, and no claim takes it away.
    source = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "role"], name="accounts_operator_once"),
            _one_of("role", OperatorRole, "accounts_operator_role"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Organisation(models.Model):
    """A company, university, institute or the operator, with its checked registration number."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16)
    registration_number = models.CharField(max_length=10, blank=True, default="")
    is_example = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["registration_number"],
                condition=~Q(registration_number=""),
                name="accounts_registration_number_once",
            ),
            _one_of("kind", OrganisationKind, "accounts_organisation_kind"),
        )
        indexes = (models.Index(Lowered("name"), name="accounts_organisation_found"),)

    def __str__(self) -> str:
        return self.name


class OrganisationMembership(models.Model):
    """A person's part in an organisation."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    # As OperatorGrant.source.
    source = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["organisation", "user"], name="accounts_organisation_member_once"),
            _one_of("role", OrganisationRole, "accounts_organisation_role"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organisation_id}"


class ProjectCounter(models.Model):
    """The last project number of a year; counted up by one UPDATE, so no two projects share a number."""

    year = models.PositiveIntegerField(primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class Project(models.Model):
    """The workspace (과제) to which allocations, jobs and trials belong."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=160)
    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (
            models.Index(fields=["organisation", "created_at"], name="accounts_project_org"),
            models.Index(Lowered("number"), name="accounts_project_numbered"),
            models.Index(Lowered("title"), name="accounts_project_found"),
        )

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


class ProjectMembership(models.Model):
    """A person's part in a project."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["project", "user"], name="accounts_project_member_once"),
            models.UniqueConstraint(
                fields=["project"], condition=Q(role=ProjectRole.OWNER), name="accounts_project_one_owner"
            ),
            _one_of("role", ProjectRole, "accounts_project_role"),
        )
        indexes = (models.Index(fields=["user"], name="accounts_member_user"),)

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}"


class ApiToken(models.Model):
    """A key for the REST API: kept as its SHA-256, expiring, never stronger than its owner is today."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    # Of the session it was made in: a token from a session without a second factor carries no operator rights.
    assurance = models.CharField(max_length=16, default=Assurance.SINGLE)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (_one_of("assurance", Assurance, "accounts_token_assurance"),)
        indexes = (models.Index(fields=["user", "expires_at"], name="accounts_token_user"),)

    def __str__(self) -> str:
        return f"{self.name} of {self.user_id}"


class SignIn(models.Model):
    """A browser in which a person is signed in; its session carries the id, and no session outlives the row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    device = models.CharField(max_length=200, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    assurance = models.CharField(max_length=16, default=Assurance.SINGLE)
    created_at = models.DateTimeField(default=now)
    last_seen_at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField(max_length=16, blank=True, default="")

    class Meta:
        constraints = (_one_of("assurance", Assurance, "accounts_sign_in_assurance"),)
        indexes = (models.Index(fields=["user", "ended_at"], name="accounts_sign_in_user"),)

    def __str__(self) -> str:
        return f"{self.user_id} on {self.device}"


class Elevation(AppendOnlyModel):
    """A time in which an operator may do dangerous things; never permanent, never without a reason."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    sign_in = models.ForeignKey("accounts.SignIn", on_delete=models.PROTECT, related_name="+")
    verbs = models.JSONField()
    reason = models.CharField(max_length=500)
    with_tokens = models.BooleanField(default=False)
    since = models.DateTimeField(default=now)
    until = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(until__gt=models.F("since")), name="accounts_elevation_time"),
            models.CheckConstraint(condition=~Q(reason=""), name="accounts_elevation_reason"),
        )
        indexes = (models.Index(fields=["user", "until"], name="accounts_elevation_user"),)

    def __str__(self) -> str:
        return f"{self.user_id} until {self.until}"


class ElevationEnd(AppendOnlyModel):
    """An elevation ended before its time."""

    elevation = models.OneToOneField(
        "accounts.Elevation", on_delete=models.PROTECT, related_name="end", primary_key=True
    )
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.elevation_id} at {self.at}"


class FailedAttempts(models.Model):
    """How often signing in has failed for one key, and until when it waits; the key is a keyed hash."""

    key = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(max_length=16)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(db_index=True)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind}: {self.failures}"
