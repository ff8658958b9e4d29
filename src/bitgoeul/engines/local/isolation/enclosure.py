"""What the wrapper puts around one job's program: prepared before the fork, entered in the child, asked after."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitgoeul.compute.ports import Limits, Tier

from . import bubblewrap, capabilities, cgroups, landlock, places, seccomp

THREADS_BESIDE = 512
STATUS_BYTES = 4096


@dataclass(frozen=True)
class Isolation:
    """A tier with all that is needed to build it; stands in the job's launch record.

    ``why_not`` says for each higher tier, and for cgroups, why it could not be had.
    """

    tier: Tier = Tier.LIMITS
    instructions: bytes = b""
    bwrap: str = ""
    disable_userns: bool = False
    cgroups: cgroups.Plan | None = None
    why_not: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` reads them back."""
        return {
            "tier": str(self.tier),
            "instructions": base64.b64encode(self.instructions).decode(),
            "bwrap": self.bwrap,
            "disable_userns": self.disable_userns,
            "cgroups": self.cgroups.to_json() if self.cgroups else None,
            "why_not": dict(self.why_not),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Isolation:
        """Read what ``to_json`` wrote."""
        plan = data["cgroups"]
        return cls(
            Tier(data["tier"]),
            base64.b64decode(data["instructions"]),
            data["bwrap"],
            data["disable_userns"],
            cgroups.Plan.from_json(plan) if plan else None,
            dict(data["why_not"]),
        )

    @property
    def parts(self) -> str:
        """By what the job is kept apart, in technical words."""
        parts = ["session", "rlimits", "process watch"]
        if self.tier is Tier.LANDLOCK:
            parts += ["Landlock", "seccomp"]
        if self.tier is Tier.CONTAINER:
            parts += ["bubblewrap", "seccomp"]
            parts += [f"cgroup v{self.cgroups.version}"] if self.cgroups else ["no cgroup"]
        return ", ".join(parts)

    def describe(self) -> dict[str, str]:
        """For the job's environment: its tier, and why not more."""
        told = {"isolation": str(self.tier), "isolation_parts": self.parts}
        if self.why_not:
            told["isolation_why_not"] = "; ".join(f"{name}: {why}" for name, why in sorted(self.why_not.items()))
        return told


class Enclosure:
    """One job's isolation at work. `prepare`, then start ``argv`` with ``pass_fds`` and `enter` in the child."""

    def __init__(self, isolation: Isolation, name: str) -> None:
        self.isolation, self.tier = isolation, isolation.tier
        self.cgroup = isolation.cgroups.of(name) if isolation.cgroups else None
        self.argv: list[str] = []
        self.pass_fds: tuple[int, ...] = ()
        self._ruleset: int | None = None
        self._status: int | None = None
        self._joins: list[int] = []
        self._passed: list[int] = []
        self._told = ""

    @property
    def own_processes(self) -> int:
        """Processes of the enclosure itself, which are not the program's."""
        return bubblewrap.OWN_PROCESSES if self.tier is Tier.CONTAINER else 0

    def prepare(self, argv: Sequence[str], limits: Limits, directory: Path, *, quota: bool) -> None:
        """Make the cgroup and open what the child needs; raises OSError, and then nothing may be started."""
        work, tmp = directory / "work", directory / "tmp"
        self.argv = list(argv)
        if self.cgroup is not None:
            self.cgroup.make(limits, limits.processes + THREADS_BESIDE, quota=quota)
            self._joins = self.cgroup.open()
        if self.tier is Tier.LANDLOCK:
            readable = [*places.readable(), Path("/proc")]
            own = [work, tmp, directory / "stdout", directory / "stderr", *map(Path, places.DEVICES)]
            self._ruleset = landlock.ruleset(places.listed(), readable, own)
        elif self.tier is Tier.CONTAINER:
            self._prepare_container(work, tmp)

    def _prepare_container(self, work: Path, tmp: Path) -> None:
        self._status, status = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        instructions = os.memfd_create("seccomp")
        os.write(instructions, self.isolation.instructions)
        os.lseek(instructions, 0, os.SEEK_SET)
        self._passed = [status, instructions]
        self.pass_fds = (status, instructions)
        self.argv = bubblewrap.command(
            self.isolation.bwrap,
            disable_userns=self.isolation.disable_userns,
            work=work,
            tmp=tmp,
            status_fd=status,
            filter_fd=instructions,
            argv=self.argv,
        )

    def enter(self) -> None:
        """In the child, between fork and exec, last of all: from here on the child is inside."""
        cgroups.join(self._joins)
        if self._ruleset is not None:
            capabilities.drop_all()
            landlock.restrict(self._ruleset)
            seccomp.load(self.isolation.instructions)

    def close(self) -> None:
        """In the wrapper, after the start: let go of what only the child needed."""
        for descriptor in [*self._joins, *self._passed, *([self._ruleset] if self._ruleset is not None else [])]:
            os.close(descriptor)
        self._joins, self._passed, self._ruleset, self.pass_fds = [], [], None, ()

    # --- afterwards

    def _tell(self) -> dict[str, int]:
        if self._status is not None:
            with suppress(BlockingIOError):
                self._told += os.read(self._status, STATUS_BYTES).decode(errors="replace")
        return bubblewrap.read_status(self._told)

    def init_pid(self) -> int | None:
        """The container's first process as seen from outside; None without one, or before it is there."""
        return self._tell().get("child-pid")

    def never_ran(self, status: int) -> bool:
        """Whether the enclosure ended with ``status`` before the program could start."""
        return self.tier is Tier.CONTAINER and status > 0 and "exit-code" not in self._tell()

    def program_status(self, status: int) -> int:
        """The program's exit status, negative for a signal, from that of the process we started."""
        return bubblewrap.program_status(status) if self.tier is Tier.CONTAINER else status

    def kill(self) -> None:
        """End all that is in the cgroup, if there is one."""
        if self.cgroup is not None:
            self.cgroup.kill()

    def remove(self) -> bool:
        """Remove the cgroup; False when it is still there."""
        return self.cgroup is None or self.cgroup.remove()
