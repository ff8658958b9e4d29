"""Evidence: what was signed, who may see it, and its place in the log. All of it append-only."""

from __future__ import annotations

from django.db import models

from bitgoeul.audit.facade import AppendOnlyModel
from bitgoeul.kernel.clock import now

from ..evidence_types import Visibility
from ..ports import Outcome


class Evidence(AppendOnlyModel):
    """One signed evidence file; ``id`` is the caller's name for the judgement it states."""

    id = models.UUIDField(primary_key=True, editable=False)
    digest = models.CharField(max_length=64, unique=True)
    trial = models.ForeignKey("trials.Trial", on_delete=models.PROTECT, related_name="+")
    subject_version = models.ForeignKey("trials.SubjectVersion", on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    subject_name = models.CharField(max_length=200)
    protocol_name = models.CharField(max_length=80)
    protocol_version = models.CharField(max_length=40)
    attempt = models.PositiveIntegerField()
    outcome = models.CharField(max_length=12)
    record_digest = models.CharField(max_length=64)
    keyid = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    issued_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(outcome__in=sorted(map(str, Outcome))), name="trials_evidence_outcome"
            ),
        )
        indexes = (
            models.Index(fields=["project", "issued_at"], name="trials_evidence_project"),
            models.Index(fields=["issued_at"], name="trials_evidence_issued"),
        )

    def __str__(self) -> str:
        return self.digest


class EvidenceVisibility(AppendOnlyModel):
    """Who may see a piece of evidence from now on; the row with the highest version counts."""

    id = models.UUIDField(primary_key=True, editable=False)
    evidence = models.ForeignKey("trials.Evidence", on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField()
    visibility = models.CharField(max_length=12)
    organisations = models.JSONField(default=list)
    embargo_until = models.DateTimeField(null=True)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            # Two changes at once: one gets the version, the other is told to look again.
            models.UniqueConstraint(fields=["evidence", "version"], name="trials_visibility_version"),
            models.CheckConstraint(
                condition=models.Q(visibility__in=sorted(map(str, Visibility))), name="trials_visibility_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.evidence_id} {self.visibility}"


class EvidenceInvalidation(AppendOnlyModel):
    """Evidence that must no longer be relied on, and why; the file itself stays."""

    id = models.UUIDField(primary_key=True, editable=False)
    evidence = models.OneToOneField("trials.Evidence", on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=400)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.evidence_id} invalidated"


class EvidenceLog(AppendOnlyModel):
    """The evidence log: each position covers the one before; unique columns decide between two writers."""

    sequence = models.BigIntegerField(primary_key=True)
    evidence = models.OneToOneField("trials.Evidence", on_delete=models.PROTECT, related_name="+")
    previous = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"evidence log {self.sequence}"
