"""How a job's use went over its time: few points however long it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bitgoeul.compute.ports import SAMPLES_MAX

FIRST_EVERY_MS = 1_000
Point = list[int | None]


class DeviceUse(NamedTuple):
    """What a job's devices did lately: busy on the mean, memory and power summed up; None where not measured."""

    busy_permille: int | None = None
    memory_mib: int | None = None
    power_mw: int | None = None


class Samples:
    """Points ``[wall_ms, cpu_ms, memory_kib]``: time and processor time since the start, memory since the last.

    With devices three more values follow, see ``DeviceUse``. When there are SAMPLES_MAX, every two become one and
    the next ones are taken half as often: processor time counts up, so nothing of it is lost, of memory the higher
    one stays, and of use and power the mean by time, over the time in which they were measured.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.every_ms = FIRST_EVERY_MS
        self._memory_kib = 0

    def saw(self, memory_kib: int) -> None:
        """Memory at a moment between two points."""
        self._memory_kib = max(self._memory_kib, memory_kib)

    def add(
        self, wall_ms: int, cpu_ms: int, devices: Callable[[], DeviceUse] | None = None, *, last: bool = False
    ) -> None:
        """Take a point if one is due, then with what ``devices`` tells; the ``last`` one always is."""
        if not last and wall_ms - self._until() < self.every_ms:
            return
        self.points.append([wall_ms, cpu_ms, self._memory_kib, *(devices() if devices else ())])
        self._memory_kib = 0
        if len(self.points) >= SAMPLES_MAX:
            self.points = halved(self.points)
            self.every_ms *= 2

    def _until(self) -> int:
        return (self.points[-1][0] or 0) if self.points else 0


def halved(points: Sequence[Point]) -> list[Point]:
    """Every two points as one; an odd last one stays."""
    begins = [0, *(point[0] or 0 for point in points)]
    pairs = zip(points[::2], points[1::2], begins[::2], strict=False)
    odd = [list(points[-1])] if len(points) % 2 else []
    return [_joined(early, late, begin) for early, late, begin in pairs] + odd


def _joined(early: Point, late: Point, begin_ms: int) -> Point:
    """Two neighbours, of which the first begins at ``begin_ms``, as one."""
    middle, end = early[0] or 0, late[0] or 0
    shares = (middle - begin_ms, end - middle)
    kept: Point = [late[0], late[1], higher(early[2], late[2])]
    if len(late) > 3:
        busy, memory, power = zip(early[3:], late[3:], strict=True)
        kept += [mean(busy, shares), higher(*memory), mean(power, shares)]
    return kept


def higher(one: int | None, other: int | None) -> int | None:
    """The higher of two, or the one that there is."""
    there = [each for each in (one, other) if each is not None]
    return max(there, default=None)


def mean(values: Sequence[int | None], weights: Sequence[int]) -> int | None:
    """The mean of those that there are by their weights, halves upward; None of none."""
    there = [(value, max(1, weight)) for value, weight in zip(values, weights, strict=True) if value is not None]
    total = sum(weight for _value, weight in there)
    return (2 * sum(value * weight for value, weight in there) + total) // (2 * total) if there else None
