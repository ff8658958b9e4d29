"""Jobs over REST: submit, look, read the log, cancel, fetch what was left."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from django.http import FileResponse, HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.accounts.facade import actor_of

from . import facade
from .downloads import download
from .fleet_rest import router as fleet_router
from .queries import artefact
from .types import JobRequest, JobView

router = Router(tags=["jobs"])
router.add_router("", fleet_router)


class LimitsBody(Schema):
    """What a job may use at most."""

    cores: int = 1
    memory_mib: int = 512
    wall_seconds: int = 60
    processes: int = 32
    file_mib: int = 64
    work_mib: int = 2048


class RequestBody(Schema):
    """What a job should run: the command as words, limits, inputs by content digest, promised outputs."""

    argv: list[str]
    limits: LimitsBody = Field(default_factory=LimitsBody)
    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: list[str] = Field(default_factory=list)
    devices: dict[str, int] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    exclusive: bool = False

    def as_request(self) -> JobRequest:
        """The same in the room's words."""
        return JobRequest(
            argv=tuple(self.argv),
            limits=facade.Limits(**self.limits.model_dump()),
            inputs=self.inputs,
            outputs=tuple(self.outputs),
            devices=self.devices,
            env=self.env,
            exclusive=self.exclusive,
        )


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


class JobList(Schema):
    """One page of jobs, newest first."""

    items: list[JobOut]
    page: int
    last: int
    total: int


class LogOut(Schema):
    """A piece of a log; go on at ``next_offset`` until ``complete``."""

    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool
    truncated: bool


class ArtefactOut(Schema):
    """A file a job left."""

    name: str
    role: str
    digest: str
    size: int
    truncated: bool


class EstimateOut(Schema):
    """The most a job can use, by ledger unit: what is held for it."""

    holds: dict[str, int]


class WriteOffIn(Schema):
    """Why an unknown job is given up."""

    reason: str


def job_out(view: JobView) -> JobOut:
    """A view as REST shows it; the reason in English."""
    reason = str(view.reason) if view.reason else None
    values = {name: getattr(view, name) for name in JobOut.model_fields if name not in ("reason", "origin")}
    origin = OriginOut(kind=view.origin.kind, id=view.origin.id, label=view.origin.label) if view.origin else None
    return JobOut(**values, reason=reason, origin=origin)


@router.post("/jobs", response={200: JobOut, 201: JobOut})
def submit(request: HttpRequest, body: JobIn) -> Status[JobOut]:
    """Submit a job: 201 when it is new, 200 when this id and content were submitted before."""
    known = body.id in facade.job_views([body.id])
    view = facade.submit_job(
        actor=actor_of(request),
        id=body.id,
        project_id=body.project_id,
        name=body.name,
        request=body.as_request(),
        files={name: text.encode() for name, text in body.files.items()},
    )
    return Status(200 if known else 201, job_out(view))


@router.post("/jobs/estimate", response=EstimateOut)
def estimate(request: HttpRequest, body: RequestBody) -> EstimateOut:
    """What would be held for a job."""
    return EstimateOut(holds=dict(facade.estimate(body.as_request())))


@router.get("/jobs", response=JobList)
def jobs(request: HttpRequest, project_id: UUID, page: int = 1) -> JobList:
    """One page of a project's jobs, newest first."""
    found = facade.jobs(actor=actor_of(request), project_id=project_id, page=page)
    items = [job_out(view) for view in found.items]
    return JobList(items=items, page=found.number, last=found.last, total=found.total)


@router.get("/jobs/{uuid:job_id}", response=JobOut)
def job(request: HttpRequest, job_id: UUID) -> JobOut:
    """One job."""
    return job_out(facade.job(actor=actor_of(request), job_id=job_id))


@router.get("/jobs/{uuid:job_id}/log", response=LogOut)
def log(
    request: HttpRequest,
    job_id: UUID,
    stream: Literal["stdout", "stderr"] = "stdout",
    offset: int = 0,
    limit: int = 65536,
) -> LogOut:
    """A piece of the log, live while the job runs."""
    chunk = facade.read_log(actor=actor_of(request), job_id=job_id, stream=stream, offset=offset, limit=limit)
    return LogOut.model_validate(chunk, from_attributes=True)


@router.get("/jobs/{uuid:job_id}/artefacts", response=list[ArtefactOut])
def artefacts(request: HttpRequest, job_id: UUID) -> list[ArtefactOut]:
    """The files the job left."""
    found = facade.artefacts(actor=actor_of(request), job_id=job_id)
    return [ArtefactOut.model_validate(each, from_attributes=True) for each in found]


@router.get("/jobs/{uuid:job_id}/artefacts/{role}/{name}")
def artefact_file(request: HttpRequest, job_id: UUID, role: str, name: str) -> FileResponse:
    """One of them, as a file."""
    return download(artefact(actor=actor_of(request), job_id=job_id, role=role, name=name))


@router.post("/jobs/{uuid:job_id}/cancel", response=JobOut)
def cancel(request: HttpRequest, job_id: UUID) -> JobOut:
    """Cancel a job; asking again changes nothing."""
    return job_out(facade.cancel_job(actor=actor_of(request), job_id=job_id))


@router.post("/jobs/{uuid:job_id}/write-off", response=JobOut)
def write_off(request: HttpRequest, job_id: UUID, body: WriteOffIn) -> JobOut:
    """Give up an unknown job (engineers)."""
    return job_out(facade.write_off_job(actor=actor_of(request), job_id=job_id, reason=body.reason))
