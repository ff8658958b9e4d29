"""What Slurm says of jobs: squeue for those it has, sacct for those it had. Pure, but for asking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from bitgoeul.compute.ports import Ending

from .commands import Commands

SQUEUE_FORMAT = "%A|%T|%j"
SACCT_FORMAT = "JobIDRaw,State,JobName"
# The accounting knows a job by its submit time, in the clock of the controller.
CLOCKS_APART = timedelta(hours=1)
IDS_AT_ONCE = 400


class Stand(Enum):
    """Where a job stands in Slurm."""

    WAITS = "waits"
    LIVES = "lives"
    ENDED = "ended"


WAITING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
LIVING = frozenset(
    {"RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED", "POWER_UP_NODE"}
)
# How a job ended when only Slurm knows.
ENDINGS: Mapping[str, Ending] = {
    "TIMEOUT": Ending.TIME_LIMIT,
    "DEADLINE": Ending.TIME_LIMIT,
    "OUT_OF_MEMORY": Ending.MEMORY_LIMIT,
    "CANCELLED": Ending.CANCELLED,
}


@dataclass(frozen=True)
class Listed:
    """One job as Slurm lists it."""

    number: int
    state: str
    name: str

    @property
    def stand(self) -> Stand:
        """Waiting, living or ended; a state that is not known here counts as living, for nothing is proven."""
        if self.state in WAITING:
            return Stand.WAITS
        return Stand.LIVES if self.state in LIVING or self.state not in ENDED else Stand.ENDED

    @property
    def ending(self) -> Ending:
        """How it ended, when only Slurm knows."""
        return ENDINGS.get(self.state, Ending.ENGINE_LOST)


ENDED = frozenset(
    {*ENDINGS, "COMPLETED", "FAILED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "LAUNCH_FAILED"}
)


def listed(lines: Sequence[Sequence[str]]) -> list[Listed]:
    """Read lines of squeue or sacct; a cancelled job says by whom behind its state, a name may hold anything."""
    return [
        Listed(int(line[0]), line[1].split()[0].rstrip("+"), "|".join(line[2:]))
        for line in lines
        if len(line) > 2 and line[0].isdecimal() and line[1]
    ]


def in_queue(commands: Commands, name: str = "") -> list[Listed]:
    """Our jobs that the controller has or had until some minutes ago; with ``name`` only those of that name."""
    chosen = [f"--name={name}"] if name else []
    return listed(commands.lines("squeue", "--me", "-h", "-a", "-t", "all", *chosen, "-o", SQUEUE_FORMAT))


def in_accounting(
    commands: Commands, since: datetime, *, numbers: Collection[int] = (), name: str = ""
) -> list[Listed]:
    """Jobs that the accounting knows since ``since``, by number or by name, each attempt once."""
    begin = (since - CLOCKS_APART).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    found: list[Listed] = []
    ids = sorted(numbers)
    for start in range(0, max(1, len(ids)), IDS_AT_ONCE):
        chosen = [f"--name={name}"] if name else ["-j", ",".join(map(str, ids[start : start + IDS_AT_ONCE]))]
        lines = commands.lines("sacct", "-n", "-X", "-P", "-D", "-S", begin, *chosen, "-o", SACCT_FORMAT)
        found += listed(lines)
    return found
