"""The numbers of a job at Slurm: its own, former ones under which it began nowhere, and doubles.

A double is a number that was given to a job that already had one: nothing ran under it, and nobody is charged for
it. Controller, follower and node may each be the one who learns of one, at the same time: each is a file.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from bitgoeul.compute.ports import SCHEDULER_NUMBERS, Observation, Phase
from bitgoeul.engines.local.jobdir import JobDir

from .queue import Listed

DIRECTORY = "doubles"


def note_double(job: JobDir, number: int) -> None:
    """Keep such a number as long as the job's directory is kept; noted again nothing changes."""
    with suppress(FileNotFoundError):  # the job was collected and forgotten meanwhile
        (job.path / DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        (job.path / DIRECTORY / str(number)).touch(mode=0o600)


def doubles_of(job: JobDir) -> set[int]:
    """The numbers that were noted; of a job that runs, its own may be among them."""
    try:
        return {int(each.name) for each in (job.path / DIRECTORY).iterdir()}
    except FileNotFoundError:
        return set()


class Own(NamedTuple):
    """The number of a job: as Slurm answered, or as it was ``launched``; ``array`` is then its array's."""

    number: int
    launched: bool = False
    array: int | None = None

    def is_it(self, each: Listed) -> bool:
        """Whether an entry is the job: the queue may have been asked while its element still had the array's."""
        return each.number == self.number or (self.array is not None and each.number == self.array)

    def is_launched_as(self, each: Listed) -> bool:
        """Whether an entry is the one that was launched."""
        return self.launched and self.is_it(each)


def own_of(job: JobDir) -> Own | None:
    """Slurm's number of a job: of the one that was launched, if a crash has handed it over twice."""
    if launch := job.read("launch"):
        return Own(int(launch["number"]), True, launch.get("array"))
    record = job.read("slurm")
    return Own(int(record["number"])) if record else None


def number_of(job: JobDir) -> int | None:
    """The same, as the bare number."""
    own = own_of(job)
    return own.number if own else None


def former_of(job: JobDir) -> set[int]:
    """The numbers under which a job was in the queue and began nowhere."""
    return set((job.read("again") or {}).get("numbers", ()))


def with_numbers(job: JobDir, seen: Observation) -> Observation:
    """An end with every number of the job, so that the accounting charges none of them to anybody again."""
    if seen.phase is not Phase.ENDED:
        return seen
    put_in = job.read("slurm") or {}
    own = [number_of(job), None if "index" in put_in else put_in.get("number")]
    numbers = former_of(job) | doubles_of(job) | {int(number) for number in own if number}
    if not numbers or (job.has("start") and len(numbers) == 1):  # the usage record names the one
        return seen
    return replace(seen, environment={SCHEDULER_NUMBERS: ",".join(map(str, sorted(numbers)))})


def arrays_of(job: JobDir) -> list[int]:
    """The number of the array that a job was put in with; it tells of elements that never started too."""
    record = job.read("slurm") or {}
    return [int(record["number"])] if "index" in record else []
