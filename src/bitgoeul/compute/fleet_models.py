"""The fleet: partitions, types of nodes, nodes with what an engine last said of them, and storage."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from .ports import NodeState
from .types import DeviceKind


class Partition(models.Model):
    """A part of the fleet; ``cluster`` names whose engine reports its nodes, null while nothing does.

    ``counted`` says that its peak belongs to the totals, ``looked_at`` when an engine last reported.
    """

    code = models.SlugField(primary_key=True, max_length=48)
    cluster = models.ForeignKey("compute.Cluster", on_delete=models.PROTECT, null=True, related_name="+")
    order = models.PositiveSmallIntegerField(default=100)
    title_ko = models.CharField(max_length=120)
    title_en = models.CharField(max_length=120)
    note_ko = models.CharField(max_length=600, blank=True, default="")
    note_en = models.CharField(max_length=600, blank=True, default="")
    counted = models.BooleanField(default=False)
    is_planned = models.BooleanField(default=False)
    is_example = models.BooleanField(default=False)
    looked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.code


class NodeType(models.Model):
    """Equal nodes of a partition: how many, with which devices, and what one device can do at most.

    ``peak_gflops`` is per device at the named ``precision``; 0 when nobody states it. ``unit`` is the ledger unit
    of the device's time, empty when it is not allotted.
    """

    code = models.SlugField(primary_key=True, max_length=64)
    partition = models.ForeignKey("compute.Partition", on_delete=models.PROTECT, related_name="+")
    order = models.PositiveSmallIntegerField(default=100)
    kind = models.CharField(max_length=8)
    device = models.CharField(max_length=80)
    unit = models.CharField(max_length=40, blank=True, default="")
    node_count = models.PositiveIntegerField()
    devices_per_node = models.PositiveIntegerField()
    peak_gflops = models.PositiveBigIntegerField(default=0)
    precision = models.CharField(max_length=60, blank=True, default="")
    peak_source_ko = models.CharField(max_length=400, blank=True, default="")
    peak_source_en = models.CharField(max_length=400, blank=True, default="")
    memory_gib = models.PositiveIntegerField(default=0)
    device_memory_gib = models.PositiveIntegerField(default=0)
    idle_watts = models.PositiveIntegerField(default=0)
    max_watts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=sorted(map(str, DeviceKind))), name="compute_node_kind"),
            models.CheckConstraint(condition=Q(max_watts__gte=F("idle_watts")), name="compute_node_watts"),
        )

    def __str__(self) -> str:
        return self.code


class Node(models.Model):
    """One node with what was last said of it: an observation of something outside, not a state we move."""

    code = models.CharField(primary_key=True, max_length=80)
    node_type = models.ForeignKey("compute.NodeType", on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=8, default=NodeState.UNKNOWN)
    used = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(state__in=sorted(map(str, NodeState))), name="compute_node_state"),
        )
        indexes = (
            models.Index(fields=["node_type", "state", "used"], name="compute_node_counts"),
            models.Index(fields=["state", "code"], name="compute_node_by_state"),
        )

    def __str__(self) -> str:
        return self.code


class StorageSystem(models.Model):
    """A storage system with its capacity in decimal terabytes."""

    code = models.SlugField(primary_key=True, max_length=48)
    title_ko = models.CharField(max_length=120)
    title_en = models.CharField(max_length=120)
    capacity_tb = models.PositiveIntegerField()
    is_example = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.code


class DriftLook(models.Model):
    """What a cluster's accounts were last seen to differ in; the next look overwrites it.

    ``count`` is whole, ``found`` its first differences. ``problem`` says why the last try brought nothing; what
    was seen before stays. ``asked_at`` is when somebody asked for a look that has not been tried yet.
    """

    cluster = models.OneToOneField("compute.Cluster", on_delete=models.PROTECT, primary_key=True, related_name="+")
    asked_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)
    count = models.PositiveIntegerField(default=0)
    found = models.JSONField(default=list)
    problem = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.cluster_id}: {self.count}"
