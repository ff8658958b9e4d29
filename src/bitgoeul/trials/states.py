"""The life of a trial as a table."""

from __future__ import annotations

from enum import StrEnum

from bitgoeul.kernel.machine import Machine, Move
from bitgoeul.kernel.text import N_, Text


class TrialState(StrEnum):
    """Where a trial stands; each differs from its neighbour in what is there to see."""

    REQUESTED = "REQUESTED"
    """Asked for; nothing is held or queued yet."""
    QUEUED = "QUEUED"
    """Its job waits, and the estimate is held on the project's allocations."""
    RUNNING = "RUNNING"
    """Its job has started: the harness measures."""
    MEASURED = "MEASURED"
    """The record is here; nobody has judged it yet."""
    JUDGED = "JUDGED"
    """A verdict with its reasons stands; nothing is signed (an INVALID one never is)."""
    SIGNED = "SIGNED"
    """The judged record is signed evidence in the log."""
    STOPPED = "STOPPED"
    """The job ended without a usable record; the verdict is INVALID and says why."""


S = TrialState
BEFORE_A_RECORD = frozenset({S.REQUESTED, S.QUEUED, S.RUNNING})

TRIAL: Machine[TrialState] = Machine(
    name="trial",
    states=TrialState,
    initial=S.REQUESTED,
    moves={
        "queue": Move(frozenset({S.REQUESTED}), S.QUEUED, Text(N_("Queue the measurement"))),
        "start": Move(frozenset({S.QUEUED}), S.RUNNING, Text(N_("Start the measurement"))),
        "measure": Move(frozenset({S.QUEUED, S.RUNNING}), S.MEASURED, Text(N_("Take the record"))),
        "judge": Move(frozenset({S.MEASURED}), S.JUDGED, Text(N_("Judge the record"))),
        "sign": Move(frozenset({S.JUDGED}), S.SIGNED, Text(N_("Sign the evidence"))),
        "stop": Move(BEFORE_A_RECORD, S.STOPPED, Text(N_("Stop without a record"))),
    },
    labels={
        S.REQUESTED: Text(N_("Requested")),
        S.QUEUED: Text(N_("Waiting")),
        S.RUNNING: Text(N_("Measuring")),
        S.MEASURED: Text(N_("Measured")),
        S.JUDGED: Text(N_("Judged")),
        S.SIGNED: Text(N_("Signed")),
        S.STOPPED: Text(N_("Stopped")),
    },
    tones={
        S.QUEUED: "progress",
        S.RUNNING: "progress",
        S.MEASURED: "progress",
        S.JUDGED: "warning",
        S.SIGNED: "good",
        S.STOPPED: "bad",
    },
)

UNFINISHED = frozenset({S.REQUESTED, S.QUEUED, S.RUNNING, S.MEASURED})
