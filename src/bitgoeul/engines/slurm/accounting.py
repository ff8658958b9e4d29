"""Everybody's work as Slurm's accounting tells it, a window at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from .commands import Commands

# What sacct is asked for; the first two and the state are looked at here.
COLUMNS = (
    "JobIDRaw", "State", "JobID", "Cluster", "Account", "User", "Submit", "Start", "End", "Elapsed", "Suspended",
    "ReqTRES", "AllocTRES", "NodeList", "Comment",
)  # fmt: skip
RUNNING = ("RUNNING", "SUSPENDED", "COMPLETING", "RESIZING", "STOPPED")
STAMP = "%Y-%m-%dT%H:%M:%S"

log = logging.getLogger(__name__)


def accounting(commands: Commands, since: datetime, until: datetime) -> Iterator[str]:
    """Header and lines of sacct for everybody's jobs, each attempt of a requeued one too.

    Of a job that a controller lost the accounting goes on to say that it runs ("runaway"): what the controller
    does not have is left out, so that it does not accrue.
    """
    times = (each.astimezone(UTC).strftime(STAMP) for each in (since, until))
    begin, end = times
    printed = commands.run(
        "sacct", "-a", "-X", "-D", "-P", "-S", begin, "-E", end, "--format", ",".join(COLUMNS)
    ).splitlines()
    lives = set(commands.run("squeue", "-h", "-a", "-o", "%A", "-t", ",".join(RUNNING)).split())
    yield from printed[:1]
    for line in printed[1:]:
        number, state = line.split("|", 2)[:2]
        if state.startswith(RUNNING) and number not in lives:
            log.warning("Slurm's accounting says that job %s runs; the controller does not have it", number)
            continue
        yield line
