"""A cgroup a job, version 1 or 2: limits that the kernel holds, counters that miss nothing, one end for all.

Version 2 has been written from its documentation and tested on recorded file trees only; no machine with its
controllers was at hand. Page cache and tmpfs count as memory in both.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitgoeul.compute.ports import Limits

from .seccomp import NotHere

PREFIX = "bitgoeul-"
NEEDED_V1 = ("memory", "pids", "freezer")
WANTED_V1 = (*NEEDED_V1, "cpu", "cpuacct")
NEEDED_V2 = ("memory", "pids")
PERIOD_US = 100_000
REMOVE_SECONDS = 2.0
FREEZE_SECONDS = 1.0
MIB = 1024 * 1024


# --- where cgroups may be made


@dataclass(frozen=True)
class Plan:
    """Under which directories a job's cgroups are made; for version 1 one a controller."""

    version: int
    bases: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return {"version": self.version, "bases": dict(self.bases)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what ``to_json`` wrote."""
        return cls(data["version"], dict(data["bases"]))

    def of(self, name: str) -> Cgroup:
        """The cgroup of the job ``name``, made or not."""
        return Cgroup(self.version, {each: Path(base) / (PREFIX + name) for each, base in self.bases.items()})

    def names(self) -> set[str]:
        """The jobs of which some cgroup is there."""
        found: set[str] = set()
        for base in set(self.bases.values()):
            with suppress(OSError):
                found |= {each.name.removeprefix(PREFIX) for each in Path(base).glob(PREFIX + "*")}
        return found


def own_paths(cgroup_text: str) -> dict[str, str]:
    """Controller → path from /proc/self/cgroup; the path of version 2 stands under "". Pure."""
    found: dict[str, str] = {}
    for line in cgroup_text.splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        found |= {"": path} if number == "0" else dict.fromkeys(names.split(","), path)
    return found


def mounts(mountinfo_text: str) -> dict[str, tuple[str, str]]:
    """Controller → (mount point, root within it) from /proc/self/mountinfo; version 2 under "". Pure."""
    found: dict[str, tuple[str, str]] = {}
    for line in mountinfo_text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _source, options = [*after.split(" "), "", ""][:3]
        place = (before.split(" ")[4], before.split(" ")[3]) if before.count(" ") >= 4 else ("", "")
        if kind == "cgroup2":
            found[""] = place
        elif kind == "cgroup":
            found |= dict.fromkeys(options.split(","), place)
    return found


def base_of(controller: str, own: Mapping[str, str], mounted: Mapping[str, tuple[str, str]]) -> Path | None:
    """Our own cgroup's directory of a controller; None when it is not mounted. Pure."""
    if controller not in own or controller not in mounted:
        return None
    point, root = mounted[controller]
    path = own[controller]
    inside = path.removeprefix(root) if root != "/" and path.startswith(root) else path
    return Path(point) / inside.strip("/")


def find(name: str) -> Plan:
    """Where a cgroup can be made here, by making one called ``name``; raises `NotHere` that says why not."""
    own = own_paths(_read(Path("/proc/self/cgroup")))
    mounted = mounts(_read(Path("/proc/self/mountinfo")))
    reasons = []
    for plans in (_plans_v1(own, mounted), _plans_v2(own, mounted)):
        for plan in plans:
            try:
                _try(plan, name)
            except OSError as error:
                reasons.append(f"v{plan.version}: {error.strerror} ({error.filename or 'write'})")
            else:
                return plan
    raise NotHere("cgroups: " + ("; ".join(dict.fromkeys(reasons)) or "no memory and pids controllers"))


def _plans_v1(own: Mapping[str, str], mounted: Mapping[str, tuple[str, str]]) -> Iterator[Plan]:
    bases = {name: base_of(name, own, mounted) for name in WANTED_V1}
    if any(bases[name] is None for name in NEEDED_V1):
        return
    writable = {n: str(b) for n, b in bases.items() if b and (n in NEEDED_V1 or os.access(b, os.W_OK))}
    yield Plan(1, writable)


def _plans_v2(own: Mapping[str, str], mounted: Mapping[str, tuple[str, str]]) -> Iterator[Plan]:
    """Ours, then the one above: a service with a delegated subgroup runs in a leaf beside which jobs can stand."""
    base = base_of("", own, mounted)
    if base is None:
        return
    above = [base.parent] if base != Path(mounted[""][0]) else []
    for place in (base, *above):
        if set(NEEDED_V2) <= set(_read(place / "cgroup.controllers").split()):
            yield Plan(2, {"": str(place)})


def _try(plan: Plan, name: str) -> None:
    if plan.version == 2:
        enable_v2(Path(plan.bases[""]))
    cgroup = plan.of(name)
    try:
        cgroup.make(Limits(cores=1, memory_mib=64, wall_seconds=1, processes=8, file_mib=1), 8, quota=True)
    finally:
        cgroup.remove()


def enable_v2(base: Path) -> None:
    """Hand the controllers on to children of ``base``; raises OSError, as when ``base`` itself holds processes."""
    wanted = [n for n in ("memory", "pids", "cpu") if n in _read(base / "cgroup.controllers").split()]
    missing = [n for n in wanted if n not in _read(base / "cgroup.subtree_control").split()]
    if missing:
        (base / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in missing), encoding="ascii")


# --- one job's cgroup


@dataclass(frozen=True)
class Cgroup:
    """The directories of one job's cgroup, by controller (version 2: one, under "")."""

    version: int
    directories: Mapping[str, Path]

    def make(self, limits: Limits, tasks: int, *, quota: bool) -> None:
        """Make it with the job's limits; ``quota`` bounds its processor time to its cores. Raises OSError."""
        for directory in set(self.directories.values()):
            directory.mkdir(mode=0o755, exist_ok=True)
        for path, value, needed in settings(self, limits, tasks, quota=quota):
            try:
                path.write_text(value, encoding="ascii")
            except OSError:
                if needed:
                    raise

    def open(self) -> list[int]:
        """Descriptors for `join`; raises OSError."""
        paths = {directory / "cgroup.procs" for directory in self.directories.values()}
        return [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in sorted(paths)]

    def pids(self) -> set[int]:
        """Processes in it now."""
        found: set[int] = set()
        for directory in set(self.directories.values()):
            found |= {int(word) for word in _read(directory / "cgroup.procs").split()}
        return found

    def kill(self) -> None:
        """End every process in it, frozen first so that none can get away; nothing in it is good."""
        if self.version == 2:
            self._kill_v2()
            return
        freezer = self.directories["freezer"]
        _write(freezer / "freezer.state", "FROZEN")
        _wait_for(freezer / "freezer.state", "FROZEN")
        self._kill_each()
        _write(freezer / "freezer.state", "THAWED")

    def _kill_v2(self) -> None:
        directory = self.directories[""]
        if (directory / "cgroup.kill").exists():
            _write(directory / "cgroup.kill", "1")
            return
        _write(directory / "cgroup.freeze", "1")
        _wait_for(directory / "cgroup.events", "frozen 1")
        self._kill_each()
        _write(directory / "cgroup.freeze", "0")

    def _kill_each(self) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> bool:
        """Remove its directories; whether they are gone. The kernel needs a moment after the last process."""
        limit = time.monotonic() + REMOVE_SECONDS
        left = set(self.directories.values())
        while left:
            left = {directory for directory in left if not _removed(directory)}
            if left and time.monotonic() > limit:
                return False
            time.sleep(0.01 if left else 0)
        return True

    # --- counters

    def cpu_ms(self) -> int | None:
        """Processor time of all that ever ran in it; None when it does not count it."""
        if self.version == 2:
            used = table(_read(self.directories[""] / "cpu.stat")).get("usage_usec")
            return None if used is None else used // 1000
        text = _read(self.directories["cpuacct"] / "cpuacct.usage") if "cpuacct" in self.directories else ""
        return int(text) // 1_000_000 if text.strip() else None

    def memory_kib_max(self) -> int | None:
        """The most memory it ever held, page cache included; None when it does not count it."""
        v1, v2 = "memory.max_usage_in_bytes", "memory.peak"
        text = _read(self._memory() / (v2 if self.version == 2 else v1))
        return int(text) // 1024 if text.strip() else None

    def oom_kills(self) -> int:
        """How many processes the kernel ended in it for lack of memory."""
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        return table(_read(self._memory() / file)).get("oom_kill", 0)

    def _memory(self) -> Path:
        return self.directories["" if self.version == 2 else "memory"]


def settings(cgroup: Cgroup, limits: Limits, tasks: int, *, quota: bool) -> list[tuple[Path, str, bool]]:
    """Files to write, in this order: path, value, and whether it must succeed. Pure."""
    memory, cpu_us = str(limits.memory_mib * MIB), limits.cores * PERIOD_US
    if cgroup.version == 2:
        one = cgroup.directories[""]
        lines = [
            (one / "memory.max", memory, True),
            (one / "memory.swap.max", "0", False),
            (one / "memory.oom.group", "1", False),
            (one / "pids.max", str(tasks), True),
        ]
        return lines + ([(one / "cpu.max", f"{cpu_us} {PERIOD_US}", False)] if quota else [])
    of = cgroup.directories
    lines = [
        (of["memory"] / "memory.limit_in_bytes", memory, True),
        (of["memory"] / "memory.memsw.limit_in_bytes", memory, False),
        (of["pids"] / "pids.max", str(tasks), True),
    ]
    if quota and "cpu" in of:
        lines.append((of["cpu"] / "cpu.cfs_period_us", str(PERIOD_US), False))
        lines.append((of["cpu"] / "cpu.cfs_quota_us", str(cpu_us), False))
    return lines


def join(descriptors: list[int]) -> None:
    """Put this process into the cgroup; called between fork and exec. Raises OSError."""
    for descriptor in descriptors:
        os.write(descriptor, b"0")


def table(text: str) -> dict[str, int]:
    """``name number`` lines as a mapping; others are passed over. Pure."""
    pairs = [line.split() for line in text.splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _write(path: Path, value: str) -> None:
    with suppress(OSError):  # it is gone, and so is what was in it
        path.write_text(value, encoding="ascii")


def _wait_for(path: Path, word: str) -> None:
    limit = time.monotonic() + FREEZE_SECONDS
    while path.exists() and word not in _read(path) and time.monotonic() < limit:
        time.sleep(0.002)


def _removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
