"""What Slurm says of jobs: squeue for those it has, sacct for those it had. Pure, but for asking."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from bitgoeul.compute.ports import Ending

from .commands import Commands

# A name comes last, for it may hold anything.
SQUEUE_FORMAT = "%i|%A|%T|%N|%j"
SACCT_FORMAT = "JobID,JobIDRaw,State,NodeList,JobName"
NO_NODE = ("", "(null)", "None assigned")
ELEMENT = re.compile(r"(\d+)_(\d+)", re.ASCII)
WAITING_ELEMENTS = re.compile(r"(\d+)_\[([\d,:-]+)(?:%\d+)?\]", re.ASCII)
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
    """One job as Slurm lists it; ``index`` in its array, if it is of one.

    ``reference`` is what commands call it: ``12``, or ``12_3``. An element that waits has the number of its array,
    one that started has its own. ``placed`` says that it was given a node.
    """

    number: int
    state: str
    name: str
    index: int | None = None
    reference: str = ""
    placed: bool = False

    @property
    def key(self) -> str:
        """Which of our jobs it is: a number may be given away, a name and index are not."""
        return key_of(self.name, self.index)

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


def key_of(name: str, index: int | None = None) -> str:
    """The key of a job by its name, or by the name of its array and its index in it."""
    return name if index is None else f"{name}_{index}"


ENDED = frozenset(
    {*ENDINGS, "COMPLETED", "FAILED", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "LAUNCH_FAILED"}
)


def listed(lines: Sequence[Sequence[str]]) -> list[Listed]:
    """Read lines of squeue or sacct; a cancelled job says by whom behind its state, a name may hold anything."""
    return [each for line in lines if len(line) > 4 and line[2] for each in _listed(line)]


def _listed(line: Sequence[str]) -> list[Listed]:
    """A line's job; of the elements of an array that sacct tells in one line, all of them."""
    shown, number, state, name = line[0], line[1], line[2].split()[0].rstrip("+"), "|".join(line[4:])
    if waiting := WAITING_ELEMENTS.fullmatch(shown):
        array = waiting[1]
        return [Listed(int(array), state, name, index, f"{array}_{index}") for index in indices_of(waiting[2])]
    if not number.isdecimal():
        return []
    element = ELEMENT.fullmatch(shown)
    placed = line[3] not in NO_NODE
    return [Listed(int(number), state, name, int(element[2]) if element else None, shown, placed)]


def indices_of(text: str) -> list[int]:
    """``0-4:2,9`` → ``[0, 2, 4, 9]``."""
    found: list[int] = []
    for part in text.split(","):
        span, _colon, step = part.partition(":")
        first, _dash, last = span.partition("-")
        found += range(int(first), int(last or first) + 1, int(step or 1))
    return found


def in_queue(commands: Commands) -> list[Listed]:
    """Our jobs that the controller has or had until some minutes ago, each element of an array by itself."""
    return listed(commands.lines("squeue", "--me", "-h", "-a", "-r", "-t", "all", "-o", SQUEUE_FORMAT))


def in_accounting(
    commands: Commands, since: datetime, *, references: Collection[str] = (), names: Collection[str] = ()
) -> list[Listed]:
    """Jobs that the accounting knows since ``since``, by reference or by name, each attempt once."""
    begin = (since - CLOCKS_APART).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    found: list[Listed] = []
    option, wanted = ("--name", sorted(names)) if names else ("-j", sorted(references))
    for start in range(0, len(wanted), IDS_AT_ONCE):
        chosen = (option, ",".join(wanted[start : start + IDS_AT_ONCE]))
        lines = commands.lines("sacct", "-n", "-X", "-P", "-D", "-S", begin, *chosen, "-o", SACCT_FORMAT)
        found += listed(lines)
    return found


def array_size_max(commands: Commands) -> int:
    """What the index of an array's element must be below; 0 where the cluster takes no arrays."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", commands.run("scontrol", "show", "config"), re.MULTILINE)
    return int(found[1]) if found else 0
