"""The engine port: what the compute room asks of whatever really runs jobs.

An engine is a plug-in (entry point group ``bitgoeul.engines``). The follower process is its only caller for
``submit``, ``poll``, ``cancel`` and ``usage``; web processes call ``capacity`` and the optional abilities. An
engine keeps no state in memory that it needs: any process may build a new one over the same home and go on.

Engine calls happen outside database transactions, for they may be slow and cannot be rolled back.
``bitgoeul.compute.conformance.EngineConformance`` tests all that is promised here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

from bitgoeul.kernel.clock import parse_rfc3339, rfc3339
from bitgoeul.kernel.errors import DomainError, LimitReached, Unavailable
from bitgoeul.kernel.text import N_, Text

# Engines name the tier of a job, trials show it; they reach no other module of this room.
from .isolation import TIER_TEXTS as TIER_TEXTS
from .isolation import Tier as Tier

ENTRY_POINT_GROUP = "bitgoeul.engines"
STREAMS = ("stdout", "stderr")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
READ_LIMIT = 1024 * 1024
SAMPLES_MAX = 120
# Where a usage record's environment names the job's number in the accounting of the cluster's own scheduler.
SCHEDULER_NUMBER = "scheduler_number"
# Where an observed end names all numbers that the job ever had there, apart by commas, if it had several.
SCHEDULER_NUMBERS = "scheduler_numbers"
ACCOUNT_PREFIX = "bg-"
# Where a usage record's environment tells who measured the job's devices, of how many of them, what their power
# covers, and why they are not measured now (an Unmeasured, or a cause of bitgoeul.telemetry with its detail).
DEVICES_READER, DEVICES_MEASURED = "devices_reader", "devices_measured"
DEVICES_BOUNDARY, DEVICES_UNREAD, DEVICES_UNREAD_DETAIL = "devices_boundary", "devices_unread", "devices_detail"


def account_name(project: str) -> str:
    """A project's account at a cluster's own scheduler: ``PRJ-2026-00001`` has ``bg-prj-2026-00001``.

    What is provisioned under this name is what the accounting is charged by.
    """
    return ACCOUNT_PREFIX + project.lower()


class EngineRefused(LimitReached):
    """The cluster cannot run this job."""

    code = "engine_refused"


class EngineUnavailable(Unavailable):
    """The cluster does not answer at the moment."""

    code = "engine_unavailable"


class Phase(StrEnum):
    """Where a job stands in the engine."""

    PENDING = "pending"
    """Accepted, not started: it waits for a free slot."""
    RUNNING = "running"
    """Started; its slots are taken. A job that is being ended is still running."""
    ENDED = "ended"
    """Nothing of it is left, and the engine's record of it is complete and will not change."""


class Ending(StrEnum):
    """How a job came to its end; each differs from its neighbour in who has to do something."""

    COMPLETED = "completed"
    """Exit status 0 and every expected output is there."""
    EXIT_STATUS = "exit_status"
    """The program itself said that it failed."""
    SIGNALLED = "signalled"
    """The program died of a signal that was not ours: a crash."""
    NOT_STARTED = "not_started"
    """The program could not be started at all: not found, not executable."""
    OUTPUT_MISSING = "output_missing"
    """Exit status 0, but a promised output is not there: not a success."""
    TIME_LIMIT = "time_limit"
    """Ended by the engine at the wall-clock limit."""
    CPU_LIMIT = "cpu_limit"
    """A process used more processor time than its cores have in the wall-clock limit."""
    MEMORY_LIMIT = "memory_limit"
    """Ended for the memory of all its processes together."""
    PROCESS_LIMIT = "process_limit"
    """Ended for the number of its processes."""
    FILE_LIMIT = "file_limit"
    """A file reached the size limit of one file, or the working directory its own."""
    CANCELLED = "cancelled"
    """Ended because somebody asked; not a failure."""
    STOPPED = "stopped"
    """Ended because the whole platform was stopped; nobody asked for this job in particular."""
    ENGINE_LOST = "engine_lost"
    """The engine's own supervisor of the job died; what was left was ended, usage is up to its last record."""


ENDING_TEXTS: Mapping[Ending, str] = {
    Ending.COMPLETED: N_("The program ended with status 0 and every expected output is there."),
    Ending.EXIT_STATUS: N_("The program ended with status {exit_code}."),
    Ending.SIGNALLED: N_("The program crashed with signal {signal}."),
    Ending.NOT_STARTED: N_("The program could not be started: {detail}. Check the command."),
    Ending.OUTPUT_MISSING: N_("The program ended with status 0, but the output “{detail}” is missing."),
    Ending.TIME_LIMIT: N_("The job reached its limit of {limit} seconds and was ended."),
    Ending.CPU_LIMIT: N_("A process used more processor time than the limit of {limit} seconds allows."),
    Ending.MEMORY_LIMIT: N_("The job used more memory than its limit of {limit} MiB and was ended."),
    Ending.PROCESS_LIMIT: N_("The job started more processes than its limit of {limit} and was ended."),
    Ending.FILE_LIMIT: N_("A file or the working directory grew beyond its limit of {limit} MiB."),
    Ending.CANCELLED: N_("The job was cancelled."),
    Ending.STOPPED: N_("The platform was stopped while the job ran. Submit it again."),
    Ending.ENGINE_LOST: N_("The job's supervisor died; what was left of the job was ended. Submit it again."),
}


def ending_text(ending: Ending, **params: str | int) -> Text:
    """The sentence for an ending, its places filled by ``params``."""
    return Text(ENDING_TEXTS[ending], params)


@dataclass(frozen=True)
class Limits:
    """What a job may use at most: whole cores, MiB, seconds, processes; ``file_mib`` counts for each file.

    ``work_mib`` bounds the working directory as a whole.
    """

    cores: int
    memory_mib: int
    wall_seconds: int
    processes: int
    file_mib: int
    work_mib: int = 2048


@dataclass(frozen=True)
class JobSpec:
    """Everything an engine needs to run one job; immutable, named by ``job_id``.

    ``inputs`` maps a file name in the working directory to an absolute path that the engine reads at ``submit``
    and gives the job read-only. ``outputs`` are file names that must exist at the end. ``env`` is added to a
    minimal clean environment. ``devices`` counts virtual or real devices by name. ``exclusive`` asks that
    nothing else runs beside the job on its node: measurements need it. ``project`` is the number of the project
    that the work is for, where an engine keeps accounts of its own; it is no part of what the job is. Nor are
    ``sweep`` and ``index``, which tell that it is one of many of a kind: no two jobs have the same.
    """

    job_id: UUID
    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    limits: Limits
    devices: Mapping[str, int]
    exclusive: bool = False
    project: str = field(default="", compare=False)
    sweep: UUID | None = field(default=None, compare=False)
    index: int = field(default=0, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        told = {**asdict(self), "job_id": str(self.job_id)}
        sweep, index = told.pop("sweep"), told.pop("index")
        return told if sweep is None else {**told, "sweep": str(sweep), "index": index}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobSpec:
        """Read what ``to_json`` wrote."""
        return cls(
            **{
                **data,
                "job_id": UUID(data["job_id"]),
                "argv": tuple(data["argv"]),
                "outputs": tuple(data["outputs"]),
                "limits": Limits(**data["limits"]),
                "sweep": UUID(data["sweep"]) if data.get("sweep") else None,
            }
        )


@dataclass(frozen=True)
class Handle:
    """The engine's name for a submitted job; stored as JSON by the caller and given back unchanged.

    ``(cluster, job_id, submitted_at, restart)`` is the identity of one use: an engine that runs the same job
    again (a requeue) counts ``restart`` up.
    """

    job_id: UUID
    reference: str
    submitted_at: datetime
    restart: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return {
            "job_id": str(self.job_id),
            "reference": self.reference,
            "submitted_at": rfc3339(self.submitted_at),
            "restart": self.restart,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Handle:
        """Read what ``to_json`` wrote."""
        submitted_at = parse_rfc3339(data["submitted_at"])
        return cls(UUID(data["job_id"]), data["reference"], submitted_at, data["restart"])


@dataclass(frozen=True)
class Observation:
    """What an engine says of one job now; ``ending`` and ``reason`` are set exactly when it has ENDED.

    ``environment`` is what it knows of an ended job beside its usage record, of one that never ran too.
    """

    job_id: UUID
    phase: Phase
    started_at: datetime | None = None
    ended_at: datetime | None = None
    ending: Ending | None = None
    exit_code: int | None = None
    reason: Text | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Unmeasured(StrEnum):
    """Why nobody can tell what a job's own devices do, though somebody measures devices there."""

    SHARED = "shared"
    """Its devices are parts of cards that others use too."""
    NOT_TOLD = "not_told"
    """The engine does not know which devices of the node are the job's."""
    MISSING = "missing"
    """Whoever measures does not tell of all of them."""
    AMBIGUOUS = "ambiguous"
    """Several devices there have their numbers."""


UNMEASURED_TEXTS: Mapping[Unmeasured, str] = {
    Unmeasured.SHARED: N_("Its devices are parts of cards that others use too: no figure of a card is its own."),
    Unmeasured.NOT_TOLD: N_("The cluster does not tell which devices of the node are this job's."),
    Unmeasured.MISSING: N_("Whoever measures the devices does not tell of all that are this job's."),
    Unmeasured.AMBIGUOUS: N_("Several devices of the node have the numbers of this job's."),
}


class Sample(NamedTuple):
    """What a job had used ``wall_ms`` after its start: processor time so far, and the highest memory lately.

    Of its own devices: how busy they were lately on the mean, and their memory and power summed up; None where
    nobody measured all of them.
    """

    wall_ms: int
    cpu_ms: int
    memory_kib: int
    device_busy_permille: int | None = None
    device_memory_mib: int | None = None
    device_power_mw: int | None = None

    def kept(self) -> list[int | None]:
        """The values to keep, without those of devices where there are none."""
        return list(self) if any(each is not None for each in self[3:]) else list(self[:3])


@dataclass(frozen=True)
class UsageRecord:
    """What a job was given, from the engine's own record: allocated, not requested, not estimated.

    ``wall_ms`` is the whole time from start to end. ``core_ms`` and ``device_ms`` are allocated cores and devices
    × the wall time **up to the wall limit**: the time the engine takes to end a job beyond it is not the
    customer's. ``cpu_ms`` is the processor time really used and ``memory_kib_max`` the highest memory of all
    processes together, both for the reader, never for the charge. ``final`` is true when nothing will change.
    ``samples`` says how the use went, at most SAMPLES_MAX points in order; empty where the engine took none.
    """

    job_id: UUID
    submitted_at: datetime
    restart: int
    started_at: datetime
    ended_at: datetime
    cores: int
    wall_ms: int
    core_ms: int
    device_ms: Mapping[str, int]
    cpu_ms: int
    memory_kib_max: int
    final: bool
    environment: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[Sample] = ()


@dataclass(frozen=True)
class Slots:
    """A number of equal places and how many of them are free."""

    total: int
    free: int


@dataclass(frozen=True)
class Capacity:
    """What the cluster has and what is free now; ``pending`` jobs wait for a place."""

    cores: Slots
    memory_mib: Slots
    devices: Mapping[str, Slots]
    running: int
    pending: int


class NodeState(StrEnum):
    """What an engine says of one node."""

    IDLE = "IDLE"
    """It takes work and has none."""
    USED = "USED"
    """Some or all of its devices are allotted."""
    DRAINED = "DRAINED"
    """Taken out of service by an engineer; it takes nothing new."""
    UNKNOWN = "UNKNOWN"
    """Nobody says anything of it: it does not answer, or no engine looks after it. Not idle, not broken."""


@dataclass(frozen=True)
class NodeObservation:
    """One node now: ``used`` of its ``devices`` are allotted.

    ``name`` is unique in the cluster. A node with two sorts of devices is reported once for each, under two names.
    ``partition`` groups nodes; empty means that the cluster has one. ``reason`` is the engineer's, when drained.
    """

    name: str
    state: NodeState
    device: str
    devices: int
    used: int
    partition: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Chunk:
    """A piece of a file: its bytes from ``offset``; ``size`` is the file's size so far."""

    data: bytes
    offset: int
    size: int


class Engine(Protocol):
    """The contract. Every method may be called from any process, at any time, any number of times.

    Methods return within seconds. They raise ``EngineUnavailable`` when the cluster cannot be asked (the caller
    tries again later and changes nothing) and ``EngineRefused`` when it was asked and says no for good.
    """

    def submit(self, spec: JobSpec) -> Handle:
        """Accept a job.

        The follower calls it once for each job, and again after a crash when it cannot know whether the first
        call arrived; so the same ``job_id`` with the same spec again gives the same handle and starts nothing
        twice, and with another spec raises ``Conflict``. A job that can never fit (more cores than there are, an
        unknown device) is refused now with ``EngineRefused`` and a text that says what there is; a job that only
        has to wait is accepted. Inputs are read before the return.
        """
        ...

    def poll(self, handles: Sequence[Handle]) -> list[Observation]:
        """Say where jobs stand.

        The follower calls it about once a second with all unfinished jobs. A job the engine does not know is left
        out of the answer: the caller then calls it UNKNOWN, never done. An engine without a process of its own
        starts waiting jobs here.
        """
        ...

    def cancel(self, handles: Sequence[Handle]) -> None:
        """Ask that jobs end soon; returns at once and the end is seen by ``poll``.

        The follower calls it at every step until the job has ended. A job that has ended, or is not known, is
        left as it is: never an error.
        """
        ...

    def usage(self, handles: Sequence[Handle]) -> list[UsageRecord]:
        """What jobs were given so far.

        The follower calls it once a job has ended; pages call it for running ones. A job that never started, or
        is not known, is left out.
        """
        ...

    def capacity(self) -> Capacity:
        """What there is and what is free; pages call it, at most once a request."""
        ...


@runtime_checkable
class BatchSubmitter(Protocol):
    """The engine takes many jobs at once faster than one after another."""

    def submit_many(self, specs: Sequence[JobSpec]) -> list[Handle | DomainError]:
        """For each job, in order, what ``submit`` would return or raise.

        The follower calls it with some hundreds of jobs that it has claimed, and with all promises of ``submit``:
        a refused job keeps no other from being taken, and after a crash in between the same jobs, or some of them,
        come again. Raises EngineUnavailable when nothing could be asked.
        """
        ...


@runtime_checkable
class LogReader(Protocol):
    """The engine can show a job's output while it runs."""

    def read_log(self, handle: Handle, stream: str, offset: int, limit: int) -> Chunk:
        """At most ``limit`` (≤ ``READ_LIMIT``) bytes of ``stdout`` or ``stderr`` from ``offset``.

        The job page calls it every two seconds, the follower after the end. Nothing yet is an empty chunk; a job
        that is not known raises ``NotFound``.
        """
        ...


@runtime_checkable
class OutputReader(Protocol):
    """The engine can hand out the files a job left."""

    def outputs(self, handle: Handle) -> Mapping[str, int]:
        """Names and sizes in bytes of the promised outputs that exist as plain files; links are not followed.

        The follower calls it once after the end, whatever the ending was.
        """
        ...

    def read_output(self, handle: Handle, name: str, offset: int, limit: int) -> Chunk:
        """At most ``limit`` (≤ ``READ_LIMIT``) bytes of an output; ``NotFound`` when it is not there."""
        ...


@runtime_checkable
class Forgetter(Protocol):
    """The engine keeps ended jobs until told that everything was collected."""

    def kept(self, limit: int) -> list[UUID]:
        """Ids of ended jobs that are still kept, oldest first; the follower calls it about once a minute."""
        ...

    def forget(self, job_ids: Sequence[UUID]) -> None:
        """Remove ended jobs and their files; running and unknown ones are left as they are."""
        ...


@runtime_checkable
class NodeReporter(Protocol):
    """The engine can say where each of its nodes stands."""

    def nodes(self) -> list[NodeObservation]:
        """Every node of the cluster; the follower calls it about every ten seconds.

        A node that was reported before and is left out is shown as unknown, never as idle. Raises
        ``EngineUnavailable`` when the cluster cannot be asked; then what was last said stays and grows old.
        """
        ...


@dataclass(frozen=True)
class AccountWish:
    """What a cluster's scheduler should let a project do.

    ``amounts`` is what it may use in all, ever: milliseconds of ``core`` and of each device. ``logins`` are the
    people's names at the cluster; ``open`` is false once nothing new may start.
    """

    project: str
    amounts: Mapping[str, int]
    logins: tuple[str, ...] = ()
    open: bool = True


@dataclass(frozen=True)
class Drift:
    """One difference between what should be at the cluster and what is there, and what to do about it.

    ``account`` is empty for what concerns the whole cluster; ``mendable`` is false where only the site can.
    """

    account: str
    what: str
    wanted: str
    found: str
    advice: Text
    mendable: bool = True


@runtime_checkable
class Provisioner(Protocol):
    """The engine's scheduler keeps accounts and limits of its own."""

    def drift(self, wishes: Sequence[AccountWish]) -> list[Drift]:
        """What differs from the wishes, changing nothing; ``wishes`` are all there are."""
        ...

    def mend(self, wishes: Sequence[AccountWish]) -> list[Drift]:
        """Mend what differs and can be mended; what was mended, and what is left with ``mendable`` false.

        Done again it changes nothing. What the platform did not make is never touched.
        """
        ...


@runtime_checkable
class AccountingReader(Protocol):
    """The engine's scheduler keeps an accounting of everybody's work, also of what did not come through us."""

    def accounting(self, since: datetime, until: datetime) -> Iterator[str]:
        """The lines of ``sacct --parsable2`` with its header and times in UTC, of all that was there in between.

        The follower asks for windows that overlap, every few minutes. Work that the accounting calls running and
        that the scheduler no longer has is left out. Raises ``EngineUnavailable``.
        """
        ...


@dataclass(frozen=True)
class RolledUp:
    """What the scheduler's own roll-up says of a period, in whole seconds by its own names of resources.

    ``until`` is how far the roll-up has come; nothing later is in the figures. ``accounts`` has by account what
    its jobs held, ``reserved`` what reservations kept for an account and nobody used. ``nobodys`` has what the
    cluster had and is no account's, by kind: ``idle``, ``down``, ``planned_down``.
    """

    until: datetime
    accounts: Mapping[str, Mapping[str, int]]
    reserved: Mapping[str, Mapping[str, int]]
    nobodys: Mapping[str, Mapping[str, int]]


@runtime_checkable
class UseReporter(AccountingReader, Protocol):
    """The scheduler also sums its accounting up by itself, so that the books can be held against its sums."""

    def rolled_up(self, since: datetime, until: datetime) -> RolledUp:
        """The roll-up of a period that begins and ends on a full hour of UTC, as far as it has come.

        Only a reconciliation calls it, some times a month. Raises ``EngineUnavailable``.
        """
        ...

    def runaway(self) -> Iterator[str]:
        """What ``accounting`` leaves out now: work that it calls running and that the scheduler no longer has.

        Lines in the form of ``accounting``; called with ``rolled_up``. Raises ``EngineUnavailable``.
        """
        ...


@dataclass(frozen=True)
class NodeBooking:
    """Nodes kept free for one project from ``starts_at`` to ``ends_at``; named by ``id``, which its caller made.

    ``devices`` counts devices by name, ``cores`` whole cores; who may use it is the project's account.
    """

    id: UUID
    project: str
    starts_at: datetime
    ends_at: datetime
    cores: int
    devices: Mapping[str, int]


@runtime_checkable
class NodeBooker(Protocol):
    """The scheduler can keep nodes free for somebody at a time to come. No engine does so yet, and nobody asks.

    It is the contract for whoever brings bookings: the nodes stay with the scheduler, and what is kept and not
    used is the booking's to charge, for a roll-up counts it as its account's (``RolledUp.reserved``).
    """

    def book(self, booking: NodeBooking) -> None:
        """Keep the nodes; with an id that is known change that booking to what is said now, or change nothing.

        Called outside a transaction, after the booking was written down, and again after a crash. Raises
        ``EngineRefused`` with ``field`` when there is no room then, ``EngineUnavailable`` when nobody answers.
        """
        ...

    def unbook(self, ids: Sequence[UUID]) -> None:
        """Let go of bookings; what runs in one goes on. Those that are not known are passed over."""
        ...

    def booked(self) -> list[NodeBooking]:
        """The bookings of ours that the scheduler has, to be held against those written down."""
        ...


@dataclass(frozen=True)
class EnginePlugin:
    """What an entry point of the group ``bitgoeul.engines`` names.

    ``make(home, config)`` builds an engine: ``home`` is a directory of its own (made if missing), ``config`` the
    cluster's JSON object; a wrong setting raises ``BadInput`` with ``field``.
    """

    name: str
    title: Text
    make: Callable[[Path, Mapping[str, Any]], Engine]
