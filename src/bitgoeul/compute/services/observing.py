"""Writing down what engines say of their nodes, and defining a fleet from data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from ..models import Cluster, Node, NodeType, Partition, StorageSystem
from ..ports import Engine, NodeObservation, NodeReporter, NodeState
from ..types import DeviceKind

OBSERVE_SECONDS = 10.0
BATCH = 500
OUT_OF_SERVICE = frozenset({NodeState.DRAINED, NodeState.UNKNOWN})
_observed: dict[str, float] = {}


def observe(engine: Engine, cluster: Cluster, *, actor: str) -> None:
    """About every ten seconds ask the engine for its nodes and write down what it says."""
    if not isinstance(engine, NodeReporter) or time.monotonic() < _observed.get(cluster.code, 0.0):
        return
    _observed[cluster.code] = time.monotonic() + OBSERVE_SECONDS
    record_nodes(cluster=cluster, seen=engine.nodes(), actor=actor)


@transaction.atomic
def record_nodes(*, cluster: Cluster, seen: Sequence[NodeObservation], actor: str) -> int:
    """Write what was seen of a cluster's nodes; returns how many rows changed. The same again changes none.

    A node that was reported before and is missing becomes UNKNOWN. Observations are overwritten, for they tell of
    now; a node that leaves service or comes back leaves an event.
    """
    types = _types(cluster, seen)
    known = {row.code: row for row in Node.objects.filter(node_type__partition__cluster=cluster)}
    rows = [_row(cluster, types, each) for each in seen]
    named = {row.code for row in rows}
    gone = [row for row in known.values() if row.code not in named and row.state != NodeState.UNKNOWN]
    for row in gone:
        row.state, row.used, row.reason = str(NodeState.UNKNOWN), 0, ""
    fresh = [row for row in rows if row.code not in known]
    changed = [row for row in rows if row.code in known and _differs(row, known[row.code])]
    _tell(known, [*changed, *gone], actor)
    Node.objects.bulk_create(fresh, batch_size=BATCH, ignore_conflicts=True)
    Node.objects.bulk_update([*changed, *gone], ["state", "used", "reason", "node_type"], batch_size=BATCH)
    Partition.objects.filter(cluster=cluster).update(looked_at=now())
    return len(fresh) + len(changed) + len(gone)


def _row(cluster: Cluster, types: Mapping[tuple[str, str, int], NodeType], each: NodeObservation) -> Node:
    return Node(
        code=f"{cluster.code}/{each.name}"[:80],
        node_type=types[each.partition, each.device, each.devices],
        state=str(each.state),
        used=min(each.used, each.devices),
        reason=each.reason[:200],
    )


def _differs(new: Node, old: Node) -> bool:
    fields = ("state", "used", "reason", "node_type_id")
    return any(getattr(new, name) != getattr(old, name) for name in fields)


def _tell(known: Mapping[str, Node], rows: Sequence[Node], actor: str) -> None:
    was = dict(Node.objects.filter(pk__in=[row.code for row in rows]).values_list("pk", "state"))
    audit.record_many(
        [
            audit.EventDraft(
                verb="fleet.observe",
                subject_kind="node",
                subject_id=row.code,
                actor=actor,
                before={"state": was.get(row.code)},
                after={"state": row.state, "reason": row.reason},
            )
            for row in rows
            if (row.state in OUT_OF_SERVICE) != (was.get(row.code) in OUT_OF_SERVICE)
        ]
    )


def _types(cluster: Cluster, seen: Sequence[NodeObservation]) -> dict[tuple[str, str, int], NodeType]:
    """The types of the nodes seen; what data has not described is made with what the engine says of it."""
    found: dict[tuple[str, str, int], NodeType] = {}
    for each in seen:
        key = (each.partition, each.device, each.devices)
        if key not in found:
            found[key] = _type(cluster, each, sum(1 for one in seen if _key(one) == key))
    return found


def _key(each: NodeObservation) -> tuple[str, str, int]:
    return each.partition, each.device, each.devices


def _type(cluster: Cluster, each: NodeObservation, count: int) -> NodeType:
    part, _made = Partition.objects.get_or_create(
        pk="-".join(filter(None, (cluster.code, each.partition)))[:48],
        defaults={
            "cluster": cluster,
            "title_ko": f"{cluster.title} {each.partition}".strip(),
            "title_en": f"{cluster.title} {each.partition}".strip(),
        },
    )
    row, made = NodeType.objects.get_or_create(
        pk=f"{part.pk}-{each.device}-{each.devices}"[:64],
        defaults={
            "partition": part,
            "kind": str(DeviceKind.CPU if each.device == "core" else DeviceKind.VIRTUAL),
            "device": each.device,
            "unit": "core_ms" if each.device == "core" else str(cluster.device_units.get(each.device, "")),
            "node_count": count,
            "devices_per_node": each.devices,
        },
    )
    if not made and row.node_count != count:
        NodeType.objects.filter(pk=row.pk).update(node_count=count)
    return row


@transaction.atomic
def define_fleet(
    *,
    actor: accounts.Actor,
    partitions: Sequence[Mapping[str, Any]],
    types: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
    storage: Sequence[Mapping[str, Any]],
) -> int:
    """Describe a fleet by data, columns by name; the same again changes nothing. Returns how many rows are new."""
    if not actor.is_system:
        raise BadInput(N_("The fleet is loaded from data."))
    made = 0
    for model, rows in ((Partition, partitions), (NodeType, types), (Node, nodes), (StorageSystem, storage)):
        made += _fill(model, rows)
    if made:
        audit.record(
            verb="compute.define_fleet",
            subject_kind="fleet",
            subject_id="fleet",
            actor=actor.id,
            after={"new": made, "nodes": len(nodes)},
        )
    return made


def _fill(model: type[Partition | NodeType | Node | StorageSystem], rows: Sequence[Mapping[str, Any]]) -> int:
    known = set(model.objects.values_list("pk", flat=True))
    fresh = [model(**row) for row in rows if row["code"] not in known]
    model.objects.bulk_create(fresh, batch_size=BATCH)  # type: ignore[arg-type]
    return len(fresh)
