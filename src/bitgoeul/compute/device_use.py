"""What a job's own devices did, as its page tells it: who measured, charts, and what to do next time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext, ngettext

from bitgoeul.kernel.text import N_, Text
from bitgoeul.telemetry import BOUNDARY_TEXTS, CAUSE_TEXTS, Boundary, Cause

from .ports import (
    DEVICES_BOUNDARY,
    DEVICES_MEASURED,
    DEVICES_READER,
    DEVICES_UNREAD,
    UNMEASURED_TEXTS,
    Sample,
    Unmeasured,
)

# Only a job whose devices were measured so long, and for most of its time, tells something of the next one.
TELLING_MS = 60_000
IDLE_PERMILLE = 300


@dataclass(frozen=True)
class Devices:
    """Who measures a job's devices, how many, what their power covers, and why it is not measured now."""

    reader: str
    measured: int
    boundary: str
    unread: str

    @property
    def covers(self) -> str | None:
        """What their power covers, in the reader's language; None where no known word tells it."""
        known = self.boundary in set(Boundary)
        return gettext(BOUNDARY_TEXTS[Boundary(self.boundary)]) if known else None

    @property
    def why(self) -> Text | None:
        """Why they are not measured now; None while they are."""
        if self.unread in set(Unmeasured):
            return Text(UNMEASURED_TEXTS[Unmeasured(self.unread)])
        if self.unread in set(Cause):
            return Text(CAUSE_TEXTS[Cause(self.unread)])
        return Text(N_("It says “{word}”."), {"word": self.unread}) if self.unread else None


def devices_of(environment: Mapping[str, str]) -> Devices | None:
    """What a usage record tells of it; None where nobody measures."""
    reader = environment.get(DEVICES_READER, "")
    if not reader:
        return None
    measured = environment.get(DEVICES_MEASURED, "0")
    return Devices(
        reader,
        int(measured) if measured.isdecimal() else 0,
        environment.get(DEVICES_BOUNDARY, ""),
        environment.get(DEVICES_UNREAD, ""),
    )


def about_devices(samples: Sequence[Sample]) -> Text | None:
    """What devices that mostly wait ask for; nothing where they were measured too little."""
    told, _whole = _busy_ms(samples)
    busy = mean_busy(samples)
    if busy is None or told < TELLING_MS or not mostly(samples) or busy >= IDLE_PERMILLE:
        return None
    return Text(
        N_(
            "Its devices were busy {busy} % on average: feed them faster, in larger batches or from more cores, "
            "or ask for fewer."
        ),
        {"busy": percent(busy)},
    )


def mean_busy(samples: Sequence[Sample]) -> int | None:
    """The mean use by time, in thousandths, over the time in which it was measured; None if it never was."""
    told, busy = 0, 0
    for early, late in _spans(samples):
        if late.device_busy_permille is not None:
            told += late.wall_ms - early
            busy += late.device_busy_permille * (late.wall_ms - early)
    return (2 * busy + told) // (2 * told) if told else None


def mostly(samples: Sequence[Sample]) -> bool:
    """Whether devices were measured for more than half of the time."""
    told, whole = _busy_ms(samples)
    return told * 2 > whole


def _busy_ms(samples: Sequence[Sample]) -> tuple[int, int]:
    """Milliseconds in which use was measured, and all."""
    spans = [(late.wall_ms - early, late.device_busy_permille is not None) for early, late in _spans(samples)]
    return sum(span for span, told in spans if told), sum(span for span, _told in spans)


def _spans(samples: Sequence[Sample]) -> Iterator[tuple[int, Sample]]:
    return ((early.wall_ms, late) for early, late in pairwise([Sample(0, 0, 0), *samples]))


def percent(permille: int) -> str:
    """Thousandths as hundredths."""
    return f"{permille // 10}.{permille % 10}"


@dataclass(frozen=True)
class UseChart:
    """One chart of a job's use: ``data`` as the page's charts take it, and its reading in a sentence."""

    id: str
    title: str
    reading: str
    data: Mapping[str, Any]


def charts(samples: Sequence[Sample], devices: Devices | None, common: Mapping[str, Any]) -> Iterator[UseChart]:
    """A chart of each figure that there is, with the ``common`` data; a time without a figure is a gap in it."""
    count = devices.measured if devices else 0
    average = mean_busy(samples)
    if average is not None:
        busy = [each.device_busy_permille for each in samples]
        reading = ngettext("{busy} % on average", "{busy} % on average of its {count} devices", count)
        yield UseChart(
            "device-busy-chart",
            gettext("How busy its devices were"),
            _with_gaps(reading.format(busy=percent(average), count=count), samples),
            {**common, **_line(gettext("busy"), [None if each is None else each / 10 for each in busy], "%")},
        )
    memory = [each.device_memory_mib for each in samples]
    if there := [each for each in memory if each is not None]:
        reading = ngettext("{most} MiB at most", "{most} MiB at most on its {count} devices together", count)
        yield UseChart(
            "device-memory-chart",
            gettext("Memory of its devices"),
            reading.format(most=f"{max(there):,}", count=count),
            {**common, **_line(gettext("in use"), memory, "MiB")},
        )
    power = [each.device_power_mw for each in samples]
    there = [each for each in power if each is not None]
    covers = devices.covers if devices else None
    if there and covers is not None:  # power of nobody knows what is no measurement
        reading = ngettext("{most} W at most", "{most} W at most of its {count} devices together", count)
        yield UseChart(
            "device-power-chart",
            gettext("Power of its devices (measured at: {covers})").format(covers=covers),
            reading.format(most=watts(max(there)), count=count),
            {**common, **_line(gettext("power"), [None if each is None else each / 1000 for each in power], "W")},
        )


def watts(power_mw: int) -> str:
    """Milliwatts as watts with one digit after the point."""
    tenths = (power_mw + 50) // 100
    return f"{tenths // 10:,}.{tenths % 10}"


def _with_gaps(reading: str, samples: Sequence[Sample]) -> str:
    told, whole = _busy_ms(samples)
    if told == whole or not whole:
        return reading
    return gettext("{reading}, measured in {share} % of its time").format(
        reading=reading, share=max(1, told * 100 // whole)
    )


def _line(name: str, values: Sequence[float | None], unit: str) -> Mapping[str, Any]:
    return {"series": [{"name": name, "values": list(values)}], "unit": unit}
