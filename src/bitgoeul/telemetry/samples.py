"""One measurement of one device: whole numbers in one unit each, and of which part of a machine it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bitgoeul.kernel.text import N_


class Boundary(StrEnum):
    """What a power or energy figure covers; figures of two boundaries are never added or compared."""

    CARD = "card"
    """One accelerator card as it measures itself."""
    PACKAGE = "package"
    """One processor package: cores, caches, memory controller; not its memory."""
    MEMORY = "memory"
    """The memory of one processor package."""
    PLATFORM = "platform"
    """What the processor calls its platform; its maker decides what that is."""
    MODULE = "module"
    """A part of a chassis, as a baseboard with its accelerators."""
    CHASSIS = "chassis"
    """One server as its own controller measures it."""
    RACK = "rack"
    """A rack or an enclosure of several servers."""
    WALL = "wall"
    """A meter outside the machine, before its power supply."""


BOUNDARY_TEXTS: Mapping[Boundary, str] = {
    Boundary.CARD: N_("card"),
    Boundary.PACKAGE: N_("processor package"),
    Boundary.MEMORY: N_("memory of a processor"),
    Boundary.PLATFORM: N_("processor's platform"),
    Boundary.MODULE: N_("part of a chassis"),
    Boundary.CHASSIS: N_("chassis"),
    Boundary.RACK: N_("rack"),
    Boundary.WALL: N_("wall meter"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One device at one moment; None is what nobody measured, which is never the same as 0.

    ``index`` is the reader's own number of the device. ``energy_mj`` counts up; only its differences mean
    something. ``throttle`` holds the reasons for which the device holds itself back, in words that stay the same:
    empty where it told none, None where it does not tell. Raises ValueError for a power figure without a boundary.
    """

    reader: str
    boundary: Boundary | None = None
    index: int | None = None
    uuid: str = ""
    model: str = ""
    power_mw: int | None = None
    energy_mj: int | None = None
    busy_permille: int | None = None
    memory_used_mib: int | None = None
    memory_total_mib: int | None = None
    temperature_celsius: int | None = None
    clock_mhz: int | None = None
    throttle: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        measured = self.power_mw is not None or self.energy_mj is not None
        if measured and self.boundary is None:
            raise ValueError("a power figure says what it covers")

    @property
    def device(self) -> str:
        """Which device this is, for telling two apart."""
        return self.uuid or f"{self.reader}:{self.model}:{self.index}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values under the names above."""
        return {**asdict(self), "throttle": None if self.throttle is None else list(self.throttle)}
