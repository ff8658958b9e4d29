"""Jobs over REST: submit, look, read the log, cancel, fetch what was left."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import FileResponse, HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.accounts.facade import actor_of
from bitgoeul.web.facade import Paged, PageNumber, page_of_items, paged, refusals, render_text

from . import facade
from .bodies import RequestBody, Whole
from .downloads import download
from .fleet_rest import router as fleet_router
from .ports import READ_LIMIT
from .queries import artefact
from .sweep_rest import router as sweep_router
from .types import JobView

router = Router(tags=["jobs"])
router.add_router("", fleet_router)
router.add_router("", sweep_router)
BINARY = {"schema": {"type": "string", "format": "binary"}}


class JobIn(RequestBody):
    """A job to submit. ``id`` is made by the caller: the same id with the same content again is the same job.

    ``files`` are small text files given with the request, by name.
    """

    id: UUID
    project_id: UUID
    name: str
    files: dict[str, str] = Field(default_factory=dict)


class OriginOut(Schema):
    """For whom a job runs."""

    kind: str
    id: str
    label: str


class JobOut(Schema):
    """A job. Amounts are whole numbers in the ledger's scale (``core_ms``: thousandths of a core-second)."""

    id: UUID
    project_id: UUID
    name: str
    state: str
    stopping: bool
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    reason: str | None
    held: dict[str, int]
    charged: dict[str, int]
    artefacts: dict[str, str]
    measured: dict[str, int]
    environment: dict[str, str]
    origin: OriginOut | None
    cluster: str
    after: list[UUID]
    sweep_id: UUID | None


class JobList(Paged):
    """One page of jobs, newest first."""

    items: list[JobOut]


class LogOut(Schema):
    """A piece of a log; go on at ``next_offset`` until ``complete``."""

    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool
    truncated: bool


class SampleOut(Schema):
    """What a job had used ``wall_ms`` after its start: processor time so far, the highest memory lately.

    Of its own devices the use lately on the mean, memory and power summed up; null where nobody measured it.
    """

    wall_ms: int
    cpu_ms: int
    memory_kib: int
    device_busy_permille: int | None
    device_memory_mib: int | None
    device_power_mw: int | None


class MeasuredOut(Schema):
    """What an engine measured of a job, whole."""

    cores: int
    wall_ms: int
    cpu_ms: int
    memory_kib_max: int


class DevicesOut(Schema):
    """Who measures a job's own devices, and what their power covers; ``unread`` is why it is not measured now."""

    reader: str
    measured: int
    boundary: str | None
    unread: str | None


class UseOut(Schema):
    """A job's use so far, at most 120 samples in order; ``advice`` comes at its end, in the reader's language.

    ``devices`` is null where nobody measures the devices of the cluster, or the job has none.
    """

    measured: MeasuredOut | None
    samples: list[SampleOut]
    devices: DevicesOut | None
    advice: list[str]


class ArtefactOut(Schema):
    """A file a job left."""

    name: str
    role: str
    digest: str
    size: int
    truncated: bool


class ArtefactList(Paged):
    """One page of the files a job left, logs first."""

    items: list[ArtefactOut]


class JobEstimate(Schema):
    """The most a job can use, by ledger unit: what is held for it."""

    holds: dict[str, int]


class WriteOffIn(Schema):
    """Why an unknown job is given up."""

    reason: str


def job_out(view: JobView) -> JobOut:
    """A view as REST shows it; the reason in English."""
    reason = str(view.reason) if view.reason else None
    values = {
        name: getattr(view, name) for name in JobOut.model_fields if name not in ("reason", "origin", "after")
    }
    origin = OriginOut(kind=view.origin.kind, id=view.origin.id, label=view.origin.label) if view.origin else None
    return JobOut(**values, reason=reason, origin=origin, after=list(view.request.after))


@router.post("/jobs", response={200: JobOut, 201: JobOut, **refusals(404, 409)}, summary="Submit a job")
def submit_job(request: HttpRequest, body: JobIn) -> Status[JobOut]:
    """201 when it is new, 200 when this id and content were submitted before. Owner, managers and members may.

    409 when the project has not enough left (nothing is held then), or the id was used with other content.
    """
    known = body.id in facade.job_views([body.id])
    view = facade.submit_job(
        actor=actor_of(request),
        id=body.id,
        project_id=body.project_id,
        name=body.name,
        request=body.as_request(),
        files={name: text.encode() for name, text in body.files.items()},
        cluster=body.cluster,
    )
    return Status(200 if known else 201, job_out(view))


@router.post("/jobs/estimate", response={200: JobEstimate, **refusals(404)}, summary="What a job would hold")
def estimate_job(request: HttpRequest, body: RequestBody) -> JobEstimate:
    """The most such a job can use, by ledger unit. Anybody signed in may; it changes nothing."""
    return JobEstimate(holds=dict(facade.estimate(body.as_request(), body.cluster)))


@router.get("/jobs", response={200: JobList, **refusals(403, 404)}, summary="A project's jobs")
def list_jobs(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> JobList:
    """Newest first. The project's people and the operator may."""
    return paged(JobList, facade.jobs(actor=actor_of(request), project_id=project_id, page=page), job_out)


@router.get("/jobs/{uuid:job_id}", response={200: JobOut, **refusals(404)}, summary="One job")
def get_job(request: HttpRequest, job_id: UUID) -> JobOut:
    """The project's people and the operator may; to anybody else it does not exist."""
    return job_out(facade.job(actor=actor_of(request), job_id=job_id))


@router.get("/jobs/{uuid:job_id}/log", response={200: LogOut, **refusals(404)}, summary="A piece of a job's log")
def read_job_log(
    request: HttpRequest,
    job_id: UUID,
    stream: Literal["stdout", "stderr"] = "stdout",
    offset: Whole = 0,
    limit: Annotated[int, Field(ge=1, le=READ_LIMIT)] = 65536,
) -> LogOut:
    """From byte ``offset``, live while the job runs. Who may see the job may."""
    chunk = facade.read_log(actor=actor_of(request), job_id=job_id, stream=stream, offset=offset, limit=limit)
    return LogOut.model_validate(chunk, from_attributes=True)


@router.get("/jobs/{uuid:job_id}/use", response={200: UseOut, **refusals(404)}, summary="How a job's use goes")
def get_job_use(request: HttpRequest, job_id: UUID) -> UseOut:
    """Live while it runs; afterwards with advice for the next one. Who may see the job may."""
    use = facade.job_use(actor=actor_of(request), job_id=job_id)
    return UseOut(
        measured=MeasuredOut.model_validate(use.measured, from_attributes=True) if use.measured else None,
        samples=[SampleOut(**one._asdict()) for one in use.samples],
        devices=DevicesOut(
            reader=use.devices.reader,
            measured=use.devices.measured,
            boundary=use.devices.boundary or None,
            unread=use.devices.unread or None,
        )
        if use.devices
        else None,
        advice=[render_text(each) for each in use.advice],
    )


@router.get(
    "/jobs/{uuid:job_id}/artefacts", response={200: ArtefactList, **refusals(404)}, summary="The files a job left"
)
def list_job_artefacts(request: HttpRequest, job_id: UUID, page: PageNumber = 1) -> ArtefactList:
    """Logs first. Who may see the job may."""
    found = facade.artefacts(actor=actor_of(request), job_id=job_id)
    return paged(
        ArtefactList,
        page_of_items(found, page),
        lambda each: ArtefactOut.model_validate(each, from_attributes=True),
    )


@router.get(
    "/jobs/{uuid:job_id}/artefacts/{role}/{name}",
    response={200: None, **refusals(404)},
    summary="One file a job left",
    openapi_extra={"responses": {200: {"content": {"application/octet-stream": BINARY}}}},
)
def get_job_artefact(request: HttpRequest, job_id: UUID, role: str, name: str) -> FileResponse:
    """The file's bytes. Who may see the job may."""
    return download(artefact(actor=actor_of(request), job_id=job_id, role=role, name=name))


@router.post("/jobs/{uuid:job_id}/cancel", response={200: JobOut, **refusals(404, 409)}, summary="Cancel a job")
def cancel_job(request: HttpRequest, job_id: UUID) -> JobOut:
    """Those who may submit jobs, and engineers, may; what it used is charged. Asking again changes nothing."""
    return job_out(facade.cancel_job(actor=actor_of(request), job_id=job_id))


@router.post(
    "/jobs/{uuid:job_id}/write-off",
    response={200: JobOut, **refusals(404, 409)},
    summary="Give up an unknown job",
)
def write_off_job(request: HttpRequest, job_id: UUID, body: WriteOffIn) -> JobOut:
    """Engineers may; the job fails, its hold is released, nothing is charged. 409 unless the job is UNKNOWN."""
    return job_out(facade.write_off_job(actor=actor_of(request), job_id=job_id, reason=body.reason))
