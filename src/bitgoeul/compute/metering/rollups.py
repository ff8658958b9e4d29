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

Sums = dict[str, dict[str, list[int]]]
"""Day → resource → [amount used, amount charged to the project]."""


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


def add(sums: Sums, record: Record, days: Borders, charges: Mapping[str, int], sign: int = 1) -> None:
    """Add the record to the days that it touches, or take it back with ``sign`` -1.

    ``charges`` is what its project pays in all, by resource.
    """
    held = rates(record)
    for day, seconds in days.split_amount(record.start, record.end, record.elapsed):
        cells = sums.get(day)
        if cells is None:
            cells = sums[day] = {}
        signed = sign * seconds
        for resource, rate in held.items():
            _put(cells, resource, rate * signed, 0)
    for resource, amount in charges.items():
        for day, part in days.split_amount(record.start, record.end, amount):
            _put(sums.setdefault(day, {}), resource, 0, sign * part)
    name, since, until = days.at(record.start)
    first = sums.setdefault(name, {})
    _put(first, "wait", sign * MILLI * max(0, record.start - record.submit), 0)
    _put(first, "started", sign, 0)
    submitted = name if since <= record.submit < until else days.name_at(record.submit)
    _put(sums.setdefault(submitted, {}), "submitted", sign, 0)
    if record.final:
        ended = name if record.end < until else days.name_at(record.end)
        _put(sums.setdefault(ended, {}), "ended", sign, 0)


def _put(cells: dict[str, list[int]], resource: str, amount: int, charged: int) -> None:
    pair = cells.get(resource)
    if pair is None:
        cells[resource] = [amount, charged]
    else:
        pair[0] += amount
        pair[1] += charged
