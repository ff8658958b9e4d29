"""Reading sweeps, with the reader's rights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Count, Sum

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import NotFound
from bitgoeul.web.facade import Page, page_of

from .models import Job, JobHold, Sweep
from .queries import PER_PAGE
from .states import JobState
from .types import JobRequest, SweepJob, SweepView

JOB = ("pk", "sweep_index", "state", "started_at", "ended_at", "exit_code", "charged", "measured")


def sweep_thing(row: Sweep | SweepView) -> accounts.Thing:
    """What rights on a sweep are asked about: those on its jobs."""
    return accounts.Thing("job", str(row.id), project_id=row.project_id)


def checked_sweep(actor: accounts.Actor, sweep_id: UUID, verb: str = "compute.view_job") -> Sweep:
    """The row when the actor may ``verb`` its jobs; NotFound for what they may not see."""
    row = Sweep.objects.filter(pk=sweep_id).first()
    if row is None:
        raise NotFound()
    accounts.require(actor=actor, verb=verb, thing=sweep_thing(row))
    return row


def sweep_exists(sweep_id: UUID) -> bool:
    """Whether an id was used; unchecked."""
    return Sweep.objects.filter(pk=sweep_id).exists()


def parameters_of(sweep_id: UUID) -> tuple[str, ...]:
    """The names of a sweep's parameters; unchecked."""
    return tuple(Sweep.objects.values_list("parameters", flat=True).get(pk=sweep_id))


def sweep(*, actor: accounts.Actor, sweep_id: UUID) -> SweepView:
    """One sweep with the counts of its jobs and what they were charged; three queries."""
    return sweep_view(checked_sweep(actor, sweep_id))


def sweeps(*, actor: accounts.Actor, project_id: UUID, page: int = 1) -> Page[SweepView]:
    """A project's sweeps, newest first."""
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="compute.view_project", thing=project.thing)
    rows = page_of(Sweep.objects.filter(project_id=project_id).order_by("-submitted_at", "-pk"), page, PER_PAGE)
    return Page(sweep_views(rows.items), rows.number, rows.per_page, rows.total)


def sweep_view(row: Sweep) -> SweepView:
    """One row as pages see it, with what its jobs were charged; two queries."""
    charged = Job.objects.filter(sweep=row).order_by().values_list("charged", flat=True)
    return replace(sweep_views([row])[0], charged=_sum(charged))


def _sum(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in amounts:
        total.update(each)
    return dict(total)


def sweep_views(rows: Sequence[Sweep]) -> list[SweepView]:
    """Rows as a list sees them, the counts of all in one query."""
    counts: dict[UUID, dict[JobState, int]] = {row.pk: {} for row in rows}
    clusters: dict[UUID, str] = {}
    jobs = Job.objects.filter(sweep__in=[row.pk for row in rows]).order_by()
    for sweep_id, cluster, state, count in jobs.values_list("sweep_id", "cluster_id", "state").annotate(
        count=Count("pk")
    ):
        clusters[sweep_id], counts[sweep_id][JobState(state)] = cluster, count
    return [
        SweepView(
            id=row.pk,
            project_id=row.project_id,
            name=row.name,
            request=JobRequest.from_json(row.request),
            parameters=tuple(row.parameters),
            submitted_at=row.submitted_at,
            submitted_by=row.submitted_by,
            cluster=clusters.get(row.pk, ""),
            jobs=len(row.points),
            states={state: counts[row.pk][state] for state in JobState if state in counts[row.pk]},
        )
        for row in rows
    ]


def sweep_look(*, actor: accounts.Actor, sweep_id: UUID) -> tuple[SweepView, list[JobState], dict[str, int]]:
    """One sweep, the state of each of its jobs in their order, and what they hold by unit; four queries."""
    row = checked_sweep(actor, sweep_id)
    jobs = list(Job.objects.filter(sweep=row).order_by("sweep_index").values_list("state", "charged"))
    held = JobHold.objects.filter(job__sweep=row, job__ended_at=None).order_by()
    amounts = dict(held.values_list("unit").annotate(amount=Sum("amount")))
    view = replace(sweep_views([row])[0], charged=_sum(charged for _state, charged in jobs))
    return view, [JobState(state) for state, _charged in jobs], amounts


def sweep_lines(*, actor: accounts.Actor, sweep_id: UUID) -> list[SweepJob]:
    """All of a sweep's jobs in their order."""
    row = checked_sweep(actor, sweep_id)
    return list(_lines(row, Job.objects.filter(sweep=row).order_by("sweep_index").values_list(*JOB)))


def sweep_jobs(*, actor: accounts.Actor, sweep_id: UUID, page: int = 1, state: str = "") -> Page[SweepJob]:
    """A sweep's jobs in their order; with ``state`` only those in it. Three queries."""
    row = checked_sweep(actor, sweep_id)
    jobs = Job.objects.filter(sweep=row).order_by("sweep_index")
    jobs = jobs.filter(state=state) if state else jobs
    found = page_of(jobs.values_list(*JOB), page, PER_PAGE)
    return Page(list(_lines(row, found.items)), found.number, found.per_page, found.total)


def _lines(row: Sweep, found: Iterable[tuple[object, ...]]) -> Iterator[SweepJob]:
    for pk, index, state, *rest in found:
        yield SweepJob(pk, index, tuple(row.points[index]), JobState(state), *rest)  # type: ignore[arg-type]
