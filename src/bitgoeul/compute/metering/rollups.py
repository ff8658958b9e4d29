"""What one record adds to the days that it touches. Pure.

Sums are whole: cores, devices, nodes and wall clock in thousandths times seconds, memory in MiB times seconds,
waiting in thousandths of a second, starts, ends and submissions as counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from .periods import Borders
from .policy import units
from .sacct import Record
from .tres import MILLI

BASE = "cpu"
FIELDS = ("amount", "charged", "memory", "node", "wall", "wait", "started", "ended", "submitted")
AMOUNT, CHARGED, MEMORY, NODE, WALL, WAIT, STARTED, ENDED, SUBMITTED = range(len(FIELDS))
Sums = dict[str, dict[str, list[int]]]
"""Day → resource → the sums of FIELDS. What is not of a device, memory to submissions, stands with ``cpu``."""


def used(record: Record) -> dict[str, int]:
    """What the record used of each resource that has a ledger unit."""
    held = record.allocated
    found = {"cpu": held.cores_milli * record.elapsed} if held.cores_milli and record.elapsed else {}
    for device, rate in held.devices.items():
        if rate and record.elapsed and device in units():
            found[device] = rate * record.elapsed
    return found


def add(sums: Sums, record: Record, days: Borders, charges: Mapping[str, int], sign: int = 1) -> None:
    """Add the record to the days that it touches, or take it back with ``sign`` -1.

    ``charges`` is what its project pays in all, by resource.
    """
    held = record.allocated
    for day, seconds in days.split_amount(record.start, record.end, record.elapsed):
        signed = sign * seconds
        base = cell(sums, day, BASE)
        base[AMOUNT] += held.cores_milli * signed
        base[MEMORY] += held.memory_mib * signed
        base[NODE] += held.nodes * MILLI * signed
        base[WALL] += MILLI * signed
        for device, rate in held.devices.items():
            cell(sums, day, device)[AMOUNT] += rate * signed
    for resource, amount in charges.items():
        for day, part in days.split_amount(record.start, record.end, amount):
            cell(sums, day, resource)[CHARGED] += sign * part
    name, since, until = days.at(record.start)
    first = cell(sums, name, BASE)
    first[WAIT] += sign * MILLI * max(0, record.start - record.submit)
    first[STARTED] += sign
    submitted = first if since <= record.submit < until else cell(sums, days.name_at(record.submit), BASE)
    submitted[SUBMITTED] += sign
    if record.final:
        ended = first if record.end < until else cell(sums, days.name_at(record.end), BASE)
        ended[ENDED] += sign


def cell(sums: Sums, day: str, resource: str) -> list[int]:
    """The sums of a resource on a day, made if need be."""
    cells = sums.get(day)
    if cells is None:
        cells = sums[day] = {}
    found = cells.get(resource)
    if found is None:
        found = cells[resource] = [0] * len(FIELDS)
    return found
