"""What a job's own devices do while it runs, read beside its supervision and never in its way."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitgoeul.compute.ports import (
    DEVICES_BOUNDARY,
    DEVICES_MEASURED,
    DEVICES_READER,
    DEVICES_UNREAD,
    DEVICES_UNREAD_DETAIL,
    Unmeasured,
)
from bitgoeul.kernel.errors import BadInput
from bitgoeul.telemetry import Cause, Reader, Reading, Sample, TelemetrySettings
from bitgoeul.telemetry.reading import READ_SECONDS

from .samples import DeviceUse, higher, mean
from .slots import Grant

EVERY_SECONDS, EVERY_SECONDS_MAX = 1.0, 10.0
READS_A_POINT = 8
# So many reads may fail until what was read last says nothing of now.
STALE_READS = 2.5
LEAVE_SECONDS = 1.0


@dataclass(frozen=True)
class Wanted:
    """The devices that are a job's: numbers by name, and what a model's name must have in it by the same."""

    indices: Mapping[str, tuple[int, ...]]
    models: Mapping[str, str]

    def own(self, samples: Sequence[Sample]) -> list[Sample] | Unmeasured:
        """One sample for each of the job's devices, or why they cannot be told."""
        found: list[Sample] = []
        for name, numbers in self.indices.items():
            fitting = [each for each in samples if self.models.get(name, "") in each.model]
            for number in numbers:
                mine = [each for each in fitting if each.index == number]
                if not mine:
                    return Unmeasured.MISSING
                if len(mine) > 1 or mine[0] in found:
                    return Unmeasured.AMBIGUOUS
                found += mine
        return found


def together(samples: Sequence[Sample]) -> DeviceUse:
    """A job's devices as one: a figure that one of them lacks is none, for a part would pass for the whole."""
    busy = _all([each.busy_permille for each in samples])
    power = _all([each.power_mw for each in samples])
    if len({each.boundary for each in samples}) > 1:
        power = None
    memory = _all([each.memory_used_mib for each in samples])
    return DeviceUse(
        mean(busy, [1] * len(busy)) if busy else None,
        sum(memory) if memory else None,
        sum(power) if power else None,
    )


def _all(values: Sequence[int | None]) -> list[int] | None:
    there = [each for each in values if each is not None]
    return there if len(there) == len(values) else None


def watch_of(told: object, grant: Grant) -> DeviceWatch | None:
    """The watch over a job's devices by the settings in its launch record; None without devices or settings."""
    try:
        settings = TelemetrySettings.read(told)
    except BadInput as error:  # another version wrote them; a job runs without its charts rather than not at all
        print(f"its devices are not measured: {error}", file=sys.stderr)
        return None
    if settings is None or not grant.devices:
        return None
    why: Unmeasured | None = None
    if grant.shared or any(name in settings.shared for name in grant.devices):
        why = Unmeasured.SHARED
    elif any(len(grant.indices.get(name, ())) != len(numbers) for name, numbers in grant.devices.items()):
        why = Unmeasured.NOT_TOLD
    return DeviceWatch(settings.make_reader(), Wanted(grant.indices, settings.models), why)


class DeviceWatch:
    """Reads in a thread of its own; the supervising thread only takes what is there.

    A reader that hangs leaves a gap while the job runs. Only ``stop``, called once the exit record is written,
    waits for it, ``LEAVE_SECONDS`` at most; then its thread is let go. Started after the program's fork, for a
    fork with two threads is not safe.
    """

    def __init__(self, reader: Reader, wanted: Wanted, why: Unmeasured | None = None) -> None:
        self.reader, self.wanted = reader, wanted
        self._why: str = why or ""
        self._detail = self._boundary = ""
        self._measured = 0
        self._taken: list[DeviceUse] = []
        self._last, self._last_at = DeviceUse(), float("-inf")
        self._every = EVERY_SECONDS
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True) if why is None else None

    def start(self) -> None:
        """Begin to read, unless it is known already that nothing can be the job's own.

        Where the machine gives no thread (``ulimit -u``, a limit of processes) the job runs without its figures.
        """
        if self._thread is None:
            return
        try:
            self._thread.start()
        except RuntimeError as error:
            self._thread, self._why, self._detail = None, Cause.BROKEN, str(error)

    def stop(self) -> None:
        """End reading; a read that is under way is given up to ``LEAVE_SECONDS``, so that no library is left in
        its middle.
        """
        self._over.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(LEAVE_SECONDS)

    def pace(self, point_ms: int) -> None:
        """Read several times a point, but not more than that is worth."""
        self._every = min(EVERY_SECONDS_MAX, max(EVERY_SECONDS, point_ms / 1000 / READS_A_POINT))

    def take(self) -> DeviceUse:
        """What the devices did since the last time this was asked."""
        with self._lock:
            taken, self._taken = self._taken, []
            fresh = time.monotonic() - self._last_at <= STALE_READS * self._every + READ_SECONDS
            taken = taken or ([self._last] if fresh else [])
        even = [1] * len(taken)
        memory: int | None = None
        for each in taken:
            memory = higher(memory, each.memory_mib)
        return DeviceUse(
            mean([each.busy_permille for each in taken], even),
            memory,
            mean([each.power_mw for each in taken], even),
        )

    def facts(self) -> dict[str, str]:
        """Who measures, of how many devices, what their power covers, and why it is not measured now."""
        with self._lock:
            told = {
                DEVICES_READER: self.reader.name,
                DEVICES_MEASURED: str(self._measured),
                DEVICES_BOUNDARY: self._boundary,
                DEVICES_UNREAD: self._why,
                DEVICES_UNREAD_DETAIL: self._detail,
            }
        return {name: value for name, value in told.items() if value}

    def _run(self) -> None:
        wait = 0.0
        while not self._over.wait(wait):
            began = time.monotonic()
            self._note(self.reader.read())
            wait = max(0.0, self._every - (time.monotonic() - began))

    def _note(self, reading: Reading) -> None:
        mine = self.wanted.own(reading.samples) if reading.cause is None else reading.cause
        with self._lock:
            if not isinstance(mine, list):
                self._why, self._detail = mine, reading.detail
                return
            self._why = self._detail = ""
            self._last, self._last_at = together(mine), time.monotonic()
            self._taken.append(self._last)
            self._measured = len(mine)
            boundaries = {each.boundary for each in mine if each.boundary is not None}
            self._boundary = boundaries.pop() if len(boundaries) == 1 else self._boundary
