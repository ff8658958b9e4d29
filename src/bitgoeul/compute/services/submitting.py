"""Take jobs: check them, hold for them, write them down; all or nothing, one job or a thousand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Field, JSONField

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, DomainError, NotAllowed
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from .. import rules
from ..models import Cluster, Job, JobAfter, JobHold, Sweep
from ..queries import chosen_cluster, cluster_of_anybody, inputs_of_project, views
from ..states import NO_SUCCESS
from ..types import JobRequest, JobView, NewJob, Origin

FILE_TYPE = "application/octet-stream"
CHUNK = 500
ATTEMPTS = 3
COMPARED = ("project_id", "name", "request_digest", "origin_kind", "origin_id", "sweep_id", "sweep_index")
HOLD = ("hold_id", "job", "number", "allocation", "unit", "amount")


def estimate(request: JobRequest, cluster: str = "") -> Mapping[str, int]:
    """The most the job can use, by ledger unit; what is held for it. Raises BadInput as ``submit_job`` would.

    It asks for no project, so a refused cluster is not told which others there are.
    """
    devices = cluster_of_anybody(cluster).device_units
    rules.check_request(request, devices)
    return rules.estimate(request, devices)


def submit_job(
    *,
    actor: accounts.Actor,
    id: UUID,
    project_id: UUID,
    name: str,
    request: JobRequest,
    origin: Origin | None = None,
    files: Mapping[str, bytes] | None = None,
    cluster: str = "",
) -> JobView:
    """Submit a job; the same id with the same content again gives the same job. See ``submit_jobs``."""
    jobs = [NewJob(id, name, request)]
    return submit_jobs(actor=actor, project_id=project_id, jobs=jobs, origin=origin, files=files, cluster=cluster)[
        0
    ]


def submit_jobs(
    *,
    actor: accounts.Actor,
    project_id: UUID,
    jobs: Sequence[NewJob],
    origin: Origin | None = None,
    files: Mapping[str, bytes] | None = None,
    cluster: str = "",
) -> list[JobView]:
    """Submit up to ``rules.JOBS_MAX`` jobs, all or none; the same ids and content again give the same jobs.

    Holds cores × wall limit and devices × wall limit of each on the project's allocations in the transaction that
    writes them. Raises BadInput naming the field, NotEnoughLeft saying what is left (nothing is written then), and
    Conflict for an id with other content; of several the detail says which job (its place from 0, id and name).
    ``cluster`` is the code of an enabled one, else the default takes them; an id that is there is the same job
    wherever that runs, and whatever takes jobs now, unless the request names another cluster: Conflict.
    ``files`` are further inputs given with every request (at most 16 of 1 MiB). A job may wait for jobs of the
    same project, or for earlier ones of ``jobs``. Without an ``origin``, ``inputs`` must be files that jobs of the
    same project left; a higher room that gives an origin vouches for them.
    """
    admit(actor, project_id)
    place, asked = check_jobs(cluster, project_id, jobs, vouched=origin is not None or actor.is_system)
    rows = rows_of(actor, project_id, with_files(asked, files or {}), place, origin)
    return views(write_jobs(rows, actor, named=bool(cluster)))


# --- checking


def admit(actor: accounts.Actor, project_id: UUID) -> None:
    """Raise as ``submit_jobs`` for an actor who may not submit to the project."""
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="compute.submit_job", thing=project.thing)


def check_jobs(
    cluster: str, project_id: UUID, jobs: Sequence[NewJob], *, vouched: bool
) -> tuple[Cluster, list[NewJob]]:
    """Who takes them, and the jobs, their names trimmed; raises as ``submit_jobs``.

    What is there already was checked when it came, by what its cluster had then; ``write_jobs`` compares it.
    """
    if not 1 <= len(jobs) <= rules.JOBS_MAX or len({job.id for job in jobs}) != len(jobs):
        raise BadInput(
            N_("Give 1 to {limit} jobs, each with an id of its own."), field="jobs", limit=rules.JOBS_MAX
        )
    known = _known_ids([job.id for job in jobs])
    taker = Cluster(code=cluster) if len(known) == len(jobs) else chosen_cluster(cluster)
    checked = []
    for place, job in enumerate(jobs):
        with _told_which(jobs, place):
            if job.id not in known:
                rules.check_request(job.request, taker.device_units)
            checked.append(replace(job, name=rules.check_name(job.name)))
    _check_inputs(project_id, checked, known, vouched=vouched)
    return taker, checked


def _known_ids(ids: Sequence[UUID]) -> set[UUID]:
    found: set[UUID] = set()
    for start in range(0, len(ids), CHUNK):
        found |= set(Job.objects.filter(pk__in=ids[start : start + CHUNK]).values_list("pk", flat=True))
    return found


@contextmanager
def _told_which(jobs: Sequence[NewJob], place: int) -> Iterator[None]:
    """A refusal of one of several jobs says which."""
    try:
        yield
    except DomainError as error:
        if len(jobs) > 1:
            error.detail |= {"job": place, "id": str(jobs[place].id), "name": jobs[place].name}
        raise


def _check_inputs(project_id: UUID, jobs: Sequence[NewJob], known: AbstractSet[UUID], *, vouched: bool) -> None:
    digests = {digest for job in jobs if job.id not in known for digest in job.request.inputs.values()}
    missing = digests - set(content.blobs(digests)) if digests else set()
    # A digest is no secret: without this, anybody who knows one could read what it names.
    foreign = set() if vouched or not digests else digests - inputs_of_project(project_id, digests)
    for place, job in enumerate(jobs if missing or foreign else ()):
        if job.id in known:
            continue
        with _told_which(jobs, place):
            for name, each in job.request.inputs.items():
                if each in missing:
                    raise BadInput(N_("There is no content for the input “{name}”."), field="inputs", name=name)
            if foreign & set(job.request.inputs.values()):
                raise NotAllowed(N_("Inputs must be files that jobs of this project left."), field="inputs")


def with_files(jobs: Sequence[NewJob], files: Mapping[str, bytes]) -> list[NewJob]:
    """The jobs with ``files`` stored and among their inputs; who has the bytes may use them."""
    if not files:
        return list(jobs)
    for place, job in enumerate(jobs):
        with _told_which(jobs, place):
            rules.check_files(job.request, files)
    stored = {
        name: content.put_bytes(data, media_type=FILE_TYPE, limit_bytes=rules.FILE_BYTES_MAX).digest
        for name, data in files.items()
    }
    return [replace(job, request=replace(job.request, inputs={**job.request.inputs, **stored})) for job in jobs]


# --- writing


def rows_of(
    actor: accounts.Actor,
    project_id: UUID,
    jobs: Sequence[NewJob],
    cluster: Cluster,
    origin: Origin | None = None,
) -> list[Job]:
    """Rows that are not written yet."""
    moment = now()
    told = [job.request.to_json() for job in jobs]
    return [
        Job(
            id=job.id,
            cluster=cluster,
            project_id=project_id,
            name=job.name,
            request=request,
            request_digest=digest(request),
            submitted_by=actor.id,
            # A microsecond apart: queue and lists keep the order that they were given in.
            submitted_at=moment + timedelta(microseconds=place),
            origin_kind=origin.kind if origin else "",
            origin_id=origin.id if origin else "",
            origin_label=origin.label if origin else "",
        )
        for place, (job, request) in enumerate(zip(jobs, told, strict=True))
    ]


def write_jobs(
    rows: Sequence[Job], actor: accounts.Actor, sweep: Sweep | None = None, *, named: bool = False
) -> list[Job]:
    """Write those that are not there yet, with what they hold; the rows as the database has them, in their order.

    Raises Conflict when an id is there with other content, or at another cluster than the one ``named``.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                known = _known(rows, (*COMPARED, "cluster_id") if named else COMPARED)
                fresh = [row for row in rows if row.pk not in known]
                if fresh:
                    _write(fresh, actor, sweep)
            return [known.get(row.pk, row) for row in rows]
        except IntegrityError:  # an id arrived twice at once and the other was first: it is known now
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _known(rows: Sequence[Job], compared: Sequence[str]) -> dict[UUID, Job]:
    """Those of the ids that are there already; raises Conflict for one with other content."""
    found: dict[UUID, Job] = {}
    for start in range(0, len(rows), CHUNK):
        ids = [row.pk for row in rows[start : start + CHUNK]]
        found |= {known.pk: known for known in Job.objects.filter(pk__in=ids)}
    for place, row in enumerate(rows if found else ()):
        known = found.get(row.pk)
        if known is not None and any(getattr(known, name) != getattr(row, name) for name in compared):
            which = {"job": place, "id": str(row.pk), "name": row.name} if len(rows) > 1 else {}
            raise Conflict(
                N_("This job id was used before with other content. Make a new id."), field="id", detail=which
            )
    return found


def _write(rows: Sequence[Job], actor: accounts.Actor, sweep: Sweep | None) -> None:
    requests = [JobRequest.from_json(row.request) for row in rows]
    waits = _waits(rows, requests)
    units = rows[0].cluster.device_units
    needs = [rules.estimate(request, units) for request in requests]
    planned = rules.plan_many(needs, _sources(rows[0].project_id), now())
    if sweep is not None:
        sweep.save(force_insert=True)
    _insert(rows)
    holds = [
        _cells_of_hold(row, *each) for row, parts in zip(rows, planned, strict=True) for each in enumerate(parts)
    ]
    audit.insert_rows(JobHold, HOLD, holds)
    audit.insert_rows(JobAfter, ("job", "after"), [(row.pk.hex, after.hex) for row, after in waits])
    wall_seconds_max = max(request.limits.wall_seconds for request in requests)
    resources.hold_for(
        lines=[
            resources.HoldLine(hold_id(row, number), part.allocation_id, part.amount, f"job {row.pk}")
            for row, parts in zip(rows, planned, strict=True)
            for number, part in enumerate(parts)
        ],
        expires_at=rules.hold_until(rows[-1].submitted_at, wall_seconds_max),
        actor=actor.id,
    )
    audit.record_many(
        [
            audit.EventDraft(
                verb="compute.submit_job",
                subject_kind="job",
                subject_id=str(row.pk),
                actor=actor.id,
                after={"project": row.project_id, "request": row.request_digest, "held": held},
            )
            for row, held in zip(rows, needs, strict=True)
        ]
    )


def _waits(rows: Sequence[Job], requests: Sequence[JobRequest]) -> list[tuple[Job, UUID]]:
    """Which job waits for which; raises BadInput for one that is not there, or can no longer succeed.

    A job can only name what is there before it, so nothing waits in a circle.
    """
    named = {after for request in requests for after in request.after}
    earlier: dict[UUID, tuple[UUID, str]] = {}
    for start in range(0, len(named), CHUNK):
        found = Job.objects.filter(pk__in=sorted(named)[start : start + CHUNK])
        earlier |= {pk: (project, state) for pk, project, state in found.values_list("pk", "project_id", "state")}
    pairs: list[tuple[Job, UUID]] = []
    for place, (row, request) in enumerate(zip(rows, requests, strict=True)):
        for after in request.after:
            project, state = earlier.get(after, (None, ""))
            error = None
            if project != row.project_id:
                error = BadInput(N_("There is no earlier job {id} in this project."), field="after", id=str(after))
            elif state in NO_SUCCESS:
                error = BadInput(N_("The job {id} has ended without success."), field="after", id=str(after))
            if error is not None:
                error.detail |= {"job": place, "id": str(row.pk), "name": row.name} if len(rows) > 1 else {}
                raise error
            pairs.append((row, after))
        earlier[row.pk] = (row.project_id, row.state)
    return pairs


def _insert(rows: Sequence[Job]) -> None:
    # In the order of their ids: two batches with the same ones would wait for each other in another.
    fields = [field for field in Job._meta.concrete_fields if getattr(rows[0], field.attname) is not None]
    cells = [tuple(_cell(field, getattr(row, field.attname)) for field in fields) for row in rows]
    audit.insert_rows(Job, [field.name for field in fields], sorted(cells, key=lambda row: str(row[0])))


def _cell(field: Field[Any, Any], value: Any) -> str | int:
    """What the database stores for a field of a job."""
    if isinstance(field, JSONField):
        return audit.stored_json(value) or ""
    if isinstance(value, datetime):
        return audit.stored_time(value)
    if isinstance(value, UUID):
        return value.hex
    return value if isinstance(value, int) else str(value)


def hold_id(row: Job, number: int) -> UUID:
    """The id of a job's hold by its number."""
    return derive("compute.hold", row.pk, number)


def _cells_of_hold(row: Job, number: int, part: rules.Portion) -> tuple[str | int, ...]:
    return (hold_id(row, number).hex, row.pk.hex, number, part.allocation_id.hex, part.unit, part.amount)


def _sources(project_id: UUID) -> list[rules.Source]:
    """The project's allocations that may be held from now."""
    found = resources.allocations(project_ids=[project_id]).get(project_id, [])
    return [
        rules.Source(each.id, each.unit, each.available, each.starts_at, each.ends_at)
        for each in found
        if not each.overrun and each.state == resources.AllocationState.ACTIVE
    ]
