"""Take a job: check it, hold for it, write it down; all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from django.db import IntegrityError, transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from .. import rules
from ..models import Cluster, Job, JobHold
from ..queries import default_cluster, inputs_of_project, views
from ..types import JobRequest, JobView, Origin

FILE_TYPE = "application/octet-stream"


def estimate(request: JobRequest) -> Mapping[str, int]:
    """The most the job can use, by ledger unit; what is held for it. Raises BadInput as ``submit_job`` would."""
    cluster = default_cluster()
    rules.check_request(request, cluster.device_units)
    return rules.estimate(request, cluster.device_units)


def submit_job(
    *,
    actor: accounts.Actor,
    id: UUID,
    project_id: UUID,
    name: str,
    request: JobRequest,
    origin: Origin | None = None,
    files: Mapping[str, bytes] | None = None,
) -> JobView:
    """Submit a job; the same id with the same content again gives the same job.

    Holds cores × wall limit and devices × wall limit on the project's allocations in the transaction that writes
    the job. Raises BadInput naming the field, NotEnoughLeft saying what is left (nothing is written then), and
    Conflict for the id with other content. ``files`` are further inputs given with the request (at most 16 of
    1 MiB). Without an ``origin``, ``inputs`` must be files that jobs of the same project left; a higher room that
    gives an origin vouches for them.
    """
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="compute.submit_job", thing=project.thing)
    cluster = default_cluster()
    name = rules.check_name(name)
    rules.check_request(request, cluster.device_units)
    _check_inputs(project_id, request, vouched=origin is not None or actor.is_system)
    request = _with_files(request, files or {})
    row = Job(
        id=id,
        cluster=cluster,
        project_id=project_id,
        name=name,
        request=request.to_json(),
        request_digest=digest(request.to_json()),
        submitted_by=actor.id,
        submitted_at=now(),
        origin_kind=origin.kind if origin else "",
        origin_id=origin.id if origin else "",
        origin_label=origin.label if origin else "",
    )
    try:
        with transaction.atomic():
            known = Job.objects.filter(pk=id).first()
            if known is None:
                _write(row, request, cluster, actor)
    except IntegrityError:  # the same id arrived twice at once and the other was first
        known = Job.objects.filter(pk=id).first()
        if known is None:
            raise
    return views([row if known is None else _same(known, row)])[0]


def _same(known: Job, row: Job) -> Job:
    compared = ("project_id", "name", "request_digest", "origin_kind", "origin_id")
    if any(getattr(known, name) != getattr(row, name) for name in compared):
        raise Conflict(N_("This job id was used before with other content. Make a new id."), field="id")
    return known


def _check_inputs(project_id: UUID, request: JobRequest, *, vouched: bool) -> None:
    digests = set(request.inputs.values())
    missing = digests - set(content.blobs(digests))
    if missing:
        name = next(name for name, each in request.inputs.items() if each in missing)
        raise BadInput(N_("There is no content for the input “{name}”."), field="inputs", name=name)
    if not vouched and digests - inputs_of_project(project_id, digests):
        # A digest is no secret: without this, anybody who knows one could read what it names.
        raise NotAllowed(N_("Inputs must be files that jobs of this project left."), field="inputs")


def _with_files(request: JobRequest, files: Mapping[str, bytes]) -> JobRequest:
    """The request with ``files`` stored and among its inputs; who has the bytes may use them."""
    if not files:
        return request
    rules.check_files(request, files)
    stored = {
        name: content.put_bytes(data, media_type=FILE_TYPE, limit_bytes=rules.FILE_BYTES_MAX).digest
        for name, data in files.items()
    }
    return replace(request, inputs={**request.inputs, **stored})


def _write(row: Job, request: JobRequest, cluster: Cluster, actor: accounts.Actor) -> None:
    needs = rules.estimate(request, cluster.device_units)
    portions = rules.plan_holds(needs, _sources(row.project_id), row.submitted_at)
    row.save(force_insert=True)
    holds = [
        JobHold(
            hold_id=derive("compute.hold", row.pk, number),
            job=row,
            number=number,
            allocation_id=portion.allocation_id,
            unit=portion.unit,
            amount=portion.amount,
        )
        for number, portion in enumerate(portions)
    ]
    JobHold.objects.bulk_create(holds)
    resources.hold_for(
        lines=[resources.HoldLine(each.hold_id, each.allocation_id, each.amount) for each in holds],
        expires_at=rules.hold_until(row.submitted_at, request.limits.wall_seconds),
        actor=actor.id,
        memo=f"job {row.pk}",
    )
    audit.record(
        verb="compute.submit_job",
        subject_kind="job",
        subject_id=str(row.pk),
        actor=actor.id,
        after={"project": row.project_id, "request": row.request_digest, "held": needs},
    )


def _sources(project_id: UUID) -> list[rules.Source]:
    """The project's allocations that may be held from now."""
    found = resources.allocations(project_ids=[project_id]).get(project_id, [])
    return [
        rules.Source(each.id, each.unit, each.available, each.starts_at, each.ends_at)
        for each in found
        if not each.overrun and each.state == resources.AllocationState.ACTIVE
    ]
