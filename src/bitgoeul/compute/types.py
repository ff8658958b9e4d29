"""What the compute room takes, gives and refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from bitgoeul.kernel.errors import LimitReached
from bitgoeul.kernel.text import Label, Text

from .ports import Capacity, Drift, Limits
from .states import UNFINISHED, JobState


class NotEnoughLeft(LimitReached):
    """Not enough is left for this job."""

    code = "not_enough_left"


@dataclass(frozen=True)
class Origin:
    """For whom a job runs: opaque to this room. The higher room that gives it vouches for the job's inputs."""

    kind: str
    id: str
    label: str = ""


@dataclass(frozen=True)
class ClusterView:
    """Where jobs run: its engine, the ledger unit of each device, and whether it takes jobs now."""

    code: str
    title: str
    engine: str
    device_units: Mapping[str, str]
    enabled: bool


@dataclass(frozen=True)
class JobRequest:
    """What a job should run and may use.

    ``inputs`` maps file names to content digests, ``devices`` counts devices by name. ``exclusive`` asks the
    engine to run nothing else beside it, as measurements need. ``after`` names jobs of the same project that must
    have succeeded before it is handed over.
    """

    argv: tuple[str, ...]
    limits: Limits
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    devices: Mapping[str, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    exclusive: bool = False
    after: tuple[UUID, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        told = {**asdict(self), "argv": list(self.argv), "outputs": list(self.outputs)}
        # Left out when empty: the digests of requests that were made before there was such a thing stay.
        after = [str(each) for each in told.pop("after")]
        return {**told, "after": after} if after else told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobRequest:
        """Read what ``to_json`` wrote."""
        changed = {
            "argv": tuple(data["argv"]),
            "outputs": tuple(data["outputs"]),
            "limits": Limits(**data["limits"]),
            "after": tuple(UUID(each) for each in data.get("after", ())),
        }
        return cls(**{**data, **changed})


@dataclass(frozen=True)
class NewJob:
    """A job to submit; ``id`` is made by the caller."""

    id: UUID
    name: str
    request: JobRequest


@dataclass(frozen=True)
class Standing:
    """The jobs of the installation: how many in each state, since when the oldest waits, how late metering is.

    ``metering_late`` is how long the most overdue job is past its wall-clock limit without having been charged,
    ``accounting_until`` up to when the accounting of the cluster read longest ago is in the books. ``drift`` says
    by cluster how much its accounts were last seen to differ, and when.
    """

    jobs: Mapping[str, int]
    queued_since: datetime | None
    metering_late: timedelta
    accounting_until: datetime | None
    drift: Mapping[str, tuple[int, datetime]]


@dataclass(frozen=True)
class DriftView:
    """What a cluster's accounts were last seen to differ in: ``count`` differences, the first in ``found``.

    ``looked_at`` is None before the first look; ``problem`` why the last try brought nothing; ``asked_at`` since
    when a look is waited for. ``read_until`` is up to when the cluster's accounting is in the books.
    """

    cluster: str
    title: str
    asked_at: datetime | None
    looked_at: datetime | None
    count: int
    found: tuple[Drift, ...]
    problem: Text | None
    read_until: datetime | None


@dataclass(frozen=True)
class ArtefactView:
    """A file a job left: an ``output`` by its name, or a ``log`` (``stdout``, ``stderr``).

    ``truncated`` says that the file was longer than what is kept.
    """

    name: str
    role: str
    digest: str
    size: int
    truncated: bool


@dataclass(frozen=True)
class JobLine:
    """A job as a line of a list; ``charged`` maps ledger units to settled amounts."""

    id: UUID
    name: str
    state: JobState
    submitted_at: datetime
    charged: Mapping[str, int]


@dataclass(frozen=True)
class JobView:
    """A job as other rooms and pages see it.

    ``charged`` maps ledger units to settled amounts, ``held`` to what is set aside while it is unfinished;
    ``artefacts`` maps output names to content digests. ``stopping`` is true when somebody asked for the end and it
    has not come yet.
    """

    id: UUID
    project_id: UUID
    name: str
    state: JobState
    request: JobRequest
    submitted_at: datetime
    submitted_by: str
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    reason: Text | None
    charged: Mapping[str, int]
    held: Mapping[str, int]
    artefacts: Mapping[str, str]
    origin: Origin | None
    cluster: str
    environment: Mapping[str, str]
    measured: Mapping[str, int]
    stopping: bool
    sweep_id: UUID | None = None

    @property
    def finished(self) -> bool:
        """True when nothing will change any more."""
        return self.ended_at is not None


@dataclass(frozen=True)
class SweepView:
    """Jobs of a kind, one at each point of their ``parameters``.

    ``states`` counts the jobs in each state that there is one in, ``charged`` maps ledger units to what all of
    them were charged; None in a list. ``cluster`` is where they run.
    """

    id: UUID
    project_id: UUID
    name: str
    request: JobRequest
    parameters: tuple[str, ...]
    submitted_at: datetime
    submitted_by: str
    cluster: str
    jobs: int
    states: Mapping[JobState, int]
    charged: Mapping[str, int] | None = None

    @property
    def ended(self) -> int:
        """How many of the jobs have ended."""
        return sum(count for state, count in self.states.items() if state not in UNFINISHED)

    @property
    def finished(self) -> bool:
        """True when nothing will change any more."""
        return self.ended == self.jobs


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep; ``values`` in the order of the sweep's parameters."""

    id: UUID
    index: int
    values: tuple[str, ...]
    state: JobState
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    charged: Mapping[str, int]
    measured: Mapping[str, int]

    @property
    def number(self) -> int:
        """The place that people count, from 1; the job's name has it."""
        return self.index + 1

    @property
    def wall_ms(self) -> int | None:
        """The time from start to end, as measured where it was; None before the end and for what never ran."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.measured.get("wall_ms", (self.ended_at - self.started_at) // timedelta(milliseconds=1))


@dataclass(frozen=True)
class LogChunk:
    """A piece of a log: ``text`` from byte ``offset``; go on at ``next_offset``.

    ``complete`` says that nothing will follow. ``size`` is the log's size so far, in bytes.
    """

    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool
    truncated: bool = False


def petaflops(gflops: int) -> str:
    """Billions of operations a second as PF with three decimals, in whole numbers: 88530416 → ``88.530``."""
    thousandths = (gflops + 500) // 1_000
    return f"{thousandths // 1_000:,}.{thousandths % 1_000:03d}"


class DeviceKind(StrEnum):
    """What a node computes with."""

    CPU = "CPU"
    GPU = "GPU"
    NPU = "NPU"
    VIRTUAL = "VIRTUAL"
    """A slot of the local engine: software in the place of a device."""


@dataclass(frozen=True)
class NodeTypeView:
    """Equal nodes and how their devices stand; ``peak_gflops`` is per device, 0 when not stated."""

    code: str
    kind: DeviceKind
    device: str
    unit: str
    nodes: int
    devices_per_node: int
    peak_gflops: int
    precision: str
    peak_source: Label
    memory_gib: int
    device_memory_gib: int
    idle_watts: int
    max_watts: int
    idle: int = 0
    used: int = 0
    drained: int = 0
    unknown: int = 0

    @property
    def devices(self) -> int:
        """How many devices there are in all."""
        return self.nodes * self.devices_per_node

    @property
    def total_gflops(self) -> int:
        """The peak of all devices together, at the type's own precision."""
        return self.devices * self.peak_gflops

    @property
    def node_gflops(self) -> int:
        """The peak of one node."""
        return self.devices_per_node * self.peak_gflops


@dataclass(frozen=True)
class PartitionView:
    """A part of the fleet with its types of nodes; ``looked_at`` is None while no engine reports it."""

    code: str
    title: Label
    note: Label
    counted: bool
    is_planned: bool
    is_example: bool
    reported: bool
    looked_at: datetime | None
    types: tuple[NodeTypeView, ...]

    @property
    def total_gflops(self) -> Mapping[str, int]:
        """The peak by precision: figures of two precisions are never added."""
        found: dict[str, int] = {}
        for one in self.types:
            if one.total_gflops:
                found[one.precision] = found.get(one.precision, 0) + one.total_gflops
        return found


@dataclass(frozen=True)
class StorageView:
    """A storage system; decimal terabytes."""

    title: Label
    capacity_tb: int
    is_example: bool


@dataclass(frozen=True)
class FleetView:
    """The whole fleet."""

    partitions: tuple[PartitionView, ...]
    storage: tuple[StorageView, ...]

    @property
    def total_gflops(self) -> Mapping[str, int]:
        """The peak of what counts, by precision."""
        found: dict[str, int] = {}
        for one in self.partitions:
            for precision, peak in one.total_gflops.items() if one.counted else ():
                found[precision] = found.get(precision, 0) + peak
        return found


@dataclass(frozen=True)
class NodeView:
    """One node in a list."""

    code: str
    partition: Label
    device: str
    devices: int
    used: int
    state: str
    reason: str


@dataclass(frozen=True)
class QueueRow:
    """A project's unfinished jobs; ``oldest`` is when the one that waits longest was submitted."""

    project_id: UUID
    waiting: int
    running: int
    unknown: int
    oldest: datetime | None


@dataclass(frozen=True)
class QueueTotals:
    """All unfinished jobs together."""

    waiting: int
    running: int
    unknown: int
    oldest: datetime | None


@dataclass(frozen=True)
class EngineHealth:
    """Whether a cluster's engine answers; ``capacity`` is None when it does not, and ``problem`` says why.

    ``read_until`` is up to when its own accounting was read; None where it has none.
    """

    cluster: str
    title: str
    engine: str
    enabled: bool
    capacity: Capacity | None
    problem: Text | None
    read_until: datetime | None
