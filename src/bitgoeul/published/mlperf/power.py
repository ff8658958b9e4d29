"""Wall power of a run, from its meter's log, within the window that the detail log names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from .logs import Detail, number_of

STAMP = "%m-%d-%Y %H:%M:%S.%f"
LINES_MAX = 1_000_000


@dataclass(frozen=True)
class Power:
    """Mean wall power of the whole system in watts over ``samples`` readings of the meter, one a second."""

    watts: float
    samples: int


def read_power(lines: Iterable[str], detail: Detail, offset: timedelta = timedelta()) -> Power | None:
    """The mean between ``power_begin`` and ``power_end``; None where the meter tells nothing of that time.

    ``offset`` is how far the meter's host says its clock's zone is from the runner's. It is used only where the
    two clocks do not agree as they are: some hosts state an offset that their stamps do not have.
    """
    begin, end = _moment(detail.values.get("power_begin")), _moment(detail.values.get("power_end"))
    if begin is None or end is None:
        return None
    readings = list(islice(_readings(lines), LINES_MAX))
    for shift in (timedelta(), offset, -offset):
        # A stamp of the year 9999 cannot be moved; what lies between two stamps can.
        within = [watts for at, watts in readings if begin - at <= shift <= end - at]
        if within:
            return Power(math.fsum(within) / len(within), len(within))
    return None


def _readings(lines: Iterable[str]) -> Iterator[tuple[datetime, float]]:
    """``Time,<stamp>,Watts,<number>,…``; a reading that failed is below zero and is none."""
    for line in lines:
        cells = line.split(",", 4)
        if len(cells) < 4 or cells[0] != "Time" or cells[2] != "Watts":
            continue
        at = _moment(cells[1])
        watts = number_of(cells[3].strip())
        if at is not None and watts is not None and watts >= 0:
            yield at, watts


def _moment(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text), STAMP)
    except ValueError:
        return None
