"""Jobs as directories: submitted in one step, read while they run, kept until collected, then forgotten.

What is the same for every engine whose jobs run under our own wrapper; an engine adds who starts a job and when.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from bitgoeul.compute.ports import (
    FILE_NAME,
    STREAMS,
    Chunk,
    Ending,
    EngineRefused,
    EngineUnavailable,
    Handle,
    JobSpec,
    UsageRecord,
)
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.text import N_

from .bury import never_started
from .files import locked, sync_directory, write_record
from .jobdir import JobDir, open_plain, read_chunk
from .processes import Identity, identity_of

FORGOTTEN_SECONDS = 31 * 86400


class JobStore:
    """Implements LogReader, OutputReader and Forgetter of ``bitgoeul.compute.ports``, and ``usage`` of Engine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.jobs, self.staging, self.forgotten = home / "jobs", home / "staging", home / "forgotten"
        for directory in (self.home, self.jobs, self.staging, self.forgotten):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def usage(self, handles: Sequence[Handle]) -> list[UsageRecord]:
        """See the port."""
        records = [job.usage() for job in self._known_jobs(handles)]
        return [record for record in records if record is not None]

    def read_log(self, handle: Handle, stream: str, offset: int, limit: int) -> Chunk:
        """See the port."""
        job = self._job(handle.job_id)
        if stream not in STREAMS:
            raise BadInput(N_("A log is “stdout” or “stderr”."), field="stream")
        if job is None:
            raise NotFound(N_("The cluster does not know this job."))
        return read_chunk(job.path / stream, offset, limit) or Chunk(b"", offset, 0)

    def outputs(self, handle: Handle) -> Mapping[str, int]:
        """See the port."""
        job = self._job(handle.job_id)
        if job is None:
            return {}
        found: dict[str, int] = {}
        for name in job.spec().outputs:
            descriptor = open_plain(job.work / name)
            if descriptor is not None:
                found[name] = os.fstat(descriptor).st_size
                os.close(descriptor)
        return found

    def read_output(self, handle: Handle, name: str, offset: int, limit: int) -> Chunk:
        """See the port."""
        job = self._job(handle.job_id)
        promised = job is not None and name in job.spec().outputs
        chunk = read_chunk(job.work / name, offset, limit) if job is not None and promised else None
        if chunk is None:
            raise NotFound(N_("The job left no output “{name}”."), name=name)
        return chunk

    def kept(self, limit: int) -> list[UUID]:
        """See the port; also removes what crashed submissions left half done."""
        self._sweep()
        ended = [job for job in self._all_jobs() if job.has("exit")]
        ended.sort(key=lambda job: (job.path / "exit.json").stat().st_mtime)
        return [job.job_id for job in ended[:limit]]

    def forget(self, job_ids: Sequence[UUID]) -> None:
        """See the port. The directory leaves the list in one step and is removed afterwards.

        An empty file stays in its place for a month: a caller that slept since before the job's first submission
        must not start it again. The wrapper writes the exit record last of all and nothing after it.
        """
        for job_id in job_ids:
            grave = self._staging_path(job_id)
            with self._locked():
                job = self._job(job_id)
                if job is None or not job.has("exit"):
                    continue
                (self.forgotten / str(job_id)).touch(mode=0o600)
                job.path.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)

    # --- submitting

    def _known(self, spec: JobSpec) -> Handle | None:
        job = self._job(spec.job_id)
        if job is None:
            if (self.forgotten / str(spec.job_id)).exists():
                raise Conflict(N_("This job was run before, and its files were collected."))
            return None
        if job.spec() != spec:
            raise Conflict(N_("This job was submitted before with other content."))
        return job.handle()

    def _staging_path(self, job_id: UUID) -> Path:
        """A place of our own: named by job, process and moment, so that a sweep knows whose it was."""
        return self.staging / f"{job_id}.{identity_of(os.getpid())}.{time.monotonic_ns()}"

    def _stage(self, spec: JobSpec, *, durable: bool = True) -> Path:
        place = self._staging_path(spec.job_id)
        try:
            for name in ("", "work", "tmp"):
                (place / name).mkdir(mode=0o700)
            for name, source in spec.inputs.items():
                copy_input(Path(source), place / "work" / name, name)
            record = {"spec": spec.to_json(), "submitted_at": rfc3339(now()), "order": time.time_ns()}
            write_record(place / "spec.json", record, durable=durable)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise EngineUnavailable(
                N_("The cluster cannot take the job's files: {error}."), error=error.strerror or str(error)
            ) from error
        except EngineRefused:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place

    def _admit(self, spec: JobSpec, place: Path, *, durable: bool = True) -> Handle:
        path = self.jobs / str(spec.job_id)
        try:
            with self._locked():
                known = self._known(spec)
                if known is not None:
                    return known
                place.rename(path)
            if durable:
                sync_directory(self.jobs)
            return JobDir(path).handle()
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what crashed submissions left, and names that were forgotten long ago."""
        for place in self.staging.iterdir():
            owner = place.name.split(".")[1] if place.name.count(".") == 2 else ""
            if not owner or not Identity.parse(owner).alive():
                shutil.rmtree(place, ignore_errors=True)
        for old in self.forgotten.iterdir():
            if time.time() - old.stat().st_mtime > FORGOTTEN_SECONDS:
                old.unlink(missing_ok=True)

    # --- looking up

    def _all_jobs(self) -> Iterator[JobDir]:
        for path in sorted(self.jobs.iterdir()):
            yield JobDir(path)

    def _job(self, job_id: UUID) -> JobDir | None:
        job = JobDir(self.jobs / str(job_id))
        return job if job.has("spec") else None

    def _known_jobs(self, handles: Sequence[Handle]) -> list[JobDir]:
        jobs = [self._job(handle.job_id) for handle in handles]
        return [job for job in jobs if job is not None]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with locked(self.home / "lock"):
                yield
        except TimeoutError as error:
            raise EngineUnavailable(N_("The cluster is busy. Try again in a moment.")) from error


def end_if_never_started(job: JobDir) -> bool:
    """End a waiting job that somebody cancelled; asked only of jobs whose wrapper does not live."""
    asked = job.read("cancel")
    if asked is None or job.has("start") or job.has("exit"):
        return asked is not None
    job.write("exit", never_started(Ending(asked["cause"])))
    return True


def copy_input(source: Path, target: Path, name: str) -> None:
    """Copy an input read-only into the working directory; raises EngineRefused when it cannot be an input."""
    if not FILE_NAME.fullmatch(name):
        raise EngineRefused(N_("“{name}” is not a plain file name."), field="inputs", name=name)
    if not source.is_file():
        raise EngineRefused(N_("The input “{name}” is not there."), field="inputs", name=name)
    shutil.copyfile(source, target)
    target.chmod(0o400)
