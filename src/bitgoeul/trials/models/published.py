"""Results that others published, as they were read; another reading of the same place is another row."""

from __future__ import annotations

from typing import Any

from django.db import models

from bitgoeul.audit.facade import AppendOnlyModel
from bitgoeul.kernel.clock import now


class PublishedImport(AppendOnlyModel):
    """One reading of a tree: where it was retrieved from and when; ``reviewed``: MLCommons published it."""

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.CharField(max_length=300)
    retrieved_on = models.DateField()
    reviewed = models.BooleanField()
    results = models.PositiveIntegerField()
    actor = models.CharField(max_length=80)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.source


class PublishedResult(AppendOnlyModel):
    """One result of others; of a ``place`` (round, submitter … run) the highest ``version`` counts.

    ``row`` is ``published.mlperf.Result.stored()``; the columns beside it repeat what lists ask for. ``kind`` is
    shared by results that may be compared.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    origin = models.ForeignKey("trials.PublishedImport", on_delete=models.PROTECT, related_name="+")
    place = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=64)
    round = models.CharField(max_length=16)
    submitter = models.CharField(max_length=160)
    system = models.CharField(max_length=160)
    accelerator = models.CharField(max_length=160)
    benchmark = models.CharField(max_length=80)
    scenario = models.CharField(max_length=40)
    result_id = models.CharField(max_length=40, blank=True, default="")
    row: models.JSONField[Any, Any] = models.JSONField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["place", "version"], name="trials_published_version"),)
        indexes = (
            models.Index(fields=["benchmark", "scenario", "round"], name="trials_published_work"),
            models.Index(fields=["round", "submitter", "system"], name="trials_published_round"),
            models.Index(fields=["kind"], name="trials_published_kind"),
        )

    def __str__(self) -> str:
        return f"{self.round} {self.submitter} {self.system} {self.benchmark} {self.scenario}"
