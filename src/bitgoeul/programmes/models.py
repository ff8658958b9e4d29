"""Calls, applications, decisions, agreements and signatures."""

from __future__ import annotations

from typing import Any

from django.db import models

from bitgoeul.audit.facade import AppendOnlyModel, StatefulModel, state_check, state_field
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import Lowered

from .states import APPLICATION


class Partnership(models.Model):
    """An organisation's memorandum with the city (협약) and the day it opened an office or lab there (입주).

    Partners are not the firms served: who is served has a project.
    """

    organisation = models.OneToOneField(
        "accounts.Organisation", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    signed_on = models.DateField()
    opened_on = models.DateField(null=True)
    is_example = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(opened_on__isnull=True) | models.Q(opened_on__gte=models.F("signed_on")),
                name="programmes_partnership_order",
            ),
        )
        indexes = (
            models.Index(fields=["signed_on"], name="programmes_partner_signed"),
            models.Index(fields=["opened_on"], name="programmes_partner_opened"),
        )

    def __str__(self) -> str:
        return f"partnership of {self.organisation_id}"


class CallVersion(AppendOnlyModel):
    """One version of a call; the highest version of a code is the call as it stands.

    ``digest`` names the canonical ``body``; ``source_digest`` the data file it came from, whose period may
    have been written relative to the day of loading.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, unique=True)
    source_digest = models.CharField(max_length=64)
    body: models.JSONField[Any, Any] = models.JSONField()
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    loaded_at = models.DateTimeField(default=now)
    loaded_by = models.CharField(max_length=80)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["code", "number"], name="programmes_call_version"),)
        indexes = (models.Index(fields=["closes_at"], name="programmes_call_closes"),)

    def __str__(self) -> str:
        return f"{self.code} v{self.number}"


class Application(StatefulModel):
    """An organisation's application to one tier of a call; content changes only while it is a draft."""

    machine = APPLICATION
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    state = state_field(APPLICATION)
    call = models.ForeignKey("programmes.CallVersion", on_delete=models.PROTECT, related_name="+")
    tier = models.CharField(max_length=64)
    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.PROTECT, related_name="+")
    applicant = models.CharField(max_length=80)
    title = models.CharField(max_length=120)
    answers: models.JSONField[Any, Any] = models.JSONField(default=dict)
    fields: models.JSONField[Any, Any] = models.JSONField(default=dict)
    requested: models.JSONField[Any, Any] = models.JSONField(default=dict)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=now)
    submitted_at = models.DateTimeField(null=True)
    allocated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (state_check(APPLICATION, "programmes_application_state"),)
        indexes = (
            models.Index(fields=["organisation", "-created_at"], name="programmes_application_org"),
            models.Index(
                fields=["submitted_at", "allocated_at"],
                name="programmes_application_time",
                condition=models.Q(allocated_at__isnull=False),
            ),
            models.Index(Lowered("title"), name="programmes_application_found"),
        )

    def __str__(self) -> str:
        return f"application {self.id}"


class Decision(AppendOnlyModel):
    """A decision as it was made: the facts that the rules saw, what each rule said, and the rules' digest.

    ``number`` 1 is the first decision; a later one (after an objection) stands beside it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    application = models.ForeignKey("programmes.Application", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(default=1)
    path = models.CharField(max_length=16)
    selected = models.BooleanField()
    reasons: models.JSONField[Any, Any] = models.JSONField()
    facts: models.JSONField[Any, Any] = models.JSONField()
    rules_digest = models.CharField(max_length=64)
    decided_by = models.CharField(max_length=80)
    decided_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["application", "number"], name="programmes_decision_number"),
        )

    def __str__(self) -> str:
        return f"decision {self.number} of {self.application_id}"


class Agreement(AppendOnlyModel):
    """A frozen text; an amendment would be a row with the next number."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    application = models.ForeignKey("programmes.Application", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(default=1)
    text = models.TextField()
    digest = models.CharField(max_length=64)
    sign_by = models.DateField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["application", "number"], name="programmes_agreement_number"),
        )
        indexes = (models.Index(fields=["sign_by"], name="programmes_agreement_sign_by"),)

    def __str__(self) -> str:
        return f"agreement {self.number} of {self.application_id}"


class Signature(AppendOnlyModel):
    """One side's signature: who, when, under which digest, and what the page showed at that moment."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agreement = models.ForeignKey("programmes.Agreement", on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=16)
    actor = models.CharField(max_length=80)
    digest = models.CharField(max_length=64)
    shown: models.JSONField[Any, Any] = models.JSONField()
    signed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["agreement", "side"], name="programmes_signature_once"),)

    def __str__(self) -> str:
        return f"{self.side} signature of {self.agreement_id}"
