"""Reading jobs, in bulk and with the reader's rights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, QuerySet

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of

from .models import Cluster, DriftLook, Job, JobArtefact, JobHold, MeteredCluster
from .states import LISTED, JobState
from .types import ArtefactView, ClusterView, JobLine, JobRequest, JobView, Origin, Standing

PER_PAGE = 20
CLUSTERS_MAX = 100
OVERDUE_LOOKED_AT_MAX = 200


def thing_of(job: Job | JobView) -> accounts.Thing:
    """What rights on a job are asked about."""
    return accounts.Thing("job", str(job.id), project_id=job.project_id)


def clusters() -> list[ClusterView]:
    """Every cluster, by code; at most CLUSTERS_MAX."""
    rows = Cluster.objects.order_by("code")[:CLUSTERS_MAX]
    return [ClusterView(row.code, row.title, row.engine, row.device_units, row.enabled) for row in rows]


def enabled_clusters() -> list[Cluster]:
    """The clusters that take jobs, by code; NotFound when there is none."""
    found = list(Cluster.objects.filter(enabled=True).order_by("code")[:CLUSTERS_MAX])
    if not found:
        raise NotFound()
    return found


def default_cluster() -> Cluster:
    """The cluster that takes jobs which name none: the first enabled one; NotFound when there is none."""
    return enabled_clusters()[0]


def chosen_cluster(code: str) -> Cluster:
    """The cluster named, or the default for an empty code; BadInput names those that take jobs."""
    found = enabled_clusters()
    chosen = next((each for each in found if each.code == code), None if code else found[0])
    if chosen is None:
        names = ", ".join(each.code for each in found)
        raise BadInput(
            N_("No cluster “{name}” takes jobs. Clusters: {names}."), field="cluster", name=code, names=names
        )
    return chosen


def cluster_of_anybody(code: str) -> Cluster:
    """As ``chosen_cluster``, for people who need not have a project: BadInput names no other cluster."""
    try:
        return chosen_cluster(code)
    except BadInput:
        raise BadInput(
            N_("No cluster “{name}” takes jobs. Without a name it is the first that does."),
            field="cluster",
            name=code,
        ) from None


def checked_job(actor: accounts.Actor, job_id: UUID, verb: str = "compute.view_job") -> Job:
    """The row when the actor may ``verb`` it; NotFound for what they may not see."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFound()
    accounts.require(actor=actor, verb=verb, thing=thing_of(job))
    return job


def job(*, actor: accounts.Actor, job_id: UUID) -> JobView:
    """One job."""
    return views([checked_job(actor, job_id)])[0]


def jobs(*, actor: accounts.Actor, project_id: UUID, page: int = 1, per_page: int = PER_PAGE) -> Page[JobView]:
    """A project's jobs, newest first; four queries whatever their number."""
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="compute.view_project", thing=project.thing)
    rows = page_of(_newest_first(project_id), page, per_page)
    return Page(views(rows.items), rows.number, rows.per_page, rows.total)


def job_lines(*, actor: accounts.Actor, project: accounts.ProjectView, page: int = 1) -> Page[JobLine]:
    """The same jobs as lines of a list; two queries, which read no more than a line shows."""
    accounts.require(actor=actor, verb="compute.view_project", thing=project.thing)
    rows = _newest_first(project.id).values_list("pk", "name", "state", "submitted_at", "charged")
    return page_of(rows, page).map(lambda row: JobLine(row[0], row[1], JobState(row[2]), *row[3:]))


def _newest_first(project_id: UUID) -> QuerySet[Job]:
    return Job.objects.filter(project_id=project_id).order_by("-submitted_at", "-pk")


def job_views(ids: Iterable[UUID]) -> Mapping[UUID, JobView]:
    """Jobs by id; unchecked, for joins with things already checked."""
    return {view.id: view for view in views(list(Job.objects.filter(pk__in=set(ids))))}


def views(rows: Iterable[Job]) -> list[JobView]:
    """Rows as other rooms see them, with their holds and outputs, in two queries for all."""
    rows = list(rows)
    ids = [row.pk for row in rows]
    held: dict[UUID, dict[str, int]] = {pk: {} for pk in ids}
    for job_id, unit, amount in JobHold.objects.filter(job__in=ids).values_list("job_id", "unit", "amount"):
        held[job_id][unit] = held[job_id].get(unit, 0) + amount
    outputs: dict[UUID, dict[str, str]] = {pk: {} for pk in ids}
    kept = JobArtefact.objects.filter(job__in=ids, role="output").order_by("name")
    for job_id, name, digest in kept.values_list("job_id", "name", "blob_id"):
        outputs[job_id][name] = digest
    return [view(row, held[row.pk], outputs[row.pk]) for row in rows]


def view(row: Job, held: Mapping[str, int], outputs: Mapping[str, str]) -> JobView:
    """One row as other rooms see it."""
    origin = Origin(row.origin_kind, row.origin_id, row.origin_label) if row.origin_kind else None
    return JobView(
        id=row.pk,
        project_id=row.project_id,
        name=row.name,
        state=JobState(row.state),
        request=JobRequest.from_json(row.request),
        submitted_at=row.submitted_at,
        submitted_by=row.submitted_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        reason=Text.from_json(row.reason) if row.reason else None,
        charged=dict(row.charged),
        held={} if row.ended_at else dict(held),
        artefacts=dict(outputs),
        origin=origin,
        cluster=row.cluster_id,
        environment=dict(row.environment),
        measured=dict(row.measured),
        stopping=row.cancel_requested_at is not None and row.ended_at is None,
        sweep_id=row.sweep_id,
    )


def artefacts(*, actor: accounts.Actor, job_id: UUID) -> list[ArtefactView]:
    """The files a job left, logs first."""
    row = checked_job(actor, job_id)
    rows = JobArtefact.objects.filter(job=row).select_related("blob").order_by("role", "name")
    return [ArtefactView(each.name, each.role, each.blob_id, each.blob.size, each.truncated) for each in rows]


def artefact(*, actor: accounts.Actor, job_id: UUID, role: str, name: str) -> ArtefactView:
    """One file a job left; NotFound when it left none of that name."""
    for each in artefacts(actor=actor, job_id=job_id):
        if (each.role, each.name) == (role, name):
            return each
    raise NotFound()


def inputs_of_project(project_id: UUID, digests: Iterable[str]) -> set[str]:
    """Those of ``digests`` that jobs of the project left, and which its people may therefore use again."""
    found = JobArtefact.objects.filter(job__project_id=project_id, blob_id__in=set(digests))
    return set(found.values_list("blob_id", flat=True))


def standing(moment: datetime) -> Standing:
    """How the jobs of the whole installation stand, in five queries whatever their number."""
    counts = dict(Job.objects.order_by().values_list("state").annotate(count=Count("pk")))
    waiting = Job.objects.filter(state=JobState.QUEUED).aggregate(since=Min("submitted_at"))["since"]
    listed = Job.objects.filter(state__in=[str(state) for state in LISTED]).exclude(started_at=None)
    oldest = listed.order_by("started_at").values_list("started_at", "request")[:OVERDUE_LOOKED_AT_MAX]
    # A job past its wall-clock limit has ended; while its row says that it runs, its use is not charged yet.
    late = timedelta(0)
    for start, asked in oldest:
        late = max(late, moment - (start or moment) - timedelta(seconds=asked["limits"]["wall_seconds"]))
    enabled = Cluster.objects.filter(enabled=True).values("pk")
    read = MeteredCluster.objects.filter(pk__in=enabled).aggregate(until=Min("pulled_until"))["until"]
    looks = DriftLook.objects.exclude(looked_at=None).order_by("pk").values_list("pk", "count", "looked_at")
    return Standing(
        jobs={str(state): counts.get(str(state), 0) for state in JobState},
        queued_since=waiting,
        metering_late=late,
        accounting_until=read,
        drift={pk: (count, at) for pk, count, at in looks[:CLUSTERS_MAX] if at},
    )
