"""How far a job is kept apart from the machine and from other jobs: the words, and what each tier holds. Pure.

An engine that keeps jobs apart names the tier of each job as ``isolation`` in the environment of its usage record.
The table below is what the page of a job, docs/reference/jobs.md and the attack tests say, from one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bitgoeul.kernel.text import N_


class Tier(StrEnum):
    """How a job is kept apart; each holds what the one before holds, and more."""

    LIMITS = "limits"
    """Own session, resource limits and a watch over all its processes; everywhere."""
    LANDLOCK = "landlock"
    """And Landlock for files, seccomp for sockets and dangerous calls, no capabilities; Linux, no package."""
    CONTAINER = "container"
    """And own namespaces by bubblewrap, with cgroups where they are writable; Linux with the package."""

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return list(Tier).index(self)


class Held(StrEnum):
    """Whether a tier holds an attack."""

    YES = "yes"
    """It has no effect outside the job."""
    ENDED = "ended"
    """It is seen within seconds and the job is ended; until then it takes what it takes."""
    CGROUP = "cgroup"
    """Yes where the platform may make cgroups; elsewhere as ENDED."""
    KERNEL = "kernel"
    """Yes on Linux 6.12 and newer (Landlock's sixth interface); not before."""
    NO = "no"
    """It has its effect."""


@dataclass(frozen=True)
class Threat:
    """One thing a hostile program may try, and what each tier makes of it."""

    code: str
    text: str
    limits: Held
    landlock: Held
    container: Held

    def held(self, tier: Tier) -> Held:
        """What ``tier`` makes of it."""
        return {Tier.LIMITS: self.limits, Tier.LANDLOCK: self.landlock, Tier.CONTAINER: self.container}[tier]


TIER_TEXTS: Mapping[Tier, str] = {
    Tier.LIMITS: N_("Limits and a watch"),
    Tier.LANDLOCK: N_("Limits, closed files and no network"),
    Tier.CONTAINER: N_("Container of its own"),
}

HELD_TEXTS: Mapping[Held, str] = {
    Held.YES: N_("blocked"),
    Held.ENDED: N_("ended when seen"),
    Held.CGROUP: N_("blocked with cgroups, else ended when seen"),
    Held.KERNEL: N_("blocked on Linux 6.12 and newer"),
    Held.NO: N_("not blocked"),
}

THREATS = (
    Threat("read_job", N_("Reads the files of another job"), Held.NO, Held.YES, Held.YES),
    Threat("read_keys", N_("Reads the keys of the installation"), Held.NO, Held.YES, Held.YES),
    Threat("read_system", N_("Reads what only the platform's user may read"), Held.NO, Held.YES, Held.YES),
    Threat("write_outside", N_("Writes outside its own directories"), Held.NO, Held.YES, Held.YES),
    Threat("tcp", N_("Talks to a service of the machine over TCP"), Held.NO, Held.YES, Held.YES),
    Threat("udp", N_("Sends over UDP"), Held.NO, Held.YES, Held.YES),
    Threat("dns", N_("Asks a name server"), Held.NO, Held.YES, Held.YES),
    Threat("unix_path", N_("Connects to a Unix socket outside its directories"), Held.NO, Held.NO, Held.YES),
    Threat("unix_abstract", N_("Connects to an abstract Unix socket"), Held.NO, Held.KERNEL, Held.YES),
    Threat("signal", N_("Ends another process of the platform's user"), Held.NO, Held.KERNEL, Held.YES),
    Threat("ptrace", N_("Takes hold of another process"), Held.NO, Held.YES, Held.YES),
    Threat("environ", N_("Reads the environment of another process"), Held.NO, Held.YES, Held.YES),
    Threat("processes", N_("Sees the names of other processes"), Held.NO, Held.NO, Held.YES),
    Threat("userns", N_("Makes a user namespace of its own"), Held.NO, Held.YES, Held.YES),
    Threat("mount", N_("Mounts a file system"), Held.NO, Held.YES, Held.YES),
    Threat("memory", N_("Takes all memory"), Held.ENDED, Held.ENDED, Held.CGROUP),
    Threat("forks", N_("Makes processes without end"), Held.ENDED, Held.ENDED, Held.CGROUP),
    Threat("escape", N_("Leaves a process behind after its end"), Held.YES, Held.YES, Held.YES),
    Threat("disk", N_("Fills its directories"), Held.ENDED, Held.ENDED, Held.ENDED),
)


def markdown_table() -> str:
    """The table for docs/reference/jobs.md, in English."""
    head = ["| what a program tries | " + " | ".join(f"`{tier}`" for tier in Tier) + " |", "|---|---|---|---|"]
    rows = [
        f"| {threat.text.lower()} | " + " | ".join(HELD_TEXTS[threat.held(tier)] for tier in Tier) + " |"
        for threat in THREATS
    ]
    return "\n".join(head + rows)
