"""Energy counters of the processors: Linux' powercap tree, as Intel's and AMD's processors fill it (RAPL)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .reading import Cause, Failed, Reading, plain, reading
from .samples import Boundary, Sample

POWERCAP = Path("/sys/class/powercap")
ZONE = re.compile(r"[a-z]+-rapl:\d+(:\d+)?")
ZONES_MAX = 256
NUMBER_MAX = 2**63 - 1


@dataclass
class Counter:
    """A counter that begins again at its range, carried on without a break."""

    last_uj: int
    carried_uj: int = 0

    def at(self, now_uj: int, range_uj: int) -> int:
        """The counter's value if it never began again: it may do so once between two reads."""
        if now_uj < self.last_uj:
            self.carried_uj += range_uj
        self.last_uj = now_uj
        return self.carried_uj + now_uj


class RaplReader:
    """Reads every package, its memory and the platform; parts of a package are in it and left out.

    Linux lets only root read these counters unless somebody gave them to a group. A package's counter begins again
    after some minutes: read more often than that.
    """

    name = "rapl"

    def __init__(self, root: Path = POWERCAP) -> None:
        self.root = root
        self._counters: dict[str, Counter] = {}

    def read(self) -> Reading:
        """See the protocol."""
        return reading(self.name, self._read)

    def _read(self) -> list[Sample]:
        zones = sorted(path for path in self._zones() if ZONE.fullmatch(path.name))
        if not zones:
            raise Failed(Cause.NO_DEVICE, str(self.root))
        if len(zones) > ZONES_MAX:
            raise Failed(Cause.TOO_LARGE, f"{len(zones)} zones")
        found = [sample for sample in map(self._sample, zones) if sample is not None]
        if not found:
            raise Failed(Cause.NO_DEVICE, f"no package among {len(zones)} zones")
        return found

    def _zones(self) -> list[Path]:
        try:
            return list(self.root.iterdir())
        except FileNotFoundError as error:
            raise Failed(Cause.NO_DEVICE, str(self.root)) from error
        except PermissionError as error:
            raise Failed(Cause.NOT_ALLOWED, str(self.root)) from error

    def _sample(self, zone: Path) -> Sample | None:
        name = plain(_text(zone / "name"))
        boundary = boundary_of(name)
        if boundary is None:
            return None
        now_uj, range_uj = _whole(zone / "energy_uj"), _whole(zone / "max_energy_range_uj")
        counter = self._counters.setdefault(zone.name, Counter(now_uj))
        energy_uj = counter.at(now_uj, range_uj)
        # intel-rapl:1:0 is a part of package 1.
        index = int(zone.name.split(":")[1])
        return Sample(self.name, boundary, index, zone.name, name, energy_mj=energy_uj // 1000)


def boundary_of(name: str) -> Boundary | None:
    """What a zone covers; None for the parts of a package that its own figure has in it."""
    if name.startswith("package-"):
        return Boundary.PACKAGE
    return {"dram": Boundary.MEMORY, "psys": Boundary.PLATFORM}.get(name)


def _text(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe there must not hold us up
        try:
            return os.read(handle, 256).decode("ascii", "replace").strip()
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise Failed(Cause.MALFORMED, f"{path.name} is missing in {path.parent.name}") from error
    except PermissionError as error:
        raise Failed(Cause.NOT_ALLOWED, str(path)) from error
    except OSError as error:
        raise Failed(Cause.MALFORMED, f"{path}: {error.strerror}") from error


def _whole(path: Path) -> int:
    text = _text(path)
    if not text.isdecimal() or int(text) > NUMBER_MAX:
        raise Failed(Cause.MALFORMED, f"{path} is no number")
    return int(text)
