"""The states that Slurm's accounting writes, and what each means for metering. Pure.

Source: sacct(1), "JOB STATE CODES"; slurm.h, enum job_states and the state flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from functools import lru_cache


class RecordState(StrEnum):
    """A record's state, without what sacct appends to it (``CANCELLED by 1000``)."""

    COMPLETED = "COMPLETED"
    """Ended by itself with status 0."""
    FAILED = "FAILED"
    """Ended by itself with another status."""
    CANCELLED = "CANCELLED"
    """Ended by its user or an administrator, started or not."""
    TIMEOUT = "TIMEOUT"
    """Ended at its time limit."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    """Ended for memory, as FAILED otherwise."""
    NODE_FAIL = "NODE_FAIL"
    """Ended because a node did: the cluster's fault."""
    BOOT_FAIL = "BOOT_FAIL"
    """A node did not boot: the cluster's fault."""
    LAUNCH_FAILED = "LAUNCH_FAILED"
    """The program could not be started on its nodes: the cluster's fault."""
    RECONFIG_FAIL = "RECONFIG_FAIL"
    """A node could not be set up for it: the cluster's fault."""
    DEADLINE = "DEADLINE"
    """Ended at the deadline that its user named."""
    PREEMPTED = "PREEMPTED"
    """This attempt gave way to another job."""
    REQUEUED = "REQUEUED"
    """This attempt ended, and the job waited again; without an end the record waits still."""
    SPECIAL_EXIT = "SPECIAL_EXIT"
    """As REQUEUED, and held."""
    REVOKED = "REVOKED"
    """A sibling on another cluster of the federation runs in its place."""
    RESIZING = "RESIZING"
    """This allocation ended because the job changed its size; the next record goes on."""
    RUNNING = "RUNNING"
    """Runs: use up to now accrues."""
    COMPLETING = "COMPLETING"
    """Has ended, its nodes are being cleaned."""
    CONFIGURING = "CONFIGURING"
    """Has its nodes, which boot."""
    SIGNALING = "SIGNALING"
    """Runs, and is being sent a signal."""
    STAGE_OUT = "STAGE_OUT"
    """Has ended, its data is being copied out."""
    STOPPED = "STOPPED"
    """Stopped by a signal, its cores kept."""
    SUSPENDED = "SUSPENDED"
    """Suspended, its cores given to others; elapsed time stands still."""
    PENDING = "PENDING"
    """Waits."""
    REQUEUE_FED = "REQUEUE_FED"
    """Waits again, on another cluster of the federation."""
    REQUEUE_HOLD = "REQUEUE_HOLD"
    """Waits again, held."""
    RESV_DEL_HOLD = "RESV_DEL_HOLD"
    """Waits, held, for its reservation was deleted."""


class Phase(Enum):
    """What a record of a state can be metered as."""

    WAITS = "waits"
    RUNS = "runs"
    ENDED = "ended"
    ATTEMPT = "attempt"
    """Ended when the record has an end, waiting when it has none."""


S = RecordState
PHASES: Mapping[RecordState, Phase] = {
    **dict.fromkeys(RecordState, Phase.ENDED),
    **dict.fromkeys((S.REQUEUED, S.SPECIAL_EXIT, S.RESIZING, S.REVOKED), Phase.ATTEMPT),
    **dict.fromkeys(
        (S.RUNNING, S.COMPLETING, S.CONFIGURING, S.SIGNALING, S.STAGE_OUT, S.STOPPED, S.SUSPENDED), Phase.RUNS
    ),
    **dict.fromkeys((S.PENDING, S.REQUEUE_FED, S.REQUEUE_HOLD, S.RESV_DEL_HOLD), Phase.WAITS),
}


@lru_cache(maxsize=4096)
def read_state(text: str) -> RecordState:
    """``CANCELLED by 1000`` → CANCELLED, ``TIMEOUT+`` → TIMEOUT; raises ValueError for an unknown one."""
    return RecordState(text.strip().split(" ", 1)[0].rstrip("+").upper())
