"""The queue at one moment, by what our jobs are called there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from bitgoeul.engines.local.files import Record
from bitgoeul.engines.local.jobdir import JobDir

from .numbers import Own
from .queue import Listed, Stand, key_of
from .submit import name_of, name_of_sweep


@dataclass
class Listing:
    """The queue at one moment, by name; a name may stand there twice, and an element of an array has its index."""

    at: float
    by_key: dict[str, list[Listed]] = field(default_factory=dict)

    def all_of(self, job: JobDir) -> list[Listed]:
        """Every entry that is the job's, by its name or by its place in its sweep."""
        return [each for key in keys_of(job) for each in self.by_key.get(key, [])]

    def of(self, job: JobDir, own: Own) -> Listed | None:
        """The job by what it is called: the one that was launched, else one that lives, else the first put in.

        Every process that looks chooses the same, so no two take each other's out. When all have ended it is the
        one with the job's number, for a job that was handed over again has another one.
        """
        found = [each for each in self.all_of(job) if not own.launched or own.is_it(each)]
        return min(found, key=lambda each: _rank(each, own.number), default=None)


def _rank(each: Listed, number: int) -> tuple[int, bool, int]:
    place = (Stand.LIVES, Stand.WAITS, Stand.ENDED).index(each.stand)
    return place, each.stand is Stand.ENDED and each.number != number, each.number


def as_record(found: Listed) -> Record:
    """``slurm.json`` of a job that was found by what it is called."""
    return {"number": found.number} | ({} if found.index is None else {"index": found.index})


@lru_cache(maxsize=32_768)
def keys_of(job: JobDir) -> tuple[str, ...]:
    """What Slurm's lists may call a job: by its own name, and as an element of its sweep's array.

    What was asked never changes, so thousands of jobs are not read again in every cycle.
    """
    spec = job.spec()
    alone = key_of(name_of(job.job_id))
    return (alone,) if spec.sweep is None else (alone, key_of(name_of_sweep(spec.sweep), spec.index))


def names_of(job: JobDir) -> str:
    """What Slurm may call a job, for a question by name."""
    sweep = job.spec().sweep
    return name_of(job.job_id) if sweep is None else f"{name_of(job.job_id)},{name_of_sweep(sweep)}"
