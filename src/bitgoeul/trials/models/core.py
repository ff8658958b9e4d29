"""Subjects and their immutable versions, protocols by digest, trials, and judgements."""

from __future__ import annotations

from typing import Any

from django.db import models

from bitgoeul.audit.facade import AppendOnlyModel, StatefulModel, state_check, state_field
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import Lowered

from ..evidence_types import Visibility
from ..ports import Outcome
from ..states import TRIAL


class Subject(AppendOnlyModel):
    """What a project has tried: a name and a kind. What is measured is one of its versions."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=24)
    created_at = models.DateTimeField(default=now)
    created_by = models.CharField(max_length=80)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["project", "name"], name="trials_subject_name"),)
        indexes = (
            models.Index(fields=["project", "-created_at"], name="trials_subject_project"),
            models.Index(Lowered("name"), name="trials_subject_found"),
        )

    def __str__(self) -> str:
        return self.name


class SubjectVersion(AppendOnlyModel):
    """One immutable version of a subject, named by the digest of its file."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subject = models.ForeignKey("trials.Subject", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    filename = models.CharField(max_length=120)
    note = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField(default=now)
    created_by = models.CharField(max_length=80)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["subject", "number"], name="trials_version_number"),
            models.UniqueConstraint(fields=["subject", "digest"], name="trials_version_digest"),
        )

    def __str__(self) -> str:
        return f"{self.subject_id} v{self.number}"


class ProtocolVersion(AppendOnlyModel):
    """A protocol as data; its name is the digest of the canonical definition."""

    digest = models.CharField(max_length=64, primary_key=True)
    code = models.CharField(max_length=64)
    version = models.CharField(max_length=24)
    definition: models.JSONField[Any, Any] = models.JSONField()
    registered_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (models.Index(fields=["code", "-registered_at"], name="trials_protocol_code"),)

    def __str__(self) -> str:
        return f"{self.code} {self.version}"


class Trial(StatefulModel):
    """One run of a protocol on a subject version. ``outcome`` repeats the newest judgement, for lists.

    ``organisations`` are the ids that a NAMED visibility names. ``project`` and ``subject_digest`` repeat what
    the version says, so that the database counts attempts by the bytes: no two trials of the same file in one
    project under one protocol have the same number, under whatever name the file was handed in.
    """

    machine = TRIAL
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    state = state_field(TRIAL)
    subject_version = models.ForeignKey("trials.SubjectVersion", on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    subject_digest = models.CharField(max_length=64)
    protocol = models.ForeignKey("trials.ProtocolVersion", on_delete=models.PROTECT, related_name="+")
    parameters: models.JSONField[Any, Any] = models.JSONField()
    attempt = models.PositiveIntegerField()
    visibility = models.CharField(max_length=12)
    organisations: models.JSONField[Any, Any] = models.JSONField(default=list)
    embargo_until = models.DateTimeField(null=True)
    job_id = models.UUIDField(unique=True)
    expected_seconds = models.PositiveIntegerField()
    record_digest = models.CharField(max_length=64, blank=True, default="")
    logs_digest = models.CharField(max_length=64, blank=True, default="")
    outcome = models.CharField(max_length=12, blank=True, default="")
    evidence_digest = models.CharField(max_length=64, blank=True, default="")
    requested_at = models.DateTimeField(default=now)
    requested_by = models.CharField(max_length=80)

    class Meta:
        constraints = (
            state_check(TRIAL, "trials_trial_state"),
            models.UniqueConstraint(
                fields=["project", "subject_digest", "protocol", "attempt"], name="trials_trial_attempt"
            ),
            models.CheckConstraint(
                condition=models.Q(visibility__in=sorted(map(str, Visibility))), name="trials_trial_visibility"
            ),
            models.CheckConstraint(
                condition=models.Q(outcome__in=["", *sorted(map(str, Outcome))]), name="trials_trial_outcome"
            ),
        )
        indexes = (models.Index(fields=["subject_version", "-requested_at"], name="trials_trial_version"),)

    def __str__(self) -> str:
        return f"trial {self.id}"


class Judgement(AppendOnlyModel):
    """One act of judging a record; number 1 is the first, later ones stand beside it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trial = models.ForeignKey("trials.Trial", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=12)
    reasons: models.JSONField[Any, Any] = models.JSONField()
    attempts = models.PositiveIntegerField()
    record_digest = models.CharField(max_length=64, blank=True, default="")
    judged_at = models.DateTimeField(default=now)
    judged_by = models.CharField(max_length=80)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["trial", "number"], name="trials_judgement_number"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=sorted(map(str, Outcome))), name="trials_judgement_outcome"
            ),
        )

    def __str__(self) -> str:
        return f"{self.trial_id} {self.outcome}"
