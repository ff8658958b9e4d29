"""What a cluster's accounting told, and its sums by day."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from bitgoeul.audit.facade import AppendOnlyModel
from bitgoeul.kernel.clock import now


class MeteredCluster(models.Model):
    """A cluster whose accounting is read; its row is the lock under which one reading at a time writes.

    ``pulled_until`` is up to when the cluster itself was asked; null where only exports are read.
    """

    code = models.SlugField(primary_key=True, max_length=40)
    read_at = models.DateTimeField(default=now)
    pulled_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.code


class MeteredRecord(models.Model):
    """One allocation of one job as last read; what it was before stands in the usage records and the ledger.

    The id is derived from cluster, raw job id, submit and start. Moments are seconds since 1970 in UTC; of a
    record that is not ``final``, ``end`` is up to when its use is known. ``charges`` lists resource, month,
    allocation and amount; ``is_settled`` is false while a part could not be charged, so that
    reading it again tries again.
    """

    id = models.UUIDField(primary_key=True)
    cluster = models.ForeignKey(
        "compute.MeteredCluster", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    raw_id = models.CharField(max_length=40)
    job_id = models.CharField(max_length=80)
    account = models.CharField(max_length=120, blank=True)
    project = models.ForeignKey(
        "accounts.Project", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    state = models.CharField(max_length=16)
    submit = models.BigIntegerField()
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    elapsed = models.BigIntegerField()
    final = models.BooleanField()
    cores_milli = models.BigIntegerField()
    memory_mib = models.BigIntegerField()
    nodes = models.IntegerField()
    devices = models.JSONField(default=dict)
    requested = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=0)
    charges = models.JSONField(default=list)
    is_settled = models.BooleanField()
    refunded_permille = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(end__gte=F("start"), elapsed__gte=0), name="compute_metered_record_span"
            ),
            models.CheckConstraint(condition=Q(refunded_permille__lte=1000), name="compute_metered_record_refund"),
        )
        indexes = (models.Index(fields=["project", "end"], name="compute_metered_project"),)

    def __str__(self) -> str:
        return f"{self.cluster_id} {self.job_id}"


class DayUse(models.Model):
    """What a project used of a resource on a day, kept by the transaction that takes a record in.

    The id is derived from the columns before ``amount``. Units: ``compute.metering.rollups``; what is not of a
    device stands with the resource ``cpu``. What changes of a closed month stands on the first day of the month
    that was open then, so sums may be below zero.
    """

    id = models.UUIDField(primary_key=True)
    day = models.DateField()
    cluster = models.ForeignKey(
        "compute.MeteredCluster", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    project = models.ForeignKey(
        "accounts.Project", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    resource = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    charged = models.BigIntegerField()
    memory = models.BigIntegerField(default=0)
    node = models.BigIntegerField(default=0)
    wall = models.BigIntegerField(default=0)
    wait = models.BigIntegerField(default=0)
    started = models.BigIntegerField(default=0)
    ended = models.BigIntegerField(default=0)
    submitted = models.BigIntegerField(default=0)

    class Meta:
        indexes = (
            models.Index(fields=["day", "project", "resource"], name="compute_day_use_day"),
            models.Index(fields=["project", "day"], name="compute_day_use_project"),
            # Most of what is metered is charged; a report of what is not must not read the rest.
            models.Index(fields=["day"], name="compute_day_use_free", condition=~Q(amount=F("charged"))),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.resource}"


class ClosedMonth(AppendOnlyModel):
    """A month of the site's zone whose figures no longer change: what comes later enters the next open month."""

    month = models.CharField(primary_key=True, max_length=7)
    closed_at = models.DateTimeField(default=now)
    closed_by = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.month


class Reconciliation(models.Model):
    """The last time that a cluster's own roll-up was held against the books; the next one overwrites it.

    The period is the days from ``since`` up to, not with, ``until``; the roll-up had come to ``rolled_until``, the
    books to ``read_until``. ``count`` lines were compared and ``unexplained`` of them have something that no cause
    explains; ``lines`` are the first, ``nobodys`` what the cluster had and is no account's, ``left_out`` the lines
    that could not be read, by reason.
    """

    cluster = models.OneToOneField("compute.Cluster", on_delete=models.PROTECT, primary_key=True, related_name="+")
    since = models.DateField()
    until = models.DateField()
    made_at = models.DateTimeField(default=now)
    rolled_until = models.DateTimeField()
    read_until = models.DateTimeField(null=True)
    records = models.PositiveIntegerField()
    count = models.PositiveIntegerField()
    unexplained = models.PositiveIntegerField()
    lines = models.JSONField(default=list)
    nobodys = models.JSONField(default=dict)
    left_out = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.cluster_id} {self.since} {self.until}"
