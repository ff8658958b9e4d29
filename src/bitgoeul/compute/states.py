"""The life of a job as a table."""

from __future__ import annotations

from enum import StrEnum

from bitgoeul.kernel.machine import Machine, Move
from bitgoeul.kernel.text import N_, Text


class JobState(StrEnum):
    """Where a job stands; each differs from its neighbour in who has to do something next."""

    QUEUED = "QUEUED"
    """Accepted and held for; the follower has not taken it yet, or other jobs must succeed first. Cancelling is
    immediate."""
    SUBMITTED = "SUBMITTED"
    """The follower has taken it; the engine has it or is about to. It may wait there for a free place."""
    RUNNING = "RUNNING"
    """The engine says that it runs."""
    UNKNOWN = "UNKNOWN"
    """The engine no longer lists it: not done, not failed, still held for, until it is found or written off."""
    SUCCEEDED = "SUCCEEDED"
    """Ended with status 0 and every promised output; settled."""
    FAILED = "FAILED"
    """Ended otherwise, by itself or at a limit other than time; settled."""
    TIMED_OUT = "TIMED_OUT"
    """Ended at its wall-clock limit; settled. Not FAILED: nothing is wrong but the limit."""
    CANCELLED = "CANCELLED"
    """Ended because somebody asked; what it used until then is settled."""
    REFUSED = "REFUSED"
    """The engine said no, or a job it waited for did not succeed; it never ran and nothing was charged."""


IN_ENGINE = frozenset({JobState.SUBMITTED, JobState.RUNNING, JobState.UNKNOWN})
UNFINISHED = IN_ENGINE | {JobState.QUEUED}
LISTED = frozenset({JobState.SUBMITTED, JobState.RUNNING})
NO_SUCCESS = frozenset({JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED, JobState.REFUSED})
NOT_STARTED = frozenset({JobState.QUEUED, JobState.SUBMITTED})

MACHINE: Machine[JobState] = Machine(
    name="job",
    states=JobState,
    initial=JobState.QUEUED,
    moves={
        "submit": Move(frozenset({JobState.QUEUED}), JobState.SUBMITTED, Text(N_("Hand over"))),
        "start": Move(
            frozenset({JobState.SUBMITTED, JobState.UNKNOWN}), JobState.RUNNING, Text(N_("Note the start"))
        ),
        "lose": Move(LISTED, JobState.UNKNOWN, Text(N_("Note that it is not listed"))),
        "find": Move(frozenset({JobState.UNKNOWN}), JobState.SUBMITTED, Text(N_("Note that it waits"))),
        "succeed": Move(IN_ENGINE, JobState.SUCCEEDED, Text(N_("Note the success"))),
        "fail": Move(IN_ENGINE, JobState.FAILED, Text(N_("Note the failure"))),
        "time_out": Move(IN_ENGINE, JobState.TIMED_OUT, Text(N_("Note the time limit"))),
        "cancel": Move(UNFINISHED, JobState.CANCELLED, Text(N_("Cancel"))),
        "refuse": Move(NOT_STARTED, JobState.REFUSED, Text(N_("Refuse"))),
        "write_off": Move(frozenset({JobState.UNKNOWN}), JobState.FAILED, Text(N_("Write off"))),
    },
    labels={
        JobState.QUEUED: Text(N_("Queued")),
        JobState.SUBMITTED: Text(N_("Handed over")),
        JobState.RUNNING: Text(N_("Running")),
        JobState.UNKNOWN: Text(N_("Unknown")),
        JobState.SUCCEEDED: Text(N_("Succeeded")),
        JobState.FAILED: Text(N_("Ended in failure")),
        JobState.TIMED_OUT: Text(N_("Timed out")),
        JobState.CANCELLED: Text(N_("Cancelled")),
        JobState.REFUSED: Text(N_("Refused")),
    },
    tones={
        JobState.QUEUED: "neutral",
        JobState.SUBMITTED: "progress",
        JobState.RUNNING: "progress",
        JobState.UNKNOWN: "warning",
        JobState.SUCCEEDED: "good",
        JobState.FAILED: "bad",
        JobState.TIMED_OUT: "bad",
        JobState.CANCELLED: "neutral",
        JobState.REFUSED: "bad",
    },
)
