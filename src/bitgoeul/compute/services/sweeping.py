"""Sweeps: submit many jobs of a kind as one, and cancel what is left of them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import Conflict
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text

from .. import rules, sweeps
from ..models import Job, Sweep
from ..states import JobState
from ..sweep_queries import checked_sweep, sweep_view
from ..types import JobRequest, NewJob, SweepView
from .ending import end_many_unused
from .submitting import admit, check_jobs, rows_of, with_files, write_jobs

COMPARED = ("project_id", "name", "request", "parameters", "points")


def submit_sweep(
    *,
    actor: accounts.Actor,
    id: UUID,
    project_id: UUID,
    name: str,
    request: JobRequest,
    points: sweeps.Points,
    files: Mapping[str, bytes] | None = None,
    cluster: str = "",
) -> SweepView:
    """Submit a job for each point, all or none; the same id with the same content again is the same sweep.

    The job at a point has the values as variables and in the places ``{name}`` of its command. Raises as
    ``submit_jobs``.
    """
    admit(actor, project_id)
    name, points = rules.check_name(name), sweeps.checked(points)
    jobs = [
        NewJob(job_id_of(id, index), f"{name} {index + 1}", sweeps.request_at(request, points.at(index)))
        for index in range(len(points))
    ]
    row = Sweep(
        id=id,
        project_id=project_id,
        name=name,
        request=request.to_json(),
        parameters=list(points.names),
        points=[list(values) for values in points.values],
        submitted_by=actor.id,
    )
    # First: by what is known of it a repetition is refused or taken, whatever takes jobs now.
    _same(row, cluster)
    taker, asked = check_jobs(cluster, project_id, jobs, vouched=actor.is_system)
    rows = rows_of(actor, project_id, with_files(asked, files or {}), taker)
    for index, job in enumerate(rows):
        job.sweep_id, job.sweep_index = id, index
    write_jobs(rows, actor, row, named=bool(cluster))
    # Of two sweeps of one id that came at once with other points the second wrote nothing.
    _same(row, cluster)
    return sweep_view(Sweep.objects.get(pk=id))


def job_id_of(sweep_id: UUID, index: int) -> UUID:
    """The id of a sweep's job."""
    return derive("compute.sweep", sweep_id, index)


def _same(row: Sweep, cluster: str) -> None:
    known = Sweep.objects.filter(pk=row.pk).first()
    if known is None:
        return
    elsewhere = cluster and Job.objects.filter(sweep=known).exclude(cluster=cluster).exists()
    if elsewhere or any(getattr(known, name) != getattr(row, name) for name in COMPARED):
        raise Conflict(N_("This sweep id was used before with other content. Make a new id."), field="id")


@transaction.atomic
def cancel_sweep(*, actor: accounts.Actor, sweep_id: UUID) -> SweepView:
    """Cancel the jobs of a sweep that have not ended: the queued ones at once, the others as the engine ends them.

    Asked twice, it is cancelled once; what has ended stays as it is.
    """
    row = checked_sweep(actor, sweep_id, "compute.cancel_job")
    queued = list(Job.objects.filter(sweep=row, state=JobState.QUEUED).order_by("sweep_index"))
    end_many_unused(queued, "cancel", Text(N_("The job was cancelled.")), actor=actor.id)
    left = Job.objects.select_for_update(no_key=True).filter(sweep=row, ended_at=None, cancel_requested_at=None)
    asked = list(left.order_by("pk").values_list("pk", flat=True))
    Job.objects.filter(sweep=row, pk__in=asked).update(cancel_requested_at=now())
    audit.record_many(
        [audit.EventDraft("compute.cancel_job", "job", str(pk), actor.id, after={"asked": True}) for pk in asked]
    )
    return sweep_view(row)
