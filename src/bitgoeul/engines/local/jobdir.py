"""One job's directory: the names of its files and what they say together."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from bitgoeul.compute.ports import (
    DEVICES_MEASURED,
    DEVICES_READER,
    READ_LIMIT,
    Chunk,
    Ending,
    Handle,
    JobSpec,
    Observation,
    Phase,
    Sample,
    UsageRecord,
    ending_text,
)
from bitgoeul.kernel.clock import parse_rfc3339

from .files import Record, is_held, read_record, write_record
from .isolation.enclosure import Isolation
from .processes import Identity
from .slots import Grant


@lru_cache(maxsize=1024)
def _submitted(path: Path) -> Record:
    """``spec.json``, which never changes."""
    record = read_record(path / "spec.json")
    if record is None:
        raise FileNotFoundError(path / "spec.json")
    return record


@dataclass(frozen=True)
class JobDir:
    """Paths and records of one job; every record is written in one step and never half.

    ``spec.json`` what was asked, with the submit time · ``launch.json`` what it was given, each launch anew ·
    ``start.json`` the wrapper is at work; only after it may the program have run · ``heartbeat.json`` about once
    a second · ``cancel.json`` somebody asked to end it, and why · ``exit.json`` the last word.
    """

    path: Path

    @property
    def job_id(self) -> UUID:
        """The directory's name."""
        return UUID(self.path.name)

    @property
    def work(self) -> Path:
        """The program's working directory."""
        return self.path / "work"

    @property
    def lock(self) -> Path:
        """Held by the wrapper as long as it lives."""
        return self.path / "wrapper.lock"

    def read(self, name: str) -> Record | None:
        """A record by its name without ``.json``."""
        return read_record(self.path / f"{name}.json")

    def write(self, name: str, record: Record, *, durable: bool = True) -> None:
        """Write a record; see ``files.write_record``."""
        write_record(self.path / f"{name}.json", record, durable=durable)

    def has(self, name: str) -> bool:
        """Whether a record is there."""
        return (self.path / f"{name}.json").exists()

    def spec(self) -> JobSpec:
        """What was asked."""
        return JobSpec.from_json(_submitted(self.path)["spec"])

    def order(self) -> tuple[int, str]:
        """First come, first served."""
        return int(_submitted(self.path)["order"]), self.path.name

    def handle(self) -> Handle:
        """The engine's name for the job."""
        record = _submitted(self.path)
        return Handle(self.job_id, self.path.name, parse_rfc3339(record["submitted_at"]))

    def grant(self) -> Grant | None:
        """What the job holds or held, or None before its first launch."""
        launch = self.read("launch")
        return Grant.from_json(launch["grant"]) if launch else None

    def isolation(self) -> Isolation:
        """How the job is kept apart, as its launch record says."""
        told = (self.read("launch") or {}).get("isolation")
        return Isolation.from_json(told) if told else Isolation()

    def wrapper(self) -> Identity | None:
        """The wrapper process, once it has been launched."""
        record = self.read("start") or self.read("launch") or {}
        return Identity.parse(record["wrapper"]) if record.get("wrapper") else None

    def held(self) -> bool:
        """Whether the wrapper lives; ask only under the engine's lock."""
        return is_held(self.lock)

    def observe(self) -> Observation:
        """Where the job stands, from its records alone."""
        end = self.read("exit")
        if end is not None:
            return self._ended(end)
        start = self.read("start")
        if start is None:
            return Observation(self.job_id, Phase.PENDING)
        return Observation(self.job_id, Phase.RUNNING, parse_rfc3339(start["started_at"]))

    def _ended(self, end: Record) -> Observation:
        started, ending = end["started_at"], Ending(end["ending"])
        return Observation(
            self.job_id,
            Phase.ENDED,
            parse_rfc3339(started) if started else None,
            parse_rfc3339(end["ended_at"]),
            ending,
            end["exit_code"],
            ending_text(ending, **end["params"]),
        )

    def usage(self) -> UsageRecord | None:
        """What the job was given so far; None when its program never started."""
        start, end, grant = self.read("start"), self.read("exit"), self.grant()
        if start is None or grant is None or (end and end["ending"] == Ending.NOT_STARTED):
            return None
        last = end or self.read("heartbeat") or self._before_heartbeat(grant)
        handle, began = self.handle(), parse_rfc3339(start["started_at"])
        charged = min(last["wall_ms"], self.spec().limits.wall_seconds * 1000)
        return UsageRecord(
            job_id=self.job_id,
            submitted_at=handle.submitted_at,
            restart=handle.restart,
            started_at=began,
            ended_at=began + timedelta(milliseconds=last["wall_ms"]),
            cores=len(grant.cores),
            wall_ms=last["wall_ms"],
            core_ms=len(grant.cores) * charged,
            device_ms={name: len(numbers) * charged for name, numbers in grant.devices.items()},
            cpu_ms=last["cpu_ms"],
            memory_kib_max=last["memory_kib_max"],
            final=end is not None,
            environment={
                **start.get("environment", {}),
                "metering": last.get("metering", ""),
                **last.get("devices", {}),
            },
            samples=tuple(Sample(*point) for point in last.get("samples", ())),
        )

    def _before_heartbeat(self, grant: Grant) -> Record:
        """What is known as long as nothing was measured: at most who will read its devices."""
        record: Record = {"wall_ms": 0, "cpu_ms": 0, "memory_kib_max": 0}
        settings = (self.read("launch") or {}).get("telemetry")
        if grant.devices and isinstance(settings, dict) and settings.get("reader"):
            record["devices"] = {DEVICES_READER: str(settings["reader"]), DEVICES_MEASURED: "0"}
        return record


def open_plain(path: Path) -> int | None:
    """A descriptor of a plain file, or None: links are not followed, and a pipe cannot hang the reader."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None  # not there, a link, or unreadable: all the same to the reader
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    return None


def read_chunk(path: Path, offset: int, limit: int) -> Chunk | None:
    """A piece of a plain file, or None when there is no such file."""
    handle = open_plain(path)
    if handle is None:
        return None
    try:
        data = os.pread(handle, max(0, min(limit, READ_LIMIT)), max(0, offset))
        return Chunk(data, offset, os.fstat(handle).st_size)
    finally:
        os.close(handle)
