"""Reading the fleet and the queue: sums made by the database, so that a larger fleet costs the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, Count, F, Min, Q, QuerySet, Sum, Value, When

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.text import N_, Label, Text
from bitgoeul.web.facade import Page, page_of

from .engines import engine_of
from .models import Cluster, DriftLook, Job, MeteredCluster, Node, NodeType, Partition, StorageSystem
from .ports import Drift, NodeState, Provisioner
from .queries import views
from .states import JobState
from .types import (
    DeviceKind,
    DriftView,
    EngineHealth,
    FleetView,
    JobView,
    NodeTypeView,
    NodeView,
    PartitionView,
    QueueRow,
    QueueTotals,
    StorageView,
)

STALE = timedelta(minutes=5)
PARTITIONS_MAX = 100
TYPES_MAX = 400
CLUSTERS_MAX = 50
UNKNOWN_SHOWN_MAX = 20
EXPORT_MAX = 50_000
QUEUE_ORDERS: Mapping[str, tuple[Text, tuple[str, ...]]] = {
    "oldest": (Text(N_("Longest wait first")), ("oldest", "project_id")),
    "waiting": (Text(N_("Most waiting first")), ("-waiting", "project_id")),
    "running": (Text(N_("Most running first")), ("-running", "project_id")),
}
WAITING = (JobState.QUEUED, JobState.SUBMITTED)


def _stated(moment: datetime) -> Case:
    """A node's state as it may be shown: what an engine said long ago is not known any more."""
    silent = Q(node_type__partition__cluster__isnull=False) & (
        Q(node_type__partition__looked_at__lt=moment - STALE) | Q(node_type__partition__looked_at=None)
    )
    return Case(When(silent, then=Value(str(NodeState.UNKNOWN))), default=F("state"), output_field=CharField())


def _counts() -> dict[str, dict[str, int]]:
    """Devices by type and state; a row for each type and state, however many nodes there are."""
    rows = Node.objects.annotate(shown=_stated(now())).values("node_type_id", "shown")
    found: dict[str, dict[str, int]] = {}
    for row in rows.annotate(nodes=Count("pk"), taken=Sum("used")).order_by():
        found.setdefault(row["node_type_id"], {})[row["shown"]] = row["nodes"]
        if row["shown"] == NodeState.USED:
            found[row["node_type_id"]]["taken"] = row["taken"]
    return found


def _type_view(row: NodeType, counts: Mapping[str, int]) -> NodeTypeView:
    each = row.devices_per_node
    busy = counts.get(NodeState.USED, 0) * each
    used = min(counts.get("taken", 0), busy)
    drained, unknown = counts.get(NodeState.DRAINED, 0) * each, counts.get(NodeState.UNKNOWN, 0) * each
    return NodeTypeView(
        code=row.code,
        kind=DeviceKind(row.kind),
        device=row.device,
        unit=row.unit,
        nodes=row.node_count,
        devices_per_node=each,
        peak_gflops=row.peak_gflops,
        precision=row.precision,
        peak_source=Label(row.peak_source_ko, row.peak_source_en),
        memory_gib=row.memory_gib,
        device_memory_gib=row.device_memory_gib,
        idle_watts=row.idle_watts,
        max_watts=row.max_watts,
        idle=counts.get(NodeState.IDLE, 0) * each + busy - used,
        used=used,
        drained=drained,
        unknown=unknown,
    )


def _fleet() -> FleetView:
    counts = _counts()
    types: dict[str, list[NodeTypeView]] = {}
    for row in NodeType.objects.order_by("order", "code")[:TYPES_MAX]:
        types.setdefault(row.partition_id, []).append(_type_view(row, counts.get(row.code, {})))
    partitions = tuple(
        PartitionView(
            code=row.code,
            title=Label(row.title_ko, row.title_en),
            note=Label(row.note_ko, row.note_en),
            counted=row.counted,
            is_planned=row.is_planned,
            is_example=row.is_example,
            reported=row.cluster_id is not None,
            looked_at=row.looked_at,
            types=tuple(types.get(row.code, ())),
        )
        for row in Partition.objects.order_by("order", "code")[:PARTITIONS_MAX]
    )
    storage = tuple(
        StorageView(Label(row.title_ko, row.title_en), row.capacity_tb, row.is_example)
        for row in StorageSystem.objects.order_by("code")[:PARTITIONS_MAX]
    )
    return FleetView(partitions, storage)


def _require(actor: accounts.Actor) -> None:
    accounts.require(actor=actor, verb="compute.view_fleet", thing=accounts.PORTAL)


def fleet(*, actor: accounts.Actor) -> FleetView:
    """The fleet as it stands, in four queries; for the operator's people."""
    _require(actor)
    return _fleet()


def public_summary(unit: str) -> list[tuple[PartitionView, NodeTypeView]]:
    """The types of nodes whose device time is counted in ``unit``: public, for it names no customer."""
    return [(part, one) for part in _fleet().partitions for one in part.types if one.unit == unit]


def public_storage() -> tuple[StorageView, ...]:
    """The storage systems: public."""
    return _fleet().storage


def _nodes(partition: str, state: str) -> QuerySet[Node]:
    rows = Node.objects.select_related("node_type__partition").annotate(shown=_stated(now()))
    if partition:
        rows = rows.filter(node_type__partition_id=partition)
    if state in list(NodeState):
        rows = rows.filter(shown=state)
    return rows.order_by("code")


def _node_view(row: Node) -> NodeView:
    part = row.node_type.partition
    return NodeView(
        code=row.code,
        partition=Label(part.title_ko, part.title_en),
        device=row.node_type.device,
        devices=row.node_type.devices_per_node,
        used=row.used,
        state=str(getattr(row, "shown", row.state)),
        reason=row.reason,
    )


def nodes(*, actor: accounts.Actor, partition: str = "", state: str = "", page: int = 1) -> Page[NodeView]:
    """One page of the nodes by name, in two queries; for the operator's people."""
    _require(actor)
    return page_of(_nodes(partition, state), page, 50).map(_node_view)


def nodes_to_export(*, actor: accounts.Actor, partition: str = "", state: str = "") -> Iterator[NodeView]:
    """The nodes, streamed, at most EXPORT_MAX."""
    _require(actor)
    return (_node_view(row) for row in _nodes(partition, state)[:EXPORT_MAX].iterator(chunk_size=1_000))


def _waiting() -> Q:
    return Q(state__in=[str(state) for state in WAITING])


def _unfinished() -> QuerySet[Job]:
    return Job.objects.filter(ended_at=None)  # so that the partial index serves; it says the same as the states


def _sums() -> dict[str, Count | Min]:
    return {
        "waiting": Count("pk", filter=_waiting()),
        "running": Count("pk", filter=Q(state=str(JobState.RUNNING))),
        "unknown": Count("pk", filter=Q(state=str(JobState.UNKNOWN))),
        "oldest": Min("submitted_at", filter=_waiting()),
    }


def queue(*, actor: accounts.Actor, order: str = "", page: int = 1) -> Page[QueueRow]:
    """Unfinished jobs by project, one page in two queries; ended jobs are never read."""
    _require(actor)
    keys = QUEUE_ORDERS.get(order, QUEUE_ORDERS["oldest"])[1]
    first = [F(keys[0]).asc(nulls_last=True) if keys[0] == "oldest" else keys[0], *keys[1:]]
    rows: QuerySet[Any, Any] = _unfinished().values("project_id").annotate(**_sums()).order_by(*first)
    return page_of(rows, page).map(lambda row: QueueRow(**row))


def queue_totals(*, actor: accounts.Actor) -> QueueTotals:
    """All unfinished jobs together, in one query."""
    _require(actor)
    return QueueTotals(**_unfinished().aggregate(**_sums()))


def unknown_jobs(*, actor: accounts.Actor) -> list[JobView]:
    """The jobs that no engine lists, the oldest first, at most UNKNOWN_SHOWN_MAX."""
    _require(actor)
    rows = Job.objects.filter(state=str(JobState.UNKNOWN)).order_by("submitted_at", "pk")
    return views(rows[:UNKNOWN_SHOWN_MAX])


def engine_health(*, actor: accounts.Actor) -> list[EngineHealth]:
    """Each cluster and what its engine answers now; one that is switched off is not asked."""
    _require(actor)
    read = dict(MeteredCluster.objects.exclude(pulled_until=None).values_list("pk", "pulled_until"))
    return [_health(row, read.get(row.pk)) for row in Cluster.objects.order_by("code")[:CLUSTERS_MAX]]


def _health(row: Cluster, read_until: datetime | None) -> EngineHealth:
    capacity, problem = None, None
    if row.enabled:
        try:
            capacity = engine_of(row).capacity()
        except DomainError as error:
            problem = error.text
    return EngineHealth(row.code, row.title, row.engine, row.enabled, capacity, problem, read_until)


def drift_looks(*, actor: accounts.Actor) -> list[DriftView]:
    """Each cluster that keeps accounts of its own, and what they were last seen to differ in; nothing is asked."""
    _require(actor)
    looks = DriftLook.objects.in_bulk()
    read = dict(MeteredCluster.objects.exclude(pulled_until=None).values_list("pk", "pulled_until"))
    rows = Cluster.objects.order_by("code")[:CLUSTERS_MAX]
    kept = [(row, looks.get(row.pk) or DriftLook(pk=row.pk)) for row in rows if _keeps(row)]
    return [_drift_view(row, look, read.get(row.pk)) for row, look in kept]


def _keeps(row: Cluster) -> bool:
    try:
        return isinstance(engine_of(row), Provisioner)
    except DomainError:
        return False  # its own settings are wrong, which the page of the fleet says


def _drift_view(row: Cluster, look: DriftLook, read_until: datetime | None) -> DriftView:
    return DriftView(
        cluster=row.code,
        title=row.title,
        asked_at=look.asked_at,
        looked_at=look.looked_at,
        count=look.count,
        found=tuple(
            Drift(account, what, wanted, found, Text.from_json(advice), mendable)
            for account, what, wanted, found, advice, mendable in look.found
        ),
        problem=Text.from_json(look.problem) if look.problem else None,
        read_until=read_until,
    )
