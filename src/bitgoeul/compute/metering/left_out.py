"""Why a line or a record is not metered; every one left out is counted under one of these. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class LeftOut(StrEnum):
    """A named reason. The values are what programs read; they do not change."""

    COLUMNS = "columns"
    """The line has another number of columns than the header (or Open XDMoD's order)."""
    ID = "id"
    """The job id is missing or not a number."""
    STATE = "unknown_state"
    """The state is none that Slurm writes."""
    TIME = "bad_time"
    """Submit, start or end is no time, or lies before 1990 or after 2100."""
    ELAPSED = "bad_elapsed"
    """The elapsed time is no ``[days-]hours:minutes:seconds`` and no count of seconds, or is below zero."""
    ENDS_BEFORE_START = "ends_before_start"
    """The end lies before the start."""
    TRES = "bad_tres"
    """An amount of the allocated resources cannot be read or is negative."""
    OTHER_CLUSTER = "other_cluster"
    """The file holds several clusters, and this record is of another one than the first."""
    STEP = "step"
    """A job step: its use is part of its job's allocation already."""
    PENDING = "pending"
    """Waits still; a range of array elements is one such line."""
    NEVER_STARTED = "never_started"
    """Ended without ever getting a node: demand, no use."""
    REPEATED = "repeated"
    """The same record again, or an older figure of one that is known."""
    OWN_JOB = "own_job"
    """A job that this platform submitted: its follower has charged it."""
    UNKNOWN_ACCOUNT = "unknown_account"
    """No project has the record's account: metered under no project, charged to nobody."""
    NO_ALLOCATION = "no_allocation"
    """The project has no allocation of a resource that the record used: that part is metered and not charged."""
    NO_UNIT = "no_unit"
    """It held a device that no unit is kept for: that part is metered and not charged."""


REMEDIES: Mapping[LeftOut, str] = {
    LeftOut.COLUMNS: "export with --parsable2 and put JobName last, for it may hold a |",
    LeftOut.ID: "JobID and JobIDRaw: export them as sacct writes them",
    LeftOut.STATE: "State: export it as sacct writes it, and tell us of a new one",
    LeftOut.TIME: "Submit, Start, End: export with SLURM_TIME_FORMAT unset or %s",
    LeftOut.ELAPSED: "Elapsed: export it as sacct writes it, never below zero",
    LeftOut.ENDS_BEFORE_START: "End: check the cluster's clocks and --source-zone; correct the record",
    LeftOut.TRES: "AllocTRES: export it as sacct writes it, with no amount below zero",
    LeftOut.OTHER_CLUSTER: "Cluster: export one cluster at a time (sacct -M NAME)",
    LeftOut.UNKNOWN_ACCOUNT: "Account: name it bg-PROJECT-NUMBER, or the number alone",
    LeftOut.NO_ALLOCATION: "grant the project what it used and read again",
    LeftOut.NO_UNIT: "AllocTRES: name the type of each device, or keep a unit for it (units.json)",
}
"""What to do about a reason that somebody can do something about; the other reasons are as they should be."""
