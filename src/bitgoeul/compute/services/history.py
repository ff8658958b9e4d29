"""Taking over jobs that ran elsewhere or before: ended ones with what they were charged.

An imported job never moved here, so it has no move rows: it enters in the state that its source tells, under one
audit event a call that holds the digest of all of them. Nothing runs, nothing is announced to other rooms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from ..models import Cluster, Job, JobHold
from ..states import UNFINISHED, JobState
from ..types import JobRequest
from .charging import Bookings

JOBS_MAX = 5_000
CHUNK = 500
COLUMNS = (
    *("state", "version", "id", "cluster", "project", "name", "request", "request_digest", "submitted_by"),
    *("submitted_at", "origin_kind", "origin_id", "origin_label", "handle", "lease_until", "not_before"),
    *("unlisted_since", "cancel_requested_at", "started_at", "ended_at", "exit_code", "ending", "reason"),
    *("charged", "measured", "environment"),
)


@dataclass(frozen=True)
class PastJob:
    """A job to take over.

    ``uses`` are what an ended one is charged, ``holds`` what an open one sets aside: allocation, unit, amount.
    """

    id: UUID
    project_id: UUID
    name: str
    state: JobState
    request: JobRequest
    submitted_by: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None = None
    ending: str = ""
    uses: Sequence[tuple[UUID, str, int]] = ()
    holds: Sequence[tuple[UUID, str, int]] = ()
    measured: Mapping[str, int] = field(default_factory=dict)


@transaction.atomic
def define_cluster(
    *,
    actor: accounts.Actor,
    code: str,
    title: str,
    engine: str,
    config: Mapping[str, Any],
    device_units: Mapping[str, str],
    enabled: bool,
    replace: bool = False,
) -> Mapping[str, Any]:
    """Describe a cluster; one that is there stays as it is unless ``replace``. Returns the settings it has."""
    if not actor.is_system:
        raise BadInput(N_("Clusters are described by data."))
    values = {"title": title, "engine": engine, "config": config, "device_units": device_units, "enabled": enabled}
    row, made = Cluster.objects.get_or_create(pk=code, defaults=values)
    changed = replace and any(getattr(row, name) != value for name, value in values.items())
    if changed:
        for name, value in values.items():
            setattr(row, name, value)
        row.save()
    if made or changed:
        audit.record(
            verb="compute.define_cluster", subject_kind="cluster", subject_id=code, actor=actor.id, after=values
        )
    return dict(row.config)


@transaction.atomic
def import_jobs(
    *,
    actor: accounts.Actor,
    cluster: str,
    jobs: Sequence[PastJob],
    label: str,
    holds_until: datetime | None = None,
) -> int:
    """Take over jobs with their use or their holds, all or nothing; ids that are there stay. Returns how many.

    ``label`` says on each job's page where it comes from. The use is charged to the ledger like any other:
    recorded now, effective when the job ended, or in the next open month. At most JOBS_MAX at once.
    """
    if not actor.is_system:
        raise BadInput(N_("Jobs are taken over by the platform itself."))
    if len(jobs) > JOBS_MAX:
        raise BadInput(N_("At most {limit} entries at once."), field="jobs", limit=JOBS_MAX)
    known = _known([job.id for job in jobs])
    fresh = [job for job in jobs if job.id not in known]
    for job in fresh:
        _check(job)
    if not fresh:
        return 0
    audit.insert_rows(Job, COLUMNS, [_row(job, cluster, label) for job in fresh])
    bookings = Bookings()
    uses = [line for job in fresh for line in _use_lines(job, cluster, bookings)]
    resources.settle_use(lines=uses, actor=actor.id)
    _hold(fresh, holds_until, actor)
    audit.record(
        verb="compute.import_jobs",
        subject_kind="cluster",
        subject_id=cluster,
        actor=actor.id,
        after={"jobs": len(fresh), "label": label, "digest": _digest(fresh)},
    )
    return len(fresh)


def _known(ids: Sequence[UUID]) -> set[UUID]:
    found: set[UUID] = set()
    for start in range(0, len(ids), CHUNK):
        found |= set(Job.objects.filter(pk__in=ids[start : start + CHUNK]).values_list("pk", flat=True))
    return found


def _check(job: PastJob) -> None:
    ended = job.state not in UNFINISHED
    if ended != (job.ended_at is not None) or (job.uses and not (job.started_at and job.ended_at)):
        raise BadInput(
            N_("A job that has ended has its times, and an unfinished one has no end."), field="ended_at"
        )
    if job.holds and ended:
        raise BadInput(N_("Only an unfinished job holds."), field="holds")


def _row(job: PastJob, cluster: str, label: str) -> tuple[str | int | None, ...]:
    request, charged = job.request.to_json(), {unit: amount for _allocation, unit, amount in job.uses}
    times = [audit.stored_time(at) if at else None for at in (job.started_at, job.ended_at)]
    return (
        *(str(job.state), 0, job.id.hex, cluster, job.project_id.hex, job.name, audit.stored_json(request), ""),
        *(
            job.submitted_by,
            audit.stored_time(job.submitted_at),
            "import",
            cluster,
            label,
            None,
            None,
            None,
            None,
            None,
        ),
        *(*times, job.exit_code, job.ending, None, audit.stored_json(charged)),
        *(audit.stored_json(dict(job.measured)), audit.stored_json({})),
    )


def _use_lines(job: PastJob, cluster: str, bookings: Bookings) -> list[resources.UseLine]:
    if job.started_at is None or job.ended_at is None:
        return []
    booked_at, late = bookings.when(job.ended_at)
    identity = f"{cluster}:{job.id}:{rfc3339(job.submitted_at)}:0"
    return [
        resources.UseLine(
            allocation_id=allocation_id,
            amount=amount,
            source_key=f"{identity}:{number}",
            started_at=job.started_at,
            ended_at=booked_at,
            detail={"job": str(job.id), "name": job.name, **job.measured, **late},
        )
        for number, (allocation_id, _unit, amount) in enumerate(job.uses)
    ]


def _hold(jobs: Sequence[PastJob], until: datetime | None, actor: accounts.Actor) -> None:
    rows = [
        JobHold(
            hold_id=derive("compute.hold", job.id, number),
            job_id=job.id,
            number=number,
            allocation_id=allocation_id,
            unit=unit,
            amount=amount,
        )
        for job in jobs
        for number, (allocation_id, unit, amount) in enumerate(job.holds)
    ]
    if not rows:
        return
    lines = [resources.HoldLine(row.hold_id, row.allocation_id, row.amount) for row in rows]
    resources.hold_for(lines=lines, expires_at=until or now(), actor=actor.id, memo="import")
    JobHold.objects.bulk_create(rows, batch_size=CHUNK)


def _digest(jobs: Sequence[PastJob]) -> str:
    return digest([[str(job.id), str(job.state), [str(amount) for *_what, amount in job.uses]] for job in jobs])
