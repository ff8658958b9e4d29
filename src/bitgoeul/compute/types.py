"""What the compute room takes, gives and refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bitgoeul.kernel.errors import LimitReached
from bitgoeul.kernel.text import Text

from .ports import Limits
from .states import JobState


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
class JobRequest:
    """What a job should run and may use.

    ``inputs`` maps file names to content digests, ``devices`` counts devices by name. ``exclusive`` asks the
    engine to run nothing else beside it, as measurements need.
    """

    argv: tuple[str, ...]
    limits: Limits
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    devices: Mapping[str, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    exclusive: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return {**asdict(self), "argv": list(self.argv), "outputs": list(self.outputs)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobRequest:
        """Read what ``to_json`` wrote."""
        changed = {
            "argv": tuple(data["argv"]),
            "outputs": tuple(data["outputs"]),
            "limits": Limits(**data["limits"]),
        }
        return cls(**{**data, **changed})


@dataclass(frozen=True)
class Standing:
    """The jobs of the installation: how many in each state, since when the oldest waits, how late metering is.

    ``metering_late`` is how long the most overdue job is past its wall-clock limit without having been charged.
    """

    jobs: Mapping[str, int]
    queued_since: datetime | None
    metering_late: timedelta


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

    @property
    def finished(self) -> bool:
        """True when nothing will change any more."""
        return self.ended_at is not None


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
