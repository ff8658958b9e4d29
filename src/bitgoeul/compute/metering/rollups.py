"""What one record adds to the days that it touches. Pure.

Amounts are whole: cores, devices, nodes and wall clock in thousandths times seconds, memory in MiB times seconds,
waiting in thousandths of a second, starts, ends and submissions as counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from .periods import Borders
from .policy import units
from .sacct import Record
from .tres import MILLI

Parts = dict[tuple[str, str], tuple[int, int]]
"""(day, resource) → (amount used, amount charged to the project)."""


def rates(record: Record) -> dict[str, int]:
    """What the record holds in each second, by resource."""
    held = record.allocated
    found = {"cpu": held.cores_milli, "memory": held.memory_mib, "node": held.nodes * MILLI, "wall": MILLI}
    return {**found, **held.devices} if held.devices else found


def used(record: Record) -> dict[str, int]:
    """What the record used of each resource that has a ledger unit."""
    held = record.allocated
    found = {"cpu": held.cores_milli * record.elapsed} if held.cores_milli and record.elapsed else {}
    for device, rate in held.devices.items():
        if rate and record.elapsed and device in units():
            found[device] = rate * record.elapsed
    return found


def contributions(record: Record, days: Borders, charges: Mapping[str, int]) -> Parts:
    """What the record adds to each day; ``charges`` is what its project pays in all, by resource."""
    parts: Parts = {}
    held = rates(record)
    for day, seconds in days.split_amount(record.start, record.end, record.elapsed):
        for resource, rate in held.items():
            if rate and seconds:
                parts[day, resource] = (rate * seconds, 0)
    for resource, amount in charges.items():
        for day, part in days.split_amount(record.start, record.end, amount):
            parts[day, resource] = (parts.get((day, resource), (0, 0))[0], part)
    first = days.name_at(record.start)
    if wait := MILLI * max(0, record.start - record.submit):
        parts[first, "wait"] = (wait, 0)
    parts[first, "started"] = (1, 0)
    parts[days.name_at(record.submit), "submitted"] = (1, 0)
    if record.final:
        parts[days.name_at(record.end), "ended"] = (1, 0)
    return parts
