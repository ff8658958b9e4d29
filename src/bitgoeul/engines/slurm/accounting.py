"""Everybody's work as Slurm's accounting tells it, a window at a time."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bitgoeul.kernel.clock import now

from .commands import Commands
from .submit import COMMENT

# What sacct is asked for: nothing that a user writes, for it may hold the bars and line ends that cut the answer.
COLUMNS = (
    "JobIDRaw", "State", "JobID", "Cluster", "Account", "User", "Submit", "Start", "End", "Elapsed", "Suspended",
    "ReqTRES", "AllocTRES", "NodeList",
)  # fmt: skip
START = COLUMNS.index("Start")
RUNNING = ("RUNNING", "SUSPENDED", "COMPLETING", "RESIZING", "STOPPED")
MOMENT = timedelta(seconds=1)
STAMP = "%Y-%m-%dT%H:%M:%S"
OWN_NAME = re.compile(r"bg-(sweep-)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

log = logging.getLogger(__name__)


def accounting(commands: Commands, since: datetime, until: datetime) -> Iterator[str]:
    """Header and lines of sacct for everybody's jobs, each attempt of a requeued one too.

    The column ``Comment`` is ours: the id of the platform's own job that a record's name claims to be, or its
    sweep's id with its index there, which whoever charges has to check. Of a job that a controller lost the
    accounting goes on to say that it runs ("runaway"): what the controller does not have is left out, so that it
    does not accrue.
    """
    for line, number in _told(commands, since, until):
        if number is None:
            yield line
        else:
            log.warning("Slurm's accounting says that job %s runs; the controller does not have it", number)


def runaway(commands: Commands) -> Iterator[str]:
    """The header, and the lines that ``accounting`` would leave out now."""
    moment = now()
    told = _told(commands, moment - MOMENT, moment, "--state=RUNNING,SUSPENDED")
    yield from (line for place, (line, number) in enumerate(told) if place == 0 or number is not None)


def _told(commands: Commands, since: datetime, until: datetime, *options: str) -> Iterator[tuple[str, str | None]]:
    """Header and lines; with its number each that is said to run and that the controller does not have."""
    begin, end = (each.astimezone(UTC).strftime(STAMP) for each in (since, until))
    window = ("-a", "-X", "-D", "-P", "-S", begin, "-E", end, *options, "--format")
    printed = commands.run("sacct", *window, ",".join(COLUMNS)).splitlines()
    lives = set(commands.run("squeue", "-h", "-a", "-o", "%A", "-t", ",".join(RUNNING)).split())
    claims = _claims(commands.run("sacct", "-n", *window, "JobIDRaw,Start,JobID,JobName"))
    for line in printed[:1]:
        yield f"{line}|Comment", None
    for line in printed[1:]:
        cells = line.split("|")
        number, state, start = cells[0], cells[1], cells[START]
        claim = claims.get((number, start))
        lost = state.startswith(RUNNING) and number not in lives
        yield f"{line}|{COMMENT + claim if claim else ''}", number if lost else None


def _claims(printed: str) -> dict[tuple[str, str], str]:
    """Which job of ours each record says to be, by number and start: a number alone may be given away."""
    claims: dict[tuple[str, str], str] = {}
    for line in printed.splitlines():
        cells = line.split("|", 3)
        found = OWN_NAME.fullmatch(cells[3]) if len(cells) > 3 else None
        if found is None:
            continue
        index = cells[2].partition("_")[2]
        if not found[1]:
            claims[cells[0], cells[1]] = found[2]
        elif index.isdecimal():
            claims[cells[0], cells[1]] = f"{found[2]}_{index}"
    return claims
