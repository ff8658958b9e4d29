"""What was used by day or month: ten figures, summed in whole numbers. Pure.

Hours of cores, devices, nodes and wall clock are split at the period's borders; waiting and starts belong to the
period of the start, ends to that of the end, submissions to that of the submission; a job runs in every period
that it touches, its last second included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .periods import Borders
from .sacct import Record
from .tres import MILLI

HOURS = ("cpu_hours", "gpu_hours", "npu_hours", "node_hours", "wall_hours", "wait_hours")
COUNTS = ("jobs_ended", "jobs_started", "jobs_submitted", "jobs_running")
METRICS = (*HOURS, *COUNTS)
CPU, GPU, NPU, NODE, WALL, WAIT, ENDED, STARTED, SUBMITTED, RUNNING = range(len(METRICS))
HOUR_MILLISECONDS = 3_600_000
DECIMALS = 9


class Figure(NamedTuple):
    """One cell: thousandths of a unit times seconds for hours, a count for jobs."""

    metric: str
    period: str
    value: int

    @property
    def text(self) -> str:
        """The value in hours or jobs as a decimal number with nine decimals."""
        return hours(self.value) if self.metric in HOURS else f"{self.value}.{0:0{DECIMALS}d}"


class Tally:
    """Sums records; a record read again replaces what it said before."""

    def __init__(self, borders: Borders) -> None:
        self.borders = borders
        self.known: dict[str, Record] = {}

    def add(self, record: Record) -> bool:
        """Take a record in; False when it says nothing new of one that is known."""
        other = self.known.get(record.identity)
        if other is not None and not record.replaces(other):
            return False
        self.known[record.identity] = record
        return True

    def cells(self) -> dict[str, list[int]]:
        """The ten sums by period, every period from the first submission to the last end, empty ones too."""
        records = self.known.values()
        if not records:
            return {}
        first = min(min(record.submit, record.start) for record in records)
        last = max(record.end for record in records)
        last = max(last, max(record.submit for record in records))
        found = {period.name: [0] * len(METRICS) for period in self.borders.between(first, last)}
        for record in records:
            self._sum(record, found)
        return found

    def figures(self) -> Iterator[Figure]:
        """Every cell, metric by metric, in the order of the periods."""
        cells = self.cells()
        for place, metric in enumerate(METRICS):
            for period, values in cells.items():
                yield Figure(metric, period, values[place])

    def _sum(self, record: Record, cells: dict[str, list[int]]) -> None:
        borders, held = self.borders, record.allocated
        cores, nodes = held.cores_milli, held.nodes * MILLI
        gpus, npus = (held.family_milli("gpu"), held.family_milli("npu")) if held.devices else (0, 0)
        for period, seconds in borders.split_amount(record.start, record.end, record.elapsed):
            cell = cells[period]
            cell[CPU] += cores * seconds
            cell[GPU] += gpus * seconds
            cell[NPU] += npus * seconds
            cell[NODE] += nodes * seconds
            cell[WALL] += MILLI * seconds
        started = cells[borders.name_at(record.start)]
        started[WAIT] += MILLI * max(0, record.start - record.submit)
        started[STARTED] += 1
        cells[borders.name_at(record.submit)][SUBMITTED] += 1
        if record.final:
            cells[borders.name_at(record.end)][ENDED] += 1
        for touched in borders.between(record.start, record.end):
            cells[touched.name][RUNNING] += 1


def hours(milliseconds: int) -> str:
    """Thousandths of a second as hours with nine decimals, rounded half up: 1 800 000 → ``0.500000000``."""
    scale = 10**DECIMALS
    whole, rest = divmod((2 * milliseconds * scale + HOUR_MILLISECONDS) // (2 * HOUR_MILLISECONDS), scale)
    return f"{whole}.{rest:0{DECIMALS}d}"
