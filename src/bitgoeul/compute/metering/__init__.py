"""Metering: what a cluster's accounting says was allocated, read, split at period borders and counted. Pure.

No Django here: the command line reads an export without a database, and every rule can be tested by itself.
The rules as people read them: ``docs/reference/metering.md``.
"""

from __future__ import annotations

from .left_out import REMEDIES, LeftOut
from .metrics import METRICS, Tally, hours
from .periods import SITE_ZONE, Borders, Period, PeriodKind, share, zone
from .policy import PERMILLE, charged, next_month, own_job, policy, project_number, units
from .reconciling import CAUSE_TEXTS, Booked, Cause, Comparison, Line, Part, PortalJob, salvaged
from .rollups import FIELDS, Sums, used
from .rollups import add as add_to_days
from .sacct import XDMOD_ORDER, Reader, Record
from .states import RecordState
from .tres import Tres, memory_mib, parse_tres

__all__ = [
    "CAUSE_TEXTS",
    "FIELDS",
    "METRICS",
    "PERMILLE",
    "REMEDIES",
    "SITE_ZONE",
    "XDMOD_ORDER",
    "Booked",
    "Borders",
    "Cause",
    "Comparison",
    "LeftOut",
    "Line",
    "Part",
    "Period",
    "PeriodKind",
    "PortalJob",
    "Reader",
    "Record",
    "RecordState",
    "Sums",
    "Tally",
    "Tres",
    "add_to_days",
    "charged",
    "hours",
    "memory_mib",
    "next_month",
    "own_job",
    "parse_tres",
    "policy",
    "project_number",
    "salvaged",
    "share",
    "units",
    "used",
    "zone",
]
