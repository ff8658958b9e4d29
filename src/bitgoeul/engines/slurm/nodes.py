"""What Slurm says of its nodes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitgoeul.compute.ports import Capacity, EngineRefused, JobSpec, NodeObservation, NodeState, Slots
from bitgoeul.kernel.text import N_

from .config import CORE, SlurmConfig
from .submit import Request

# Columns of sinfo with room enough: it cuts what is longer.
COLUMNS = ("NodeList:64", "PartitionName:64", "StateLong:32", "CPUsState:32", "Memory:16", "AllocMem:16",
           "Gres:256", "GresUsed:256", "Time:32", "Reason:200")  # fmt: skip
FORMAT = ",".join(COLUMNS)
WIDTHS = tuple(int(column.split(":")[1]) for column in COLUMNS)
GRES = re.compile(r"([a-z0-9_]+(?::[a-z0-9_.-]+)?):(\d+)(?:\(|$|,)")
OUT_OF_SERVICE = ("drain", "maint", "fail", "reserved")
SILENT = ("down", "unknown", "no_respond", "power", "reboot", "error")


@dataclass(frozen=True)
class Node:
    """One node in one partition."""

    name: str
    partition: str
    state: str
    cores: Slots
    memory_mib: Slots
    gres: Mapping[str, Slots]
    minutes_max: int | None
    reason: str

    @property
    def in_service(self) -> bool:
        """Whether it takes work."""
        return not any(part in self.state for part in (*OUT_OF_SERVICE, *SILENT)) and not self.state.endswith("*")

    @property
    def answers(self) -> bool:
        """Whether it can be heard of; Slurm marks one that does not answer with a star."""
        return not any(part in self.state for part in SILENT) and not self.state.endswith("*")


def read(text: str) -> list[Node]:
    """Read what ``sinfo -h -N -O FORMAT`` printed, a line for each node and partition."""
    return [_node(_cells(line)) for line in text.splitlines() if line.strip()]


def _cells(line: str) -> list[str]:
    cells, start = [], 0
    for width in WIDTHS:
        cells.append(line[start : start + width].strip())
        start += width
    return cells


def _node(cells: Sequence[str]) -> Node:
    name, partition, state, cores, memory, taken, gres, used, time, reason = cells
    _allotted, idle, _other, total = map(int, cores.split("/"))
    there, held = gres_counts(gres), gres_counts(used)
    return Node(
        name=name,
        partition=partition.rstrip("*"),
        state=state.lower(),
        cores=Slots(total, idle),
        memory_mib=Slots(int(memory), max(0, int(memory) - int(taken))),
        gres={kind: Slots(count, max(0, count - held.get(kind, 0))) for kind, count in there.items()},
        minutes_max=minutes(time),
        reason="" if reason == "none" else reason,
    )


def gres_counts(text: str) -> dict[str, int]:
    """``gpu:h100:8(S:0-1),npu:atom:2(IDX:0-1)`` as counts by ``gpu:h100`` and ``npu:atom``."""
    counts: dict[str, int] = {}
    for kind, count in GRES.findall(text):
        counts[kind] = counts.get(kind, 0) + int(count)
    return counts


def minutes(text: str) -> int | None:
    """Slurm's ``days-hours:minutes:seconds`` in whole minutes; None for no limit."""
    days, _dash, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(map(str.isdecimal, parts)):
        return None
    hours, rest, _seconds = map(int, (["0"] * (3 - len(parts)) + parts))
    return int(days or 0) * 1_440 + hours * 60 + rest


def ours(nodes: Sequence[Node], config: SlurmConfig) -> list[Node]:
    """Nodes of the partitions that jobs are put to; one that is in two of them stands there twice."""
    wanted = set(config.partitions.values())
    return [node for node in nodes if node.partition in wanted]


def once(nodes: Sequence[Node]) -> list[Node]:
    """Each node once, whatever partitions it is in."""
    return list({node.name: node for node in nodes}.values())


def capacity(nodes: Sequence[Node], config: SlurmConfig, running: int, pending: int) -> Capacity:
    """What the partitions have, and what of it is free on nodes that take work."""
    return Capacity(
        cores=_sum([(node.cores, node.in_service) for node in nodes]),
        memory_mib=_sum([(node.memory_mib, node.in_service) for node in nodes]),
        devices={
            device: _sum([(node.gres[gres], node.in_service) for node in nodes if gres in node.gres])
            for device, gres in config.devices.items()
        },
        running=running,
        pending=pending,
    )


def refuse_what_never_fits(spec: JobSpec, asked: Request, nodes: Sequence[Node], config: SlurmConfig) -> None:
    """Raise EngineRefused, naming what there is, when no node of the partition could ever run the job.

    Slurm itself may take such a job and let it wait for ever (EnforcePartLimits).
    """
    there = [node for node in nodes if node.partition == asked.partition]
    gres = {device: (config.devices[device], count) for device, count in spec.devices.items()}
    wanted: list[tuple[str, int, int]] = [
        ("cores", asked.cores, max((node.cores.total for node in there), default=0)),
        ("memory_mib", asked.memory_mib, max((node.memory_mib.total for node in there), default=0)),
        *(
            (device, count, max((node.gres[kind].total for node in there if kind in node.gres), default=0))
            for device, (kind, count) in gres.items()
        ),
    ]
    longest = [node.minutes_max for node in there]
    if longest and None not in longest and asked.minutes > max(filter(None, longest), default=0):
        raise EngineRefused(
            N_("The job's time is over the partition's limit of {limit} minutes. Ask for less."),
            field="wall_seconds",
            limit=max(filter(None, longest), default=0),
        )
    for name, count, largest in wanted:
        if count > largest:
            raise EngineRefused(
                N_("The job asks for {asked} × {name}; the largest node has {total}. Ask for less."),
                field="devices" if name in spec.devices else name,
                asked=count,
                name=name,
                total=largest,
            )


def _sum(parts: Sequence[tuple[Slots, bool]]) -> Slots:
    return Slots(sum(each.total for each, _ in parts), sum(each.free for each, usable in parts if usable))


def observations(nodes: Sequence[Node], config: SlurmConfig) -> list[NodeObservation]:
    """Each node by its devices, one without any by its cores."""
    names = {gres: device for device, gres in config.devices.items()}
    found = []
    for node in nodes:
        devices = {names[kind]: slots for kind, slots in node.gres.items() if kind in names} or {CORE: node.cores}
        found += [
            NodeObservation(
                name=node.name if len(devices) == 1 else f"{node.name}/{device}",
                state=_state(node, used := slots.total - slots.free),
                device=device,
                devices=slots.total,
                used=used,
                partition=node.partition,
                reason=node.reason,
            )
            for device, slots in devices.items()
        ]
    return found


def _state(node: Node, used: int) -> NodeState:
    if not node.answers:
        return NodeState.UNKNOWN
    if not node.in_service:
        return NodeState.DRAINED
    return NodeState.USED if used else NodeState.IDLE
