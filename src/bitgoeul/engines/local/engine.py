"""The local engine: a library over a directory of jobs; see the package for the idea."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from bitgoeul.compute.ports import (
    FILE_NAME,
    STREAMS,
    Capacity,
    Chunk,
    Ending,
    EngineRefused,
    EngineUnavailable,
    Handle,
    JobSpec,
    NodeObservation,
    NodeState,
    Observation,
    Tier,
    UsageRecord,
)
from bitgoeul.kernel.clock import now, parse_rfc3339, rfc3339
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.text import N_

from .bury import bury, never_started
from .files import locked, sync_directory, try_lock, write_record
from .isolation import choose
from .isolation.enclosure import Isolation
from .jobdir import JobDir, open_plain, read_chunk
from .processes import Identity, identity_of, send
from .slots import AUTO, Board, Grant, LocalConfig, refuse_what_never_fits, starters

LAUNCHES_MAX = 3
LAUNCH_SECONDS = 60.0
OVERDUE_SECONDS = 90.0
FORGOTTEN_SECONDS = 31 * 86400

log = logging.getLogger(__name__)


@dataclass
class Picture:
    """The unfinished jobs at one moment, taken under the engine's lock."""

    running: list[JobDir] = field(default_factory=list)
    pending: list[JobDir] = field(default_factory=list)
    lost: list[tuple[JobDir, int]] = field(default_factory=list)

    def board(self, config: LocalConfig) -> Board:
        """What is held: running jobs hold their grant, and lost ones until nothing of them is left."""
        held = [job.grant() for job in [*self.running, *(job for job, _lock in self.lost)]]
        return Board(config, [grant for grant in held if grant is not None])


class LocalEngine:
    """Implements Engine, LogReader, OutputReader and Forgetter of ``bitgoeul.compute.ports``."""

    def __init__(self, home: Path, config: LocalConfig) -> None:
        self.home, self.config = home, config
        self.jobs, self.staging, self.forgotten = home / "jobs", home / "staging", home / "forgotten"
        for directory in (self.home, self.jobs, self.staging, self.forgotten):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._children: list[subprocess.Popen[bytes]] = []
        self._isolation: Isolation | None = None

    # --- Engine

    def submit(self, spec: JobSpec) -> Handle:
        """See the port. The job's directory appears complete in one step, so a crash leaves all or nothing."""
        known = self._known(spec)
        if known is not None:
            return known
        refuse_what_never_fits(spec, self.config)
        self._refuse_too_little_isolation(self.isolation())
        return self._admit(spec, self._stage(spec))

    def poll(self, handles: Sequence[Handle]) -> list[Observation]:
        """See the port; also starts who may start and buries jobs whose wrapper died."""
        self._step()
        return [job.observe() for job in self._known_jobs(handles)]

    def cancel(self, handles: Sequence[Handle]) -> None:
        """See the port."""
        for job in self._known_jobs(handles):
            self.end(job, Ending.CANCELLED)

    def usage(self, handles: Sequence[Handle]) -> list[UsageRecord]:
        """See the port."""
        records = [job.usage() for job in self._known_jobs(handles)]
        return [record for record in records if record is not None]

    def capacity(self) -> Capacity:
        """See the port."""
        with self._looking() as picture:
            return picture.board(self.config).capacity(len(picture.pending))

    # --- NodeReporter, LogReader, OutputReader, Forgetter

    def nodes(self) -> list[NodeObservation]:
        """See the port: this machine, once for its cores and once for each sort of virtual device."""
        there = self.capacity()
        slots = {"core": there.cores, **there.devices}
        return [
            NodeObservation(
                name=name,
                state=NodeState.IDLE if each.free == each.total else NodeState.USED,
                device=name,
                devices=each.total,
                used=each.total - each.free,
            )
            for name, each in slots.items()
            if each.total
        ]

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
        self._sweep_staging()
        self._sweep_cgroups()
        ended = [job for job in self._all_jobs() if job.has("exit")]
        ended.sort(key=lambda job: (job.path / "exit.json").stat().st_mtime)
        return [job.job_id for job in ended[:limit]]

    def forget(self, job_ids: Sequence[UUID]) -> None:
        """See the port. The directory leaves the list in one step and is removed afterwards.

        An empty file stays in its place for a month: a caller that slept since before the job's first submission
        must not start it again. The wrapper writes the exit record last of all and does nothing after it.
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

    # --- ending

    def end(self, job: JobDir, cause: Ending) -> None:
        """Ask a job to end for ``cause``; one that waits is ended at once, one that has ended stays as it is."""
        with self._locked():
            if not job.has("exit") and not job.has("cancel"):
                job.write("cancel", {"cause": cause})
            lives = job.held()
            if not lives:
                end_if_never_started(job)
        wrapper = job.wrapper() if lives and job.has("start") else None
        if wrapper is not None:  # before its start record it could not yet wait for a signal, and looks itself
            send(wrapper, signal.SIGTERM)

    def running(self) -> list[JobDir]:
        """Jobs whose wrapper lives or that left something to clear away."""
        with self._looking() as picture:
            return [*picture.running, *(job for job, _lock in picture.lost)]

    # --- submitting

    def isolation(self) -> Isolation:
        """How jobs are kept apart here; found by trying, which takes a second or two once a start."""
        if self._isolation is None:
            self._isolation = choose.best(self.home, self.config.isolation)
        return self._isolation

    def _refuse_too_little_isolation(self, found: Isolation) -> None:
        if self.config.accepts(found.tier):
            return
        raise EngineRefused(
            N_(
                "This machine can keep jobs apart only by “{tier}”; “{wanted}” is required ({why}). "
                "An engineer finds out more with bitgoeul doctor."
            ),
            field="isolation",
            tier=str(found.tier),
            wanted=str(self._wanted()),
            why="; ".join(f"{name}: {why}" for name, why in found.why_not.items()) or "-",
        )

    def _wanted(self) -> Tier:
        return self.config.isolation_min if self.config.isolation == AUTO else Tier(self.config.isolation)

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

    def _stage(self, spec: JobSpec) -> Path:
        place = self._staging_path(spec.job_id)
        try:
            for name in ("", "work", "tmp"):
                (place / name).mkdir(mode=0o700)
            for name, source in spec.inputs.items():
                copy_input(Path(source), place / "work" / name, name)
            record = {"spec": spec.to_json(), "submitted_at": rfc3339(now()), "order": time.time_ns()}
            write_record(place / "spec.json", record)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise EngineUnavailable(
                N_("The cluster cannot take the job's files: {error}."), error=error.strerror or str(error)
            ) from error
        except EngineRefused:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place

    def _admit(self, spec: JobSpec, place: Path) -> Handle:
        path = self.jobs / str(spec.job_id)
        try:
            with self._locked():
                known = self._known(spec)
                if known is not None:
                    return known
                place.rename(path)
            sync_directory(self.jobs)
            return JobDir(path).handle()
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _sweep_staging(self) -> None:
        for place in self.staging.iterdir():
            owner = place.name.split(".")[1] if place.name.count(".") == 2 else ""
            if not owner or not Identity.parse(owner).alive():
                shutil.rmtree(place, ignore_errors=True)
        for old in self.forgotten.iterdir():
            if time.time() - old.stat().st_mtime > FORGOTTEN_SECONDS:
                old.unlink(missing_ok=True)

    def _sweep_cgroups(self) -> None:
        """Remove cgroups of ended jobs that were not empty when their job ended."""
        plan = self.isolation().cgroups
        if plan is None:
            return
        for name in plan.names():
            if (self.jobs / name / "exit.json").exists() or (self.forgotten / name).exists():
                plan.of(name).kill()
                plan.of(name).remove()

    # --- scheduling

    def _step(self) -> None:
        """Start who may start, end who overstays, bury the lost."""
        self._children = [child for child in self._children if child.poll() is None]
        self.isolation()  # before the engine's lock, which nobody keeps for seconds
        with self._looking(self._start_some) as picture:
            for job in picture.running:
                end_overdue(job)
            for job, _lock in picture.lost:
                bury(job)

    @contextmanager
    def _looking(self, then: Callable[[Picture], None] | None = None) -> Iterator[Picture]:
        """A picture of the unfinished jobs, with ``then`` done under the same engine lock.

        The locks of lost jobs are held as long as the picture is open: to all others those jobs still run.
        """
        picture = Picture()
        try:
            with self._locked():
                self._look(picture)
                if then is not None:
                    then(picture)
            yield picture
        finally:
            for _job, lock in picture.lost:
                os.close(lock)

    def _look(self, picture: Picture) -> None:
        """Sort unfinished jobs by what their lock and records say."""
        for job in self._all_jobs():
            if job.has("exit"):
                continue
            lock = try_lock(job.lock)
            if lock is None:
                picture.running.append(job)
            elif job.has("exit"):  # it ended between the two looks
                os.close(lock)
            elif job.has("start") or launches(job) >= LAUNCHES_MAX:
                picture.lost.append((job, lock))
            else:
                os.close(lock)
                picture.pending.append(job)
        picture.pending.sort(key=JobDir.order)

    def _start_some(self, picture: Picture) -> None:
        by_id = {job.job_id: job for job in picture.pending}
        isolation = self.isolation()
        if not self.config.accepts(isolation.tier):  # they were taken under other settings
            for job in picture.pending:
                job.write("exit", never_started(Ending.NOT_STARTED, f"no “{self._wanted()}” isolation here"))
            return
        queue = [job.spec() for job in picture.pending if not end_if_never_started(job)]
        for spec, grant in starters(queue, picture.board(self.config)):
            self._launch(by_id[spec.job_id], grant, isolation)

    def _launch(self, job: JobDir, grant: Grant, isolation: Isolation) -> None:
        """Start the wrapper with the job's lock already held: dead or alive, there is no moment in between."""
        lock = try_lock(job.lock)
        if lock is None:
            return
        launch = {
            "grant": grant.to_json(),
            "launches": launches(job) + 1,
            "launched_at": rfc3339(now()),
            "isolation": isolation.to_json(),
        }
        try:
            job.write("launch", launch)
            with (job.path / "wrapper.log").open("ab") as wrapper_log:
                child = subprocess.Popen(
                    [sys.executable, "-I", "-m", "bitgoeul.engines.local.wrapper", str(job.path)],
                    cwd=job.path,
                    env=wrapper_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=wrapper_log,
                    stderr=wrapper_log,
                    start_new_session=True,
                    pass_fds=(lock,),
                )
            job.write("launch", {**launch, "wrapper": str(identity_of(child.pid))}, durable=False)
        finally:
            os.close(lock)
        self._children.append(child)

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


def launches(job: JobDir) -> int:
    """How often the job's wrapper was started."""
    return int((job.read("launch") or {}).get("launches", 0))


def copy_input(source: Path, target: Path, name: str) -> None:
    """Copy an input read-only into the working directory; raises EngineRefused when it cannot be an input."""
    if not FILE_NAME.fullmatch(name):
        raise EngineRefused(N_("“{name}” is not a plain file name."), field="inputs", name=name)
    if not source.is_file():
        raise EngineRefused(N_("The input “{name}” is not there."), field="inputs", name=name)
    shutil.copyfile(source, target)
    target.chmod(0o400)


def wrapper_environment() -> dict[str, str]:
    """The wrapper's environment: a program of the same user can read it, so it holds no secret."""
    supervisor = os.environ.get("BITGOEUL_SUPERVISOR", "")
    environment = {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return {**environment, "BITGOEUL_SUPERVISOR": str(Identity.parse(supervisor))} if supervisor else environment


def end_overdue(job: JobDir) -> None:
    """Kill a wrapper that does not come to an end itself, as when it was stopped; the next look buries it."""
    start, launch, wrapper = job.read("start"), job.read("launch"), job.wrapper()
    if wrapper is None or launch is None or job.has("exit"):
        return
    if start is None:
        since, allowed = launch["launched_at"], LAUNCH_SECONDS
    else:
        since, allowed = start["started_at"], job.spec().limits.wall_seconds + OVERDUE_SECONDS
    if (now() - parse_rfc3339(since)).total_seconds() > allowed:
        log.warning("job %s: its wrapper is overdue and is killed", job.job_id)
        send(wrapper, signal.SIGKILL)
