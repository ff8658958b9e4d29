"""Reported figures, indicators by version, claims and what became of them; nothing is ever overwritten."""

from __future__ import annotations

from typing import Any

from django.db import models

from bitgoeul.audit.facade import AppendOnlyModel
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id


class FigureVersion(AppendOnlyModel):
    """One version of a figure with its reports; the highest number is the figure as it stands."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    body: models.JSONField[Any, Any] = models.JSONField()
    order = models.PositiveIntegerField()
    loaded_by = models.CharField(max_length=80)
    loaded_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["code", "number"], name="outcomes_figure_version"),)

    def __str__(self) -> str:
        return f"{self.code} v{self.number}"


class IndicatorVersion(AppendOnlyModel):
    """One version of the rule that verifies a figure here; the highest number is the rule in force."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    figure = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    body: models.JSONField[Any, Any] = models.JSONField()
    loaded_by = models.CharField(max_length=80)
    loaded_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["figure", "number"], name="outcomes_indicator_version"),)

    def __str__(self) -> str:
        return f"{self.figure} v{self.number}"


class VerifiedClaim(AppendOnlyModel):
    """A figure and a piece of evidence that counted for it at least once; one row for each pair."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    figure = models.CharField(max_length=64)
    evidence_digest = models.CharField(max_length=64)
    trial_id = models.UUIDField()
    subject_digest = models.CharField(max_length=64)
    subject_version_id = models.UUIDField()
    project_id = models.UUIDField()
    organisation_id = models.UUIDField()
    issued_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["figure", "evidence_digest"], name="outcomes_claim_once"),)
        indexes = (models.Index(fields=["evidence_digest"], name="outcomes_claim_evidence"),)

    def __str__(self) -> str:
        return f"{self.figure} by {self.evidence_digest}"


class ClaimChange(AppendOnlyModel):
    """A claim begins or ceases to count, and by which version of the rule; the last change is what holds."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    claim = models.ForeignKey("outcomes.VerifiedClaim", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    counted = models.BooleanField()
    indicator = models.ForeignKey("outcomes.IndicatorVersion", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["claim", "number"], name="outcomes_claim_change"),)

    def __str__(self) -> str:
        return f"change {self.number} of {self.claim_id}"


class Announced(models.Model):
    """Evidence that news told of; ``look_again`` while the end of an embargo may still make it public."""

    evidence_digest = models.CharField(max_length=64, primary_key=True)
    look_again = models.BooleanField(default=False)
    looked_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (
            models.Index(
                fields=["looked_at"], name="outcomes_announced_again", condition=models.Q(look_again=True)
            ),
        )

    def __str__(self) -> str:
        return self.evidence_digest
