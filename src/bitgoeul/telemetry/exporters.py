"""What exporters call their figures: a data file, so that another exporter is an entry and no code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .reading import half_up
from .samples import Boundary

BUILT_IN = Path(__file__).with_name("exporters.json")
MIB = 1024 * 1024
# Least and most that can be true, in the unit of the sample; anything else was not measured.
RANGES = {
    "power_mw": (0, 1_000_000_000),
    "energy_mj": (0, 2**63 - 1),
    "busy_permille": (0, 1_000),
    "memory_used_mib": (0, 2**31),
    "memory_total_mib": (0, 2**31),
    "temperature_celsius": (-60, 250),
    "clock_mhz": (0, 100_000),
}
TIMES = {
    "percent": 10.0,
    "permille": 1.0,
    "bytes": 1 / MIB,
    "mib": 1.0,
    "gib": 1024.0,
    "celsius": 1.0,
    "watts": 1000.0,
    "milliwatts": 1.0,
    "joules": 1000.0,
    "millijoules": 1.0,
    "mhz": 1.0,
}
AS_SAID = "as_said"
SAID = re.compile(r"\((bytes|MiB|GiB)\)", re.IGNORECASE)


@dataclass(frozen=True)
class Metric:
    """How one metric becomes one ``figure`` of a sample.

    ``where`` has what labels must say, ``unless`` values of labels that make a figure unfit; ``over`` is ``mean``
    where a device's figure stands in several series. ``unit`` ``as_said`` is taken from the metric's help text.
    """

    figure: str
    unit: str = ""
    word: str = ""
    over: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    unless: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels tells the figure."""
        return all(labels.get(name) == value for name, value in self.where.items()) and not any(
            labels.get(name) in values for name, values in self.unless.items()
        )

    def value(self, number: float, help_text: str) -> int | None:
        """The number in the sample's unit; None where it cannot be true or its unit is not told."""
        unit = self.unit
        if unit == AS_SAID:
            told = SAID.search(help_text)
            if told is None:
                return None
            unit = told.group(1).lower()
        scaled = number * TIMES[unit]
        least, most = RANGES[self.figure]
        # Not a number compares with nothing; half a percent above the whole is a rounding of the exporter.
        if not least <= scaled <= most * 1.005:
            return None
        return min(half_up(scaled), most)


@dataclass(frozen=True)
class Exporter:
    """One exporter: which labels name a device, what its power covers, and its metrics by name."""

    name: str
    boundary: Boundary
    index: Sequence[str]
    uuid: Sequence[str]
    model: Sequence[str]
    without: Sequence[str]
    metrics: Mapping[str, Metric]


@cache
def built_in() -> tuple[Exporter, ...]:
    """The exporters that come with the product."""
    return read(json.loads(BUILT_IN.read_text(encoding="utf-8")))


def read(data: Mapping[str, Any]) -> tuple[Exporter, ...]:
    """Exporters of a data file; raises ValueError that names what is wrong with it."""
    return tuple(_exporter(name, entry) for name, entry in data.items())


def _exporter(name: str, entry: Mapping[str, Any]) -> Exporter:
    metrics = {metric: _metric(f"{name}: {metric}", told) for metric, told in entry["metrics"].items()}
    return Exporter(
        name,
        Boundary(entry["boundary"]),
        tuple(entry["index"]),
        tuple(entry["uuid"]),
        tuple(entry["model"]),
        tuple(entry.get("without", ())),
        metrics,
    )


def _metric(name: str, told: Mapping[str, Any]) -> Metric:
    found = Metric(
        told["is"],
        told.get("in", ""),
        told.get("word", ""),
        told.get("over", ""),
        told.get("where", {}),
        told.get("unless", {}),
    )
    if found.figure == "throttle":
        if not found.word:
            raise ValueError(f"{name}: a reason to throttle needs its word")
    elif found.figure not in RANGES or found.unit not in (*TIMES, AS_SAID) or found.over not in ("", "mean"):
        raise ValueError(f"{name}: unknown field, unit or way to join")
    return found
