"""Numbers that Slurm gave to a job that already had one: nothing ran under them, and nobody is charged for them.

Controller, follower and node may each be the one who learns of such a number, at the same time: each is a file.
"""

from __future__ import annotations

from contextlib import suppress

from bitgoeul.engines.local.jobdir import JobDir

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
