"""What was charged, summed by allocation and day and month in the transaction that charges it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

from django.db import connection

from bitgoeul.kernel.clock import SEOUL

from .types import Entry

TABLES = {"day": "resources_useday", "month": "resources_usemonth"}


def add_up(entries: Iterable[Entry]) -> None:
    """Add what entries change to their day and month; their allocations must be locked.

    A use counts on the day on which it ended, the difference of a correction on the day that the corrected record
    ends. So what is read late for a closed month, which is booked on a day of an open one, counts there.
    """
    days: dict[tuple[UUID, date], int] = {}
    months: dict[tuple[UUID, date], int] = {}
    for entry in entries:
        if entry.change:
            day = entry.line.ended_at.astimezone(SEOUL).date()
            for sums, when in ((days, day), (months, day.replace(day=1))):
                key = (entry.line.allocation_id, when)
                sums[key] = sums.get(key, 0) + entry.change
    _write("day", days)
    _write("month", months)


def _write(period: str, sums: Mapping[tuple[UUID, date], int]) -> None:
    if not sums:
        return
    table = TABLES[period]
    statement = (
        f"INSERT INTO {table} (allocation_id, {period}, amount) VALUES (%s, %s, %s)"  # noqa: S608  (names of ours)
        f" ON CONFLICT (allocation_id, {period}) DO UPDATE SET amount = {table}.amount + excluded.amount"
    )
    rows = sorted((allocation.hex, when.isoformat(), amount) for (allocation, when), amount in sums.items())
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
