"""The fleet and the queue over REST, for the operator's people."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.accounts.facade import actor_of
from bitgoeul.web.facade import Paged, PageNumber, page_of_items, paged, refusals, render_text

from . import fleet
from .metering import Line
from .ports import NodeState
from .reconciliations import ReconciliationView, reconciliations
from .types import DriftView, NodeTypeView, NodeView, PartitionView

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


class NodeOut(Schema):
    """One node as its engine last said."""

    code: str
    partition: dict[str, str]
    device: str
    devices: int
    used: int
    state: NodeState
    reason: str


class NodeList(Paged):
    """One page of nodes, by name."""

    items: list[NodeOut]


class QueueRowOut(Schema):
    """A project's unfinished jobs."""

    project_id: UUID
    waiting: int
    running: int
    unknown: int
    oldest: datetime | None


class QueueOut(Paged):
    """One page of the queue by project, with the totals over all of it."""

    items: list[QueueRowOut]
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


@router.get("/fleet", response={200: FleetOut, **refusals(403)}, summary="The fleet as it stands")
def get_fleet(request: HttpRequest) -> FleetOut:
    """Partitions, node types and storage. The operator's people may."""
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


def _node(one: NodeView) -> NodeOut:
    return NodeOut(
        code=one.code,
        partition={"ko": one.partition.ko, "en": one.partition.en},
        device=one.device,
        devices=one.devices,
        used=one.used,
        state=NodeState(one.state),
        reason=one.reason,
    )


@router.get("/fleet/nodes", response={200: NodeList, **refusals(403)}, summary="The nodes")
def list_nodes(
    request: HttpRequest, partition: str = "", state: NodeState | None = None, page: PageNumber = 1
) -> NodeList:
    """By name, all or those of one partition or state. The operator's people may."""
    wanted = partition.replace("\0", "")[:48]
    found = fleet.nodes(actor=actor_of(request), partition=wanted, state=str(state or ""), page=page)
    return paged(NodeList, found, _node)


@router.get("/fleet/queue", response={200: QueueOut, **refusals(403)}, summary="Unfinished jobs by project")
def list_queue(request: HttpRequest, order: str = "", page: PageNumber = 1) -> QueueOut:
    """The longest wait first; ``order`` is oldest, waiting or running. The operator's people may."""
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


class DriftOut(Schema):
    """One difference at a cluster; ``account`` is empty for what concerns all of it."""

    account: str
    what: str
    wanted: str
    found: str
    advice: str
    mendable: bool


class DriftLookOut(Schema):
    """What a cluster's accounts were last seen to differ in; ``count`` is whole, ``differences`` the first 500."""

    cluster: str
    asked_at: datetime | None
    looked_at: datetime | None
    accounting_read_until: datetime | None
    problem: str | None
    count: int
    differences: list[DriftOut]


class DriftLookList(Paged):
    """One page of the looks, by cluster."""

    items: list[DriftLookOut]


@router.get("/fleet/accounts", response={200: DriftLookList, **refusals(403)}, summary="Drift of accounts")
def list_drift(request: HttpRequest, page: PageNumber = 1) -> DriftLookList:
    """The last look at each cluster that keeps accounts of its own. The operator's people may."""
    return paged(DriftLookList, page_of_items(fleet.drift_looks(actor=actor_of(request)), page), _drift_look)


def _drift_look(one: DriftView) -> DriftLookOut:
    return DriftLookOut(
        cluster=one.cluster,
        asked_at=one.asked_at,
        looked_at=one.looked_at,
        accounting_read_until=one.read_until,
        problem=render_text(one.problem) if one.problem else None,
        count=one.count,
        differences=[
            DriftOut(
                account=each.account, what=each.what, wanted=each.wanted, found=each.found,
                advice=render_text(each.advice), mendable=each.mendable,
            )
            for each in one.found
        ],
    )  # fmt: skip


class CauseOut(Schema):
    """What one cause explains; its names are in the reference of metering."""

    cause: str
    amount: str
    records: int


class ComparedOut(Schema):
    """One project (null: accounts of none) and resource; ``slurm`` − ``charged`` = the causes + ``unexplained``.

    Amounts are thousandths of a core or device times seconds, as decimal strings.
    """

    account: str | None
    resource: str
    slurm: str
    used: str
    charged: str
    causes: list[CauseOut]
    unexplained: str


class ReconciliationOut(Schema):
    """What was last found at a cluster; nulls while nobody compared. ``lines`` are the first 500 of ``count``."""

    cluster: str
    made_at: datetime | None
    since: date | None
    last: date | None
    rolled_until: datetime | None
    accounting_read_until: datetime | None
    records: int
    count: int
    unexplained: int
    left_out: dict[str, int]
    nobodys: dict[str, dict[str, str]]
    lines: list[ComparedOut]


class ReconciliationList(Paged):
    """One page of them, by cluster."""

    items: list[ReconciliationOut]


@router.get(
    "/fleet/reconciliation",
    response={200: ReconciliationList, **refusals(403)},
    summary="A cluster's own sums against the books",
)
def list_reconciliations(request: HttpRequest, page: PageNumber = 1) -> ReconciliationList:
    """The last comparison with each cluster that sums up by itself. The operator's people may."""
    found = reconciliations(actor=actor_of(request))
    return paged(ReconciliationList, page_of_items(found, page), _reconciliation)


def _reconciliation(one: ReconciliationView) -> ReconciliationOut:
    return ReconciliationOut(
        cluster=one.cluster,
        made_at=one.made_at,
        since=one.since,
        last=one.last,
        rolled_until=one.rolled_until,
        accounting_read_until=one.read_until,
        records=one.records,
        count=one.count,
        unexplained=one.unexplained,
        left_out=dict(one.left_out or {}),
        nobodys={
            kind: {resource: str(amount) for resource, amount in each.items()}
            for kind, each in (one.nobodys or {}).items()
        },
        lines=[_compared(line) for line in one.lines],
    )


def _compared(line: Line) -> ComparedOut:
    return ComparedOut(
        account=line.account or None,
        resource=line.resource,
        slurm=str(line.slurm),
        used=str(line.used),
        charged=str(line.charged),
        unexplained=str(line.unexplained),
        causes=[
            CauseOut(cause=str(cause), amount=str(told.amount), records=told.records)
            for cause, told in line.causes.items()
        ],
    )
