"""How a job's use went over its time: few points however long it runs."""

from __future__ import annotations

from bitgoeul.compute.ports import SAMPLES_MAX

FIRST_EVERY_MS = 1_000


class Samples:
    """Points ``[wall_ms, cpu_ms, memory_kib]``: time and processor time since the start, memory since the last.

    When there are SAMPLES_MAX, every two become one and the next ones are taken half as often: processor time
    counts up, so nothing of it is lost, and of memory the higher one stays.
    """

    def __init__(self) -> None:
        self.points: list[list[int]] = []
        self._every_ms = FIRST_EVERY_MS
        self._memory_kib = 0

    def saw(self, memory_kib: int) -> None:
        """Memory at a moment between two points."""
        self._memory_kib = max(self._memory_kib, memory_kib)

    def add(self, wall_ms: int, cpu_ms: int, *, last: bool = False) -> None:
        """Take a point if one is due; the ``last`` one always is."""
        if not last and wall_ms - (self.points[-1][0] if self.points else 0) < self._every_ms:
            return
        self.points.append([wall_ms, cpu_ms, self._memory_kib])
        self._memory_kib = 0
        if len(self.points) >= SAMPLES_MAX:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            odd = self.points[-1:] if len(self.points) % 2 else []
            self.points = [[late[0], late[1], max(early[2], late[2])] for early, late in pairs] + odd
            self._every_ms *= 2
