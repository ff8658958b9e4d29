"""What engines tell of a machine and what clusters offer, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from bitgoeul.kernel.text import N_, Text

from .isolation import HELD_TEXTS, THREATS, TIER_TEXTS, Held, Tier
from .ports import (
    DEVICES_BOUNDARY,
    DEVICES_MEASURED,
    DEVICES_READER,
    DEVICES_UNREAD,
    DEVICES_UNREAD_DETAIL,
    NodeState,
)
from .states import JobState
from .types import SweepView

NODE_STATES = {
    NodeState.IDLE: Text(N_("Idle")),
    NodeState.USED: Text(N_("In use")),
    NodeState.DRAINED: Text(N_("Out of service")),
    NodeState.UNKNOWN: Text(N_("Unknown")),
}
NODE_TONES = {
    NodeState.IDLE: "neutral",
    NodeState.USED: "progress",
    NodeState.DRAINED: "bad",
    NodeState.UNKNOWN: "warning",
}
PLAIN_WORDS = {
    "engine": N_("Engine"),
    "metering": N_("Measured by"),
    "node": N_("Node"),
    "scheduler_number": N_("Number at the scheduler"),
    "scheduler_numbers": N_("All its numbers at the scheduler"),
    "kernel": N_("Kernel"),
    "machine": N_("Architecture"),
    "processor": N_("Processor model"),
    "processors": N_("Processors of the machine"),
    "software-target": N_("Software target"),
    "core": N_("CPU core"),
    "memory_mib": N_("Memory (MiB)"),
}


# They have a place of their own on the page.
ISOLATION_WORDS = ("isolation", "isolation_parts", "isolation_why_not")
DEVICE_WORDS = (DEVICES_READER, DEVICES_MEASURED, DEVICES_BOUNDARY, DEVICES_UNREAD, DEVICES_UNREAD_DETAIL)
APART = frozenset((*ISOLATION_WORDS, *DEVICE_WORDS))


@dataclass(frozen=True)
class IsolationView:
    """How a job was kept apart: in a few words, what that holds and what not, its parts, and why not more."""

    title: str
    holds: Sequence[tuple[str, str]]
    parts: str
    why_not: str


def isolation_view(environment: Mapping[str, str]) -> IsolationView | None:
    """How the job was kept apart as its record says; None when it says nothing."""
    told = environment.get("isolation", "")
    if told not in set(Tier):
        return IsolationView(told, (), "", "") if told else None
    tier = Tier(told)
    parts = environment.get("isolation_parts", "")
    holds = [(gettext(threat.text), gettext(HELD_TEXTS[_held(threat.held(tier), parts)])) for threat in THREATS]
    return IsolationView(gettext(TIER_TEXTS[tier]), holds, parts, environment.get("isolation_why_not", ""))


def _held(held: Held, parts: str) -> Held:
    """What depends on cgroups is known of a job: it had one or not."""
    if held is Held.CGROUP:
        return Held.YES if "cgroup v" in parts else Held.ENDED
    return held


def environment_rows(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the engine told of the machine, in words; isolation and who measures devices stand apart."""
    told = {name: value for name, value in environment.items() if name not in APART and value}
    return [(plain_word(name), value) for name, value in told.items()]


def plain_word(name: str) -> str:
    """The word for a name that an engine or a cluster uses; an unknown one stands as it is."""
    return gettext(PLAIN_WORDS[name]) if name in PLAIN_WORDS else name


# How the jobs of a sweep are drawn; one shape for those of whom a reader wants to know the same.
SQUARE_MARKS = {
    JobState.QUEUED: "idle",
    JobState.SUBMITTED: "idle",
    JobState.RUNNING: "running",
    JobState.UNKNOWN: "unknown",
    JobState.SUCCEEDED: "used",
    JobState.FAILED: "failed",
    JobState.TIMED_OUT: "failed",
    JobState.REFUSED: "failed",
    JobState.CANCELLED: "cancelled",
}
SQUARE_LABELS = {
    "idle": Text(N_("waits")),
    "running": Text(N_("runs")),
    "used": Text(N_("succeeded")),
    "failed": Text(N_("did not succeed")),
    "cancelled": Text(N_("cancelled")),
    "unknown": Text(N_("unknown")),
}
BAD_ENDS = (JobState.FAILED, JobState.TIMED_OUT, JobState.REFUSED)


def sweep_word(view: SweepView) -> tuple[Text, str]:
    """How a sweep stands, in a word and its tone."""
    succeeded = view.states.get(JobState.SUCCEEDED, 0)
    if view.finished and succeeded == view.jobs:
        return Text(N_("All succeeded")), "good"
    if view.finished:
        failed = any(view.states.get(state) for state in BAD_ENDS)
        return Text(
            N_("{count} without success"), {"count": view.jobs - succeeded}
        ), "bad" if failed else "neutral"
    if view.states.get(JobState.UNKNOWN):
        return Text(N_("Some jobs unknown")), "warning"
    begun = view.ended or view.states.get(JobState.RUNNING)
    return (Text(N_("Under way")), "progress") if begun else (Text(N_("Waiting")), "neutral")
