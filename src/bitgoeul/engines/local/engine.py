"""The local engine: a library over a directory of jobs; see the package for the idea."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bitgoeul.compute.ports import (
    Capacity,
    Ending,
    EngineRefused,
    Handle,
    JobSpec,
    NodeObservation,
    NodeState,
    Observation,
    Tier,
)
from bitgoeul.kernel.clock import now, parse_rfc3339, rfc3339
from bitgoeul.kernel.text import N_

from .bury import bury, never_started
from .files import try_lock
from .isolation import choose
from .isolation.enclosure import Isolation
from .jobdir import JobDir
from .processes import Identity, identity_of, send
from .slots import AUTO, Board, Grant, LocalConfig, refuse_what_never_fits, starters
from .store import JobStore, end_if_never_started

LAUNCHES_MAX = 3
LAUNCH_SECONDS = 60.0
OVERDUE_SECONDS = 90.0

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


class LocalEngine(JobStore):
    """Implements Engine, LogReader, OutputReader, Forgetter and NodeReporter of ``bitgoeul.compute.ports``."""

    def __init__(self, home: Path, config: LocalConfig) -> None:
        super().__init__(home)
        self.config = config
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

    def capacity(self) -> Capacity:
        """See the port."""
        with self._looking() as picture:
            return picture.board(self.config).capacity(len(picture.pending))

    # --- NodeReporter

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

    def _sweep(self) -> None:
        """Also removes cgroups of ended jobs that were not empty when their job ended."""
        super()._sweep()
        self._sweep_cgroups()

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
            "telemetry": self.config.telemetry.to_json() if self.config.telemetry else None,
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


def launches(job: JobDir) -> int:
    """How often the job's wrapper was started."""
    return int((job.read("launch") or {}).get("launches", 0))


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
