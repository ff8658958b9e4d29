"""What the machine has, what jobs hold of it, and who may start next. Pure, but for counting the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bitgoeul.compute.ports import Capacity, EngineRefused, JobSpec, Slots, Tier
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.telemetry import TelemetrySettings

CONFIG_FIELDS = ("cores", "memory_mib", "devices", "isolation", "isolation_min", "telemetry")
CORES_VARIABLE, TARGETS_VARIABLE = "BITGOEUL_LOCAL_CORES", "BITGOEUL_LOCAL_TARGETS"
ISOLATION_VARIABLE = "BITGOEUL_LOCAL_ISOLATION"
AUTO = "auto"


@dataclass(frozen=True)
class LocalConfig:
    """What the local engine may hand out: whole cores, MiB of memory, and virtual devices by name.

    ``isolation`` is a tier, or "auto" for the best that works here; below ``isolation_min`` no job starts.
    ``telemetry`` says who measures the devices by the numbers that they have here; nobody where it is None.
    """

    cores: int
    memory_mib: int
    devices: Mapping[str, int]
    isolation: str = AUTO
    isolation_min: Tier = Tier.LIMITS
    telemetry: TelemetrySettings | None = None

    def accepts(self, tier: Tier) -> bool:
        """Whether jobs may start under ``tier``."""
        return tier.rank >= self.isolation_min.rank and self.isolation in (AUTO, tier)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> LocalConfig:
        """Check a cluster's JSON object; the rest is counted on this machine (one ``software-target``).

        Cores, targets and isolation that the cluster does not set come from the installation's environment; no
        more cores than there are.
        """
        unknown = sorted(set(data) - set(CONFIG_FIELDS))
        if unknown:
            raise BadInput(
                N_("The local engine has no setting “{name}”. It knows: {names}."),
                field=unknown[0],
                name=unknown[0],
                names=", ".join(CONFIG_FIELDS),
            )
        telemetry = TelemetrySettings.read(data.get("telemetry"))
        if telemetry is not None and "devices" not in data:  # what is counted by itself is no card
            raise BadInput(
                N_("“telemetry” needs “devices”: the cards of this machine, by name and number."),
                field="telemetry",
            )
        targets = int(os.environ.get(TARGETS_VARIABLE) or 1)
        devices = data.get("devices", {"software-target": targets} if targets else {})
        if not isinstance(devices, Mapping):
            raise BadInput(N_("“{name}” must map device names to counts."), field="devices", name="devices")
        return cls(
            _count("cores", data.get("cores", _cores())),
            _count("memory_mib", data.get("memory_mib", _machine_memory_mib())),
            {str(name): _count("devices", count) for name, count in devices.items()},
            _isolation("isolation", data, (AUTO, *Tier)),
            Tier(_isolation("isolation_min", data, tuple(Tier))),
            telemetry,
        )


def _isolation(name: str, data: Mapping[str, Any], choices: Sequence[str]) -> str:
    variable = ISOLATION_VARIABLE + ("_MIN" if name == "isolation_min" else "")
    value = data.get(name, os.environ.get(variable) or choices[0])
    if value not in choices:
        raise BadInput(
            N_("“{name}” must be one of: {names}."), field=name, name=name, names=", ".join(map(str, choices))
        )
    return str(value)


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 2**31:
        raise BadInput(N_("“{name}” must be a whole number above 0."), field=name, name=name)
    return value


def _cores() -> int:
    """What the environment allows of this machine's cores; all for 0."""
    there = len(os.sched_getaffinity(0))
    return min(int(os.environ.get(CORES_VARIABLE) or 0) or there, there)


def _machine_memory_mib() -> int:
    return max(1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10 // 2**20)


@dataclass(frozen=True)
class Grant:
    """The very cores and device numbers a started job holds.

    ``pinned`` is false where somebody else has chosen the processors already; ``variables`` are what the program
    must be told of its devices beside our own names for them. ``indices`` are the devices' numbers as whoever
    measures them counts, where these are known; ``shared`` devices are parts of a card that others use too.
    """

    cores: tuple[int, ...]
    memory_mib: int
    devices: Mapping[str, tuple[int, ...]]
    exclusive: bool = False
    pinned: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    shared: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return {
            "cores": list(self.cores),
            "memory_mib": self.memory_mib,
            "devices": {name: list(numbers) for name, numbers in self.devices.items()},
            "exclusive": self.exclusive,
            "pinned": self.pinned,
            "variables": dict(self.variables),
            "indices": {name: list(numbers) for name, numbers in self.indices.items()},
            "shared": self.shared,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Grant:
        """Read what ``to_json`` wrote."""
        devices = {name: tuple(numbers) for name, numbers in data["devices"].items()}
        pinned, variables = data.get("pinned", True), data.get("variables", {})
        indices = {name: tuple(numbers) for name, numbers in data.get("indices", {}).items()}
        return cls(
            tuple(data["cores"]),
            data["memory_mib"],
            devices,
            data["exclusive"],
            pinned,
            variables,
            indices,
            data.get("shared", False),
        )


@dataclass
class Board:
    """The machine with what is held at one moment; built anew each time from the live jobs."""

    config: LocalConfig
    held: list[Grant] = field(default_factory=list)

    def free_cores(self) -> list[int]:
        """Core numbers nobody holds, lowest first."""
        taken = {core for grant in self.held for core in grant.cores}
        return [core for core in range(self.config.cores) if core not in taken]

    def free_memory_mib(self) -> int:
        """Memory nobody has been promised."""
        return self.config.memory_mib - sum(grant.memory_mib for grant in self.held)

    def free_devices(self, name: str) -> list[int]:
        """Numbers of a device nobody holds, lowest first."""
        taken = {number for grant in self.held for number in grant.devices.get(name, ())}
        return [number for number in range(self.config.devices.get(name, 0)) if number not in taken]

    def take(self, spec: JobSpec) -> Grant | None:
        """Hold what ``spec`` asks for and say what it got, or None when it has to wait."""
        if any(grant.exclusive for grant in self.held) or (spec.exclusive and self.held):
            return None
        cores, limits = self.free_cores(), spec.limits
        devices = {name: self.free_devices(name) for name in spec.devices}
        if len(cores) < limits.cores or self.free_memory_mib() < limits.memory_mib:
            return None
        if any(len(devices[name]) < count for name, count in spec.devices.items()):
            return None
        given = {name: tuple(devices[name][:count]) for name, count in spec.devices.items()}
        grant = Grant(tuple(cores[: limits.cores]), limits.memory_mib, given, spec.exclusive, indices=given)
        self.held.append(grant)
        return grant

    def capacity(self, pending: int) -> Capacity:
        """The board in the port's words."""
        config = self.config
        return Capacity(
            cores=Slots(config.cores, len(self.free_cores())),
            memory_mib=Slots(config.memory_mib, self.free_memory_mib()),
            devices={n: Slots(total, len(self.free_devices(n))) for n, total in config.devices.items()},
            running=len(self.held),
            pending=pending,
        )


def refuse_what_never_fits(spec: JobSpec, config: LocalConfig) -> None:
    """Raise EngineRefused, naming what there is, when even the empty machine could not run the job."""
    wanted: list[tuple[str, int, int]] = [
        ("cores", spec.limits.cores, config.cores),
        ("memory_mib", spec.limits.memory_mib, config.memory_mib),
        *((name, count, config.devices.get(name, 0)) for name, count in spec.devices.items()),
    ]
    for name, asked, total in wanted:
        if asked > total:
            raise EngineRefused(
                N_("The job asks for {asked} × {name}; this machine has {total}. Ask for less."),
                field="devices" if name in spec.devices else name,
                asked=asked,
                name=name,
                total=total,
            )


def starters(queue: Sequence[JobSpec], board: Board) -> list[tuple[JobSpec, Grant]]:
    """Who may start now, first come first served; nobody overtakes the first that has to wait.

    A large or exclusive job would otherwise wait for ever behind small ones.
    """
    chosen: list[tuple[JobSpec, Grant]] = []
    for spec in queue:
        grant = board.take(spec)
        if grant is None:
            break
        chosen.append((spec, grant))
    return chosen
