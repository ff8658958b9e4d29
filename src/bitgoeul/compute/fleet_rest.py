"""The fleet and the queue over REST, for the operator's people."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.accounts.facade import actor_of

from . import fleet
from .types import NodeTypeView, PartitionView

router = Router(tags=["fleet"])


class NodeTypeOut(Schema):
    """Equal nodes; ``peak_gflops`` is one device's at ``precision`` as ``peak_source`` says; 0: not stated."""

    code: str
    kind: str
    device: str
    unit: str
    nodes: int
    devices_per_node: int
    peak_gflops: int
    precision: str
    peak_source: dict[str, str]
    memory_gib: int
    device_memory_gib: int
    idle_watts: int
    max_watts: int
    devices_used: int
    devices_idle: int
    devices_drained: int
    devices_unknown: int


class PartitionOut(Schema):
    """A part of the fleet; ``counted`` says that its peak is in the totals."""

    code: str
    title: dict[str, str]
    note: dict[str, str]
    counted: bool
    is_planned: bool
    is_example: bool
    looked_at: datetime | None
    types: list[NodeTypeOut]


class StorageOut(Schema):
    """A storage system, in decimal terabytes."""

    title: dict[str, str]
    capacity_tb: int
    is_example: bool


class FleetOut(Schema):
    """The fleet; ``total_gflops`` by precision, for figures of two precisions are never added."""

    partitions: list[PartitionOut]
    storage: list[StorageOut]
    total_gflops: dict[str, int]


class QueueRowOut(Schema):
    """A project's unfinished jobs."""

    project_id: UUID
    waiting: int
    running: int
    unknown: int
    oldest: datetime | None


class QueueOut(Schema):
    """One page of the queue by project, with the totals over all of it."""

    items: list[QueueRowOut]
    page: int
    last: int
    total: int
    waiting: int
    running: int
    unknown: int
    oldest: datetime | None


def _type(one: NodeTypeView) -> NodeTypeOut:
    same = ("code", "device", "unit", "nodes", "devices_per_node", "peak_gflops", "precision", "memory_gib",
            "device_memory_gib", "idle_watts", "max_watts")  # fmt: skip
    return NodeTypeOut(
        **{name: getattr(one, name) for name in same},
        kind=str(one.kind),
        peak_source={"ko": one.peak_source.ko, "en": one.peak_source.en},
        devices_used=one.used,
        devices_idle=one.idle,
        devices_drained=one.drained,
        devices_unknown=one.unknown,
    )


def _partition(one: PartitionView) -> PartitionOut:
    return PartitionOut(
        code=one.code,
        title={"ko": one.title.ko, "en": one.title.en},
        note={"ko": one.note.ko, "en": one.note.en},
        counted=one.counted,
        is_planned=one.is_planned,
        is_example=one.is_example,
        looked_at=one.looked_at,
        types=[_type(kind) for kind in one.types],
    )


@router.get("/fleet", response=FleetOut)
def fleet_now(request: HttpRequest) -> FleetOut:
    """The fleet as it stands (operator)."""
    found = fleet.fleet(actor=actor_of(request))
    storage = [
        StorageOut(
            title={"ko": one.title.ko, "en": one.title.en}, capacity_tb=one.capacity_tb, is_example=one.is_example
        )
        for one in found.storage
    ]
    return FleetOut(
        partitions=[_partition(one) for one in found.partitions],
        storage=storage,
        total_gflops=dict(found.total_gflops),
    )


@router.get("/fleet/queue", response=QueueOut)
def queue(request: HttpRequest, order: str = "", page: int = 1) -> QueueOut:
    """Unfinished jobs by project, the longest wait first (operator); ``order``: oldest, waiting, running."""
    actor = actor_of(request)
    found, totals = fleet.queue(actor=actor, order=order, page=page), fleet.queue_totals(actor=actor)
    return QueueOut(
        items=[QueueRowOut.model_validate(one, from_attributes=True) for one in found.items],
        page=found.number,
        last=found.last,
        total=found.total,
        waiting=totals.waiting,
        running=totals.running,
        unknown=totals.unknown,
        oldest=totals.oldest,
    )
