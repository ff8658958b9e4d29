"""The Slurm engine: our job directories, Slurm's queue, and what is true when the two differ."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from bitgoeul.compute.ports import (
    AccountWish,
    Capacity,
    Drift,
    Ending,
    EngineRefused,
    EngineUnavailable,
    Handle,
    JobSpec,
    NodeObservation,
    Observation,
    Phase,
    RolledUp,
)
from bitgoeul.engines.local.bury import cut_off, never_started
from bitgoeul.engines.local.files import Record, sync_file_system, try_lock
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.engines.local.store import JobStore, end_if_never_started
from bitgoeul.kernel.clock import parse_rfc3339
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.text import N_

from .accounting import accounting, runaway
from .commands import Commands
from .config import SlurmConfig
from .listing import Listing, as_record, keys_of, names_of
from .nodes import FORMAT, Node, capacity, observations, once, ours, read, refuse_what_never_fits
from .numbers import Own, arrays_of, former_of, note_double, number_of, own_of, with_numbers
from .provisioning import Step, look, mend, plan
from .queue import Listed, Stand, array_size_max, in_accounting, in_queue
from .reporting import rolled_up
from .rest import Rest
from .submit import Request, array_of, by_command, request_of

# One look at the queue serves all jobs of a cycle.
LISTING_SECONDS = 1.0
# What a shared file system may need to show a record that was written on another machine.
GRACE_SECONDS = 5.0
HEARTBEAT_SECONDS_MAX = 30.0
ACCOUNTING_SECONDS = 5.0
# A controller that has just come back may need that long to list what it kept.
MISSING_SECONDS = 10.0
NODES_SECONDS = 60.0
# How many numbers of a job may end before it began until we believe that it will not.
TRIES_MAX = 3

log = logging.getLogger(__name__)


class SlurmEngine(JobStore):
    """Implements Engine and every ability of ``bitgoeul.compute.ports``.

    Beside the wrapper's records (see ``JobDir``) a job has ``slurm.json``: the number that Slurm gave it,
    ``again.json``: the former ones once it was put in the queue again, and ``doubles/``: those under which it was
    put in while it had one.
    """

    def __init__(self, home: Path, config: SlurmConfig) -> None:
        super().__init__(home)
        self.config, self.commands = config, Commands(config)
        self.rest = Rest(config.rest, self.commands) if config.rest else None
        self._listing: Listing | None = None
        # Only to be patient, and to ask less: when a job was first seen to be over or missing.
        self._over_since: dict[str, float] = {}
        self._asked_at = self._nodes_at = float("-inf")
        self._nodes_seen: list[Node] = []
        self._array_size_max: int | None = None

    # --- Engine

    def submit(self, spec: JobSpec) -> Handle:
        """See the port. A crash between our record and Slurm's answer is mended by looking for the job's name."""
        (answer,) = self.submit_many([spec])
        if isinstance(answer, DomainError):
            raise answer
        return answer

    # --- BatchSubmitter

    def submit_many(self, specs: Sequence[JobSpec]) -> list[Handle | DomainError]:
        """See the port. Jobs of a sweep that ask for the same become one array."""
        answers: dict[UUID, Handle | DomainError] = {}
        fresh: list[JobDir] = []
        again: list[JobDir] = []
        for spec in specs:
            try:
                known = self._known(spec)
                answers[spec.job_id] = known or self._take_in(spec, durable=len(specs) == 1)
            except DomainError as error:
                answers[spec.job_id] = error
                continue
            job = JobDir(self.jobs / str(spec.job_id))
            if not job.has("slurm") and not job.has("exit"):
                (again if known else fresh).append(job)
        try:
            if len(fresh) > 1:
                self._make_durable()
            left = self._lost(again)
            answers |= {job.job_id: why for job, why in self._hand_over(fresh + left, again=left)}
            if len(fresh) > 1:
                self._make_durable()
        except EngineUnavailable as error:  # what was not handed over yet is looked for the next time
            left = [job for job in fresh + again if not job.has("slurm")]
            answers |= {job.job_id: error for job in left if isinstance(answers[job.job_id], Handle)}
        return [answers[spec.job_id] for spec in specs]

    def _make_durable(self) -> None:
        """Flush a batch once before Slurm hears of it and once after: a flush a job costs more than all else."""
        try:
            sync_file_system(self.home)
        except OSError as error:
            raise EngineUnavailable(
                N_("The cluster cannot take the job's files: {error}."), error=error.strerror or str(error)
            ) from error

    def _take_in(self, spec: JobSpec, *, durable: bool) -> Handle:
        asked = request_of(spec, self.jobs / str(spec.job_id), self.config)
        refuse_what_never_fits(spec, asked, self._nodes(NODES_SECONDS), self.config)
        handle = self._admit(spec, self._stage(spec, durable=durable), durable=durable)
        if spec.sweep is not None:
            self._link(spec, spec.sweep)
        return handle

    def _link(self, spec: JobSpec, sweep: UUID) -> None:
        """Let an array's element find its job by its index; no two jobs of a sweep have the same."""
        directory = self._sweep_directory(sweep)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (directory / str(spec.index)).symlink_to(f"../../jobs/{spec.job_id}")

    def _sweep_directory(self, sweep: UUID) -> Path:
        return self.home / "sweeps" / str(sweep)

    def _hand_over(self, jobs: Sequence[JobDir], *, again: Sequence[JobDir]) -> list[tuple[JobDir, EngineRefused]]:
        """Put jobs to Slurm that it does not have; those that it refused, which are gone then.

        Of a job that may have been put in by somebody else meanwhile a refusal says nothing: it has what it asks.
        """
        refused: list[tuple[JobDir, EngineRefused]] = []
        for group in self._groups(jobs):
            if len(group) > 1 and self._as_array(group):
                continue
            for job in group:
                try:
                    self._hand_over_alone(job, durable=len(jobs) == 1)
                except EngineRefused as error:
                    if any(map(job.has, ("slurm", "launch", "start"))) or (job in again and not self._lost([job])):
                        continue
                    self._unlink(job)
                    shutil.rmtree(job.path, ignore_errors=True)
                    refused.append((job, error))
        return refused

    def _groups(self, jobs: Sequence[JobDir]) -> list[list[JobDir]]:
        """Jobs that can be one array, together: of one sweep, of one request, their index within the limit."""
        groups: dict[object, list[JobDir]] = {}
        limit = self._array_size() if len(jobs) > 1 else 0
        for job in jobs:
            spec = job.spec()
            alike: object = job.job_id
            if (
                spec.sweep is not None
                and spec.index < limit
                and (self._sweep_directory(spec.sweep) / str(spec.index)).exists()
            ):
                asked = request_of(spec, job.path, self.config)
                alike = (spec.sweep, replace(asked, name="", comment="", directory="", script=""))
            groups.setdefault(alike, []).append(job)
        return list(groups.values())

    def _array_size(self) -> int:
        if self._array_size_max is None:
            self._array_size_max = array_size_max(self.commands)
        return self._array_size_max

    def _as_array(self, group: Sequence[JobDir]) -> bool:
        """Hand jobs over as one array; False when Slurm refuses it, for it may take some of them alone."""
        spec = group[0].spec()
        assert spec.sweep is not None
        asked = request_of(spec, group[0].path, self.config)
        indices = [job.spec().index for job in group]
        try:
            number = self._put(
                array_of(asked, spec.sweep, indices, self._sweep_directory(spec.sweep), self.config)
            )
        except EngineRefused as error:
            log.info("an array of %s jobs was refused, they go one by one: %s", len(group), error)
            return False
        for job, index in zip(group, indices, strict=True):
            if other := job.read("slurm"):
                note_double(job, other["number"])
            job.write("slurm", {"number": number, "index": index}, durable=False)
        self._listing = None
        return True

    def _hand_over_alone(self, job: JobDir, *, durable: bool = True) -> None:
        number = self._put(request_of(job.spec(), job.path, self.config))
        if other := job.read("slurm"):  # a slower follower was not dead, and both have put it in
            note_double(job, other["number"])
        job.write("slurm", {"number": number}, durable=durable)
        self._listing = None

    def _put(self, asked: Request) -> int:
        return self.rest.submit(asked) if self.rest else by_command(self.commands, asked)

    def _lost(self, jobs: Sequence[JobDir]) -> list[JobDir]:
        """Of jobs that may have been handed over before those that were not; raises EngineUnavailable in doubt."""
        if not jobs:
            return []
        found = self._find(jobs)
        for job in jobs:
            if record := _launched(job) or found.get(job.job_id):
                job.write("slurm", record)
        return [job for job in jobs if not job.has("slurm")]

    def _find(self, jobs: Sequence[JobDir]) -> dict[UUID, Record]:
        """What queue and accounting know of jobs by what they are called, as their records would say it."""
        since = min(job.handle().submitted_at for job in jobs)
        listed = in_queue(self.commands) + in_accounting(self.commands, since, names={*map(names_of, jobs)})
        by_key: dict[str, list[Listed]] = {}
        for each in listed:
            by_key.setdefault(each.key, []).append(each)
        found: dict[UUID, Record] = {}
        for job in jobs:
            mine = [each for key in keys_of(job) for each in by_key.get(key, [])]
            if mine:
                found[job.job_id] = as_record(min(mine, key=lambda each: each.number))
        return found

    # --- Forgetter

    def forget(self, job_ids: Sequence[UUID]) -> None:
        """See the port; what a sweep kept of a job goes with it."""
        known = [job for job_id in job_ids if (job := self._job(job_id)) is not None and job.has("exit")]
        for job in known:
            self._unlink(job)
        super().forget(job_ids)

    def _unlink(self, job: JobDir) -> None:
        spec = job.spec()
        if spec.sweep is None:
            return
        directory = self._sweep_directory(spec.sweep)
        for name in (str(spec.index), f"{spec.index}.out"):
            (directory / name).unlink(missing_ok=True)
        with suppress(OSError):  # others of the sweep are there
            directory.rmdir()

    # --- looking at what was submitted

    def poll(self, handles: Sequence[Handle]) -> list[Observation]:
        """See the port. One question to the queue; jobs that it does not list are looked for in the accounting."""
        jobs = self._known_jobs(handles)
        if not jobs:
            return []
        numbers = {job: own for job in jobs if (own := own_of(job)) is not None}
        listing = self._look(fresh_for=numbers)
        missing = [job for job in numbers if listing.of(job, numbers[job]) is None and not job.has("exit")]
        elsewhere = self._in_accounting([(numbers[job].number, job) for job in missing if not _breathes(job)])
        seen = [(job, self._observe(job, listing, numbers.get(job), elsewhere)) for job in jobs]
        return [with_numbers(job, each) for job, each in seen if each is not None]

    def cancel(self, handles: Sequence[Handle]) -> None:
        """See the port."""
        alone: list[str] = []
        elements: dict[JobDir, Own] = {}
        for job in self._known_jobs(handles):
            if job.has("exit"):
                continue
            with self._locked():
                if not job.has("exit") and not job.has("cancel"):
                    job.write("cancel", {"cause": Ending.CANCELLED})
            own = own_of(job)
            if own is None:
                end_if_never_started(job)
            elif job.spec().sweep is None:
                alone.append(str(own.number))
            else:
                elements[job] = own
        listing = self._look(fresh_for=elements) if elements else None
        known = [listing.of(job, own) for job, own in elements.items()] if listing else []
        self._stop(alone + [each.reference for each in known if each and each.stand is not Stand.ENDED])

    def _stop(self, references: Sequence[str], *, waiting: bool = False) -> None:
        # With a filter, or by the number that its last element has too, scancel ends a whole array that waits. So
        # an element goes by array and index without one, and only as the queue has just told it to be ours.
        elements = [each for each in references if "_" in each]
        alone = [each for each in references if "_" not in each]
        filters = ["--me", *(["--state=PENDING"] if waiting else [])]
        for words in ([*filters, *alone] if alone else [], elements):
            if not words:
                continue
            try:
                self.commands.run("scancel", "--quiet", *words)
            except EngineRefused as error:  # one of them is gone already; the others were asked
                log.info("scancel: %s", error)
            self._listing = None

    def capacity(self) -> Capacity:
        """See the port: of the partitions that jobs are put to, whoever's work runs there."""
        queue = [each for jobs in self._look().by_key.values() for each in jobs]
        running = sum(each.stand is Stand.LIVES for each in queue)
        waiting = sum(each.stand is Stand.WAITS for each in queue)
        return capacity(once(self._nodes()), self.config, running, waiting)

    # --- NodeReporter

    def nodes(self) -> list[NodeObservation]:
        """See the port."""
        return observations(once(self._nodes()), self.config)

    # --- Provisioner

    def drift(self, wishes: Sequence[AccountWish]) -> list[Drift]:
        """See the port."""
        return [_told(step) for step in plan(wishes, look(self.commands), self.config)]

    def mend(self, wishes: Sequence[AccountWish]) -> list[Drift]:
        """See the port."""
        steps = plan(wishes, look(self.commands), self.config)
        return [_told(step) for step in mend(self.commands, steps)]

    # --- AccountingReader

    def accounting(self, since: datetime, until: datetime) -> Iterator[str]:
        """See the port."""
        return accounting(self.commands, since, until)

    # --- UseReporter

    def rolled_up(self, since: datetime, until: datetime) -> RolledUp:
        """See the port."""
        return rolled_up(self.commands, since, until)

    def runaway(self) -> Iterator[str]:
        """See the port."""
        return runaway(self.commands)

    def _nodes(self, seconds_old: float = 0.0) -> list[Node]:
        """The nodes of our partitions; what they have at all may be some time old, what is free may not."""
        if time.monotonic() - self._nodes_at >= seconds_old:
            printed = self.commands.run("sinfo", "-h", "-N", "-O", FORMAT)
            self._nodes_at, self._nodes_seen = time.monotonic(), ours(read(printed), self.config)
        return self._nodes_seen

    # --- looking

    def _look(self, fresh_for: dict[JobDir, Own] | None = None) -> Listing:
        """The queue, a second old at most, and as new as the jobs asked about."""
        known = self._listing
        if (
            known is not None
            and time.monotonic() - known.at < LISTING_SECONDS
            and all(known.of(job, own) or job.has("exit") for job, own in (fresh_for or {}).items())
        ):
            return known
        listing = Listing(time.monotonic())
        for each in in_queue(self.commands):
            listing.by_key.setdefault(each.key, []).append(each)
        self._listing = listing
        return listing

    def _in_accounting(self, missing: Sequence[tuple[int, JobDir]]) -> dict[JobDir, Listed | None]:
        """What the accounting says of jobs that the queue does not list; asked every few seconds at most.

        Only ends count: of a job that the controller lost it goes on to say that it runs ("runaway"). None where
        it was asked and knows no end; a job that it was not asked about is left out.
        """
        if not missing or time.monotonic() - self._asked_at < ACCOUNTING_SECONDS:
            return {}
        self._asked_at = time.monotonic()
        since = min(job.handle().submitted_at for _number, job in missing)
        try:
            references = {str(each) for number, job in missing for each in (number, *arrays_of(job))}
            found = in_accounting(self.commands, since, references=references)
        except EngineUnavailable as error:  # the queue answers, so the other jobs can be seen
            log.warning("the accounting cannot be asked: %s", error)
            return {}
        told: dict[JobDir, Listed | None] = {job: None for _number, job in missing}
        by_key = {key: job for _number, job in missing for key in keys_of(job)}
        for each in found:
            job = by_key.get(each.key)
            if job is not None and each.stand is Stand.ENDED:
                told[job] = each
        return told

    def _observe(
        self, job: JobDir, listing: Listing, own: Own | None, elsewhere: dict[JobDir, Listed | None]
    ) -> Observation | None:
        """Where a job stands by both: the wrapper's records, and Slurm's list of what holds its nodes."""
        if job.has("exit"):
            self._take_out(job, [each for each in listing.all_of(job) if own is None or not own.is_it(each)])
            lives = any(each.stand is Stand.LIVES for each in listing.all_of(job))
            return Observation(job.job_id, Phase.RUNNING, _started(job)) if lives else job.observe()
        if own is None:
            return None  # not handed over yet: submit is called again
        known = listing.of(job, own)
        if known is not None or own.launched:
            others = [each for each in listing.all_of(job) if each is not known and not own.is_launched_as(each)]
            # It may have been launched since the queue was asked: then the next look knows as which.
            if own.launched or not job.has("launch"):
                self._take_out(job, others)
                if known is not None and known.stand is Stand.WAITS and not own.is_it(known):
                    note_double(job, own.number)
                    job.write("slurm", as_record(known))
        known = known or elsewhere.get(job)
        if known is None:
            return self._unlisted(job, listing, proven=job in elsewhere)
        if known.stand is Stand.ENDED:
            return self._ended(job, known, listing)
        self._over_since.pop(str(job.job_id), None)
        return job.observe()

    def _ended(self, job: JobDir, known: Listed, listing: Listing) -> Observation:
        """Slurm says that it is over, the wrapper not how: give its record a moment, then write one.

        A job that was given a node and never began there, as when the node still has one of that number, goes
        back to the queue.
        """
        since = self._over_since.setdefault(str(job.job_id), time.monotonic())
        start = job.read("start")
        patience = 0.0 if start is None and not known.placed else GRACE_SECONDS
        lock = try_lock(job.lock) if time.monotonic() - since >= patience else None
        if lock is None:
            return job.observe()
        try:
            again = known.placed and not any(job.has(name) for name in ("exit", "start", "cancel"))
            again = again and len(former_of(job)) < TRIES_MAX
            if not again and not job.has("exit"):
                job.write("exit", _exit_record(job, known))
        finally:
            os.close(lock)
        if again:
            log.warning("job %s: Slurm ended it (%s) before it began", job.job_id, known.state)
            self._hand_over_again(job, known.number, listing)
        self._over_since.pop(str(job.job_id), None)
        return job.observe()

    def _hand_over_again(self, job: JobDir, number: int, listing: Listing) -> None:
        """Put a job in the queue again that began nowhere; its lock was just held, so nothing of it runs.

        Where Slurm cannot be asked it is tried at the next look; the number counts once however often that is.
        """
        job.write("again", {"numbers": sorted({*former_of(job), number})})
        (job.path / "launch.json").unlink(missing_ok=True)
        living = [each for each in listing.all_of(job) if each.stand is not Stand.ENDED]
        if living:  # whoever put it in again died before it could write the number down
            job.write("slurm", {"number": living[0].number})
            return
        try:
            self._hand_over_alone(job)
        except EngineUnavailable as error:  # the other jobs can be seen
            log.warning("job %s cannot be handed over again now: %s", job.job_id, error)
        except EngineRefused as error:  # as when the grant has ended meanwhile
            job.write("exit", never_started(Ending.NOT_STARTED, str(error)))

    def _unlisted(self, job: JobDir, listing: Listing, *, proven: bool) -> Observation | None:
        """Neither queue nor accounting knows the job: a controller lost its memory, or has not told yet.

        While its wrapper writes it runs. Once nothing holds its lock any more it has ended if it had started, with
        what the wrapper last wrote; if it had not, it is handed over again.
        """
        if _breathes(job):
            return job.observe()
        since = self._over_since.setdefault(str(job.job_id), time.monotonic())
        # Of an element that is cancelled before it starts Slurm keeps nothing; should it start, it finds its end.
        unwanted = job.has("cancel") and not job.has("start")
        if not unwanted and (not proven or time.monotonic() - since < MISSING_SECONDS):
            return None
        lock = try_lock(job.lock)
        if lock is None:
            return job.observe()
        try:
            start, asked = job.read("start"), job.read("cancel")
            if start is not None:
                job.write("exit", cut_off(job, start, Ending(asked["cause"]) if asked else Ending.ENGINE_LOST))
            elif asked is not None:
                job.write("exit", never_started(Ending(asked["cause"])))
        finally:
            os.close(lock)
        self._over_since.pop(str(job.job_id), None)
        if not job.has("exit"):
            log.warning("job %s: Slurm lost it before it started", job.job_id)
            self._hand_over_again(job, number_of(job) or 0, listing)
        return job.observe()

    def _take_out(self, job: JobDir, others: Sequence[Listed]) -> None:
        """A job that was handed over twice by a crash is kept once: those of the others that wait are ended.

        They would refuse to start anyway.
        """
        waiting = [each for each in others if each.stand is Stand.WAITS]
        if waiting:
            references = [each.reference for each in waiting]
            log.warning("job %s stands twice in the queue; %s is taken out", job.job_id, ", ".join(references))
            for each in waiting:
                note_double(job, each.number)
            self._stop(references, waiting=True)


def _told(step: Step) -> Drift:
    return replace(step.drift, mendable=bool(step.command))


def _launched(job: JobDir) -> Record | None:
    record = job.read("launch")
    return {"number": int(record["number"])} if record else None


def _started(job: JobDir) -> datetime | None:
    end = job.read("exit") or {}
    return parse_rfc3339(end["started_at"]) if end.get("started_at") else None


def _breathes(job: JobDir) -> bool:
    """Whether the wrapper wrote something lately: then the job runs, whatever Slurm has forgotten."""
    try:
        last = (job.path / "heartbeat.json").stat().st_mtime
    except OSError:
        return False
    return time.time() - last < HEARTBEAT_SECONDS_MAX


def _exit_record(job: JobDir, known: Listed) -> dict[str, object]:
    """How a job ended of which only Slurm can say it."""
    start, asked = job.read("start"), job.read("cancel")
    ending = Ending(asked["cause"]) if asked else known.ending
    if start is None:
        if ending is Ending.CANCELLED:
            return never_started(ending)
        return never_started(Ending.NOT_STARTED, f"Slurm: {known.state}")
    limit = {
        Ending.TIME_LIMIT: job.spec().limits.wall_seconds,
        Ending.MEMORY_LIMIT: job.spec().limits.memory_mib,
    }.get(ending)
    return cut_off(job, start, ending, {} if limit is None else {"limit": limit})
