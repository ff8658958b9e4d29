"""What a job may read besides its own directories: programs, libraries, Python, our code. Nothing of the home."""

from __future__ import annotations

import sys
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
)
MACHINE = ("/sys/devices/system/cpu", "/sys/devices/system/node")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def code() -> list[Path]:
    """This installation's Python and code, each once and no place within another."""
    package = Path(__file__).resolve().parents[3]
    found = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, sys.exec_prefix, package)}
    system = [Path(place) for place in SYSTEM]
    return sorted(
        place for place in found if not any(place != other and place.is_relative_to(other) for other in found)
        and not any(place.is_relative_to(other) for other in system)
    )  # fmt: skip


def listed() -> list[Path]:
    """Directories whose names a job may list without reading what is in them: Python lists where it imports."""
    return [Path(__file__).resolve().parents[4]]


def readable() -> list[Path]:
    """Everything a job may read."""
    return [*map(Path, (*SYSTEM, *SETTINGS, *MACHINE)), *code()]


def holds(place: Path) -> Path | None:
    """The readable directory that ``place`` lies in, if any: an engine's home in there could not be closed."""
    resolved = place.resolve()
    return next((each for each in readable() if resolved.is_relative_to(each.resolve())), None)
