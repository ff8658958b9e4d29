"""Clusters, jobs, what they hold and what they left."""

from __future__ import annotations

from django.db import models

from bitgoeul.audit.facade import AppendOnlyModel, StatefulModel, state_check, state_field
from bitgoeul.kernel.clock import now
from bitgoeul.web.facade import Lowered

from .fleet_models import DriftLook, Node, NodeType, Partition, StorageSystem
from .metering_models import ClosedMonth, DayUse, MeteredCluster, MeteredRecord, Reconciliation
from .states import MACHINE

__all__ = [
    "ClosedMonth",
    "Cluster",
    "DayUse",
    "DriftLook",
    "Job",
    "JobAfter",
    "JobArtefact",
    "JobHold",
    "JobSamples",
    "MeteredCluster",
    "MeteredRecord",
    "Node",
    "NodeType",
    "Partition",
    "Reconciliation",
    "StorageSystem",
    "Sweep",
]


class Cluster(models.Model):
    """Where jobs run: which engine, its settings, and the ledger unit of each device it offers."""

    code = models.SlugField(primary_key=True, max_length=40)
    title = models.CharField(max_length=120)
    engine = models.CharField(max_length=40)
    config = models.JSONField(default=dict)
    device_units = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.code


class Sweep(AppendOnlyModel):
    """Jobs that differ in their parameters alone: ``points`` has for each job the values of ``parameters``."""

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    request = models.JSONField()
    parameters = models.JSONField()
    points = models.JSONField()
    submitted_by = models.CharField(max_length=80)
    submitted_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (models.Index(fields=["project", "-submitted_at"], name="compute_sweep_project"),)

    def __str__(self) -> str:
        return self.name


class Job(StatefulModel):
    """One job: what was asked, where it stands, what it used.

    ``handle`` is the engine's own name for it; null while nobody knows that the engine has it. Only the follower
    that holds ``lease_until`` may hand a job over; ``not_before`` delays the next try after a failure.
    """

    machine = MACHINE
    state = state_field(MACHINE)

    id = models.UUIDField(primary_key=True)
    cluster = models.ForeignKey("compute.Cluster", on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    request = models.JSONField()
    request_digest = models.CharField(max_length=64)
    submitted_by = models.CharField(max_length=80)
    submitted_at = models.DateTimeField(default=now)
    origin_kind = models.CharField(max_length=40, blank=True, default="")
    origin_id = models.CharField(max_length=80, blank=True, default="")
    origin_label = models.CharField(max_length=200, blank=True, default="")
    sweep = models.ForeignKey("compute.Sweep", on_delete=models.PROTECT, related_name="+", null=True)
    sweep_index = models.PositiveSmallIntegerField(null=True)

    handle = models.JSONField(null=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    unlisted_since = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    ending = models.CharField(max_length=24, blank=True, default="")
    reason = models.JSONField(null=True)
    charged = models.JSONField(default=dict)
    measured = models.JSONField(default=dict)
    environment = models.JSONField(default=dict)

    class Meta:
        constraints = (
            state_check(MACHINE, "compute_job_state"),
            models.UniqueConstraint(fields=["sweep", "sweep_index"], name="compute_job_of_sweep"),
        )
        indexes = (
            models.Index(fields=["cluster", "state", "submitted_at"], name="compute_job_queue"),
            models.Index(fields=["project", "-submitted_at"], name="compute_job_project"),
            models.Index(fields=["origin_kind", "origin_id"], name="compute_job_origin"),
            # The queue is a small part of all jobs, and what counts it must not read those that have ended.
            models.Index(
                fields=["project", "state", "submitted_at"],
                name="compute_job_unfinished",
                condition=models.Q(ended_at=None),
            ),
            models.Index(Lowered("name"), "id", name="compute_job_found"),
            models.Index("project", Lowered("name"), "id", name="compute_job_found_in"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"


class JobHold(AppendOnlyModel):
    """What one job holds of one allocation; written with the job, settled or released with its end."""

    hold_id = models.UUIDField(primary_key=True)
    job = models.ForeignKey("compute.Job", on_delete=models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    allocation = models.ForeignKey("resources.Allocation", on_delete=models.PROTECT, related_name="+")
    unit = models.CharField(max_length=40)
    amount = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "number"], name="compute_job_hold_once"),)

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}"


class JobAfter(AppendOnlyModel):
    """One job waits for another's success; ``after`` was there before ``job``, so nobody waits in a circle."""

    job = models.ForeignKey("compute.Job", on_delete=models.PROTECT, related_name="+")
    after = models.ForeignKey("compute.Job", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "after"], name="compute_job_after_once"),)

    def __str__(self) -> str:
        return f"{self.job_id} after {self.after_id}"


class JobArtefact(AppendOnlyModel):
    """A file that an ended job left: a log or a promised output, kept in the content room."""

    job = models.ForeignKey("compute.Job", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    name = models.CharField(max_length=128)
    blob = models.ForeignKey("content.Blob", on_delete=models.PROTECT, related_name="+")
    truncated = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "role", "name"], name="compute_job_artefact_once"),)

    def __str__(self) -> str:
        return f"{self.role} {self.name}"


class JobSamples(AppendOnlyModel):
    """How an ended job's use went: points of ``ports.Sample`` in order, as lists."""

    job = models.OneToOneField("compute.Job", on_delete=models.PROTECT, primary_key=True, related_name="+")
    points = models.JSONField()

    def __str__(self) -> str:
        return str(self.pk)
