"""Subjects, protocols and trials over REST; evidence stands in its own part."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, File, Form, Router, Schema, Status
from ninja.files import UploadedFile

from bitgoeul.accounts.facade import actor_of
from bitgoeul.content import facade as content
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import Page, render_text

from . import queries, services
from .errors import UnknownProtocol
from .evidence_rest import router as evidence_router
from .evidence_types import Audience, Visibility
from .statement import RECORD_BYTES_MAX
from .types import ProtocolView, SubjectVersionView, SubjectView, TrialView

router = Router(tags=["trials"])
router.add_router("", evidence_router)


class SubjectIn(Schema):
    """A subject to bring in; ``id`` makes a repetition harmless."""

    id: UUID | None = None
    name: str = Field(max_length=200)
    kind: str = "onnx"


class SubjectOut(Schema):
    """A subject."""

    id: UUID
    project_id: UUID
    name: str
    kind: str
    created_at: datetime


class VersionOut(Schema):
    """An immutable version of a subject; ``digest`` is its file's SHA-256."""

    id: UUID
    subject_id: UUID
    project_id: UUID
    subject_name: str
    number: int
    digest: str
    size: int
    filename: str
    note: str
    created_at: datetime


class ProtocolOut(Schema):
    """A protocol version with its data."""

    digest: str
    code: str
    version: str
    title: str
    definition: dict[str, Any]


class TrialIn(Schema):
    """A trial to ask for; without ``protocol_digest`` it runs under the newest version of ``protocol``."""

    id: UUID | None = None
    subject_version_id: UUID
    protocol: str = "inference"
    protocol_digest: str = ""
    parameters: dict[str, int] = {}
    visibility: Visibility = Visibility.PRIVATE
    organisations: list[UUID] = []
    embargo_until: datetime | None = None


class ReasonOut(Schema):
    """One check of a verdict; ``text`` is in the reader's language."""

    check: str
    passed: bool | None
    text: str
    value: str | None
    limit: str | None


class TrialOut(Schema):
    """A trial; ``reasons`` only where one trial is asked for."""

    id: UUID
    project_id: UUID
    subject_id: UUID
    subject_name: str
    subject_version_id: UUID
    version_number: int
    subject_digest: str
    protocol_code: str
    protocol_version: str
    protocol_digest: str
    parameters: dict[str, int]
    attempt: int
    state: str
    outcome: str | None
    visibility: Visibility
    embargo_until: datetime | None
    job_id: UUID
    record_digest: str
    evidence_digest: str
    requested_at: datetime
    reasons: list[ReasonOut] = []


class SubjectPage(Schema):
    """A page of subjects."""

    items: list[SubjectOut]
    page: int
    last: int
    total: int


class TrialPage(Schema):
    """A page of trials."""

    items: list[TrialOut]
    page: int
    last: int
    total: int


class EstimateOut(Schema):
    """What a trial would hold, by ledger unit."""

    expected_seconds: int
    wall_seconds: int
    amounts: dict[str, int]


def _trial_out(view: TrialView) -> TrialOut:
    reasons = [
        ReasonOut(check=r.check, passed=r.passed, text=render_text(r.text), value=r.value, limit=r.limit)
        for r in view.reasons
    ]
    names = [name for name in TrialOut.model_fields if name not in ("reasons", "state", "outcome")]
    return TrialOut(
        **{name: getattr(view, name) for name in names},
        state=str(view.state),
        outcome=str(view.outcome) if view.outcome else None,
        reasons=reasons,
    )


def _version_out(view: SubjectVersionView) -> VersionOut:
    return VersionOut.model_validate(view, from_attributes=True)


def _subject_out(view: SubjectView) -> SubjectOut:
    return SubjectOut.model_validate(view, from_attributes=True)


def _protocol_out(view: ProtocolView) -> ProtocolOut:
    return ProtocolOut(
        digest=view.digest, code=view.code, version=view.version,
        title=render_text(view.title), definition=dict(view.definition),
    )  # fmt: skip


def _trial_page(found: Page[TrialView]) -> TrialPage:
    items = [_trial_out(view) for view in found.items]
    return TrialPage(items=items, page=found.number, last=found.last, total=found.total)


@router.get("/projects/{uuid:project_id}/subjects", response=SubjectPage, summary="A project's subjects")
def list_subjects(request: HttpRequest, project_id: UUID, page: int = 1) -> SubjectPage:
    """Newest first."""
    found = queries.subjects(actor=actor_of(request), project_id=project_id, page=page)
    items = [_subject_out(view) for view in found.items]
    return SubjectPage(items=items, page=found.number, last=found.last, total=found.total)


@router.post("/projects/{uuid:project_id}/subjects", response={201: SubjectOut}, summary="Bring in a subject")
def post_subject(request: HttpRequest, project_id: UUID, body: SubjectIn) -> Status[SubjectOut]:
    """The same ``id`` with the same content again changes nothing."""
    made = services.create_subject(
        actor=actor_of(request), id=body.id or new_id(), project_id=project_id, name=body.name, kind=body.kind
    )
    return Status(201, _subject_out(made))


@router.get("/subjects/{uuid:subject_id}", response=SubjectOut, summary="One subject")
def get_subject(request: HttpRequest, subject_id: UUID) -> SubjectOut:
    """Not there and not visible answer alike."""
    return _subject_out(queries.subject(actor=actor_of(request), subject_id=subject_id))


@router.get("/subjects/{uuid:subject_id}/versions", response=list[VersionOut], summary="A subject's versions")
def list_versions(request: HttpRequest, subject_id: UUID) -> list[VersionOut]:
    """Newest first; at most 200."""
    return [_version_out(view) for view in queries.versions(actor=actor_of(request), subject_id=subject_id)]


@router.post("/subjects/{uuid:subject_id}/versions", response={201: VersionOut}, summary="Add a version")
def post_version(
    request: HttpRequest,
    subject_id: UUID,
    file: File[UploadedFile],
    note: Form[str] = "",
    id: Form[UUID | None] = None,
) -> Status[VersionOut]:
    """Multipart upload of at most 64 MiB; the file is stored, and parsed only inside a trial."""
    made = services.add_version(
        actor=actor_of(request), id=id or new_id(), subject_id=subject_id,
        filename=file.name or "model", data=read_upload(file), note=note,
    )  # fmt: skip
    return Status(201, _version_out(made))


@router.get("/protocols", response=list[ProtocolOut], summary="The protocols one can ask for")
def list_protocols(request: HttpRequest) -> list[ProtocolOut]:
    """The newest version of each."""
    return [_protocol_out(view) for view in queries.protocols()]


@router.get("/trials", response=TrialPage, summary="A project's trials")
def list_trials(request: HttpRequest, project_id: UUID, page: int = 1) -> TrialPage:
    """Newest first, without their reasons."""
    return _trial_page(queries.trials(actor=actor_of(request), project_id=project_id, page=page))


@router.post("/trials", response={201: TrialOut}, summary="Ask for a trial")
def post_trial(request: HttpRequest, body: TrialIn) -> Status[TrialOut]:
    """Holds the estimate and queues the measurement; the same ``id`` again gives the same trial."""
    made = services.request_trial(
        actor=actor_of(request),
        id=body.id or new_id(),
        subject_version_id=body.subject_version_id,
        protocol_digest=_digest(body),
        parameters=body.parameters,
        audience=Audience(body.visibility, tuple(body.organisations), body.embargo_until),
    )
    return Status(201, _trial_out(made))


@router.post("/trials/estimate", response=EstimateOut, summary="What a trial would hold")
def post_estimate(request: HttpRequest, body: TrialIn) -> EstimateOut:
    """Changes nothing."""
    found = services.estimate(
        actor=actor_of(request), subject_version_id=body.subject_version_id,
        protocol_digest=_digest(body), parameters=body.parameters,
    )  # fmt: skip
    return EstimateOut(
        expected_seconds=found.expected_seconds, wall_seconds=found.wall_seconds, amounts=dict(found.amounts)
    )


def _digest(body: TrialIn) -> str:
    if body.protocol_digest:
        return body.protocol_digest
    found = next((view.digest for view in queries.protocols() if view.code == body.protocol), None)
    if found is None:
        raise UnknownProtocol(field="protocol")
    return found


@router.get("/trials/{uuid:trial_id}", response=TrialOut, summary="One trial with its verdict")
def get_trial(request: HttpRequest, trial_id: UUID) -> TrialOut:
    """The reasons are those of the newest judgement."""
    return _trial_out(queries.trial(actor=actor_of(request), trial_id=trial_id))


@router.get("/trials/{uuid:trial_id}/record", response={200: None}, summary="The record as it was measured")
def get_record(request: HttpRequest, trial_id: UUID) -> HttpResponse:
    """The canonical JSON, byte for byte."""
    view = queries.trial(actor=actor_of(request), trial_id=trial_id)
    if not view.record_digest:
        raise NotFound
    data = content.read(view.record_digest, max_bytes=RECORD_BYTES_MAX)
    return HttpResponse(data, content_type="application/json")


@router.post("/trials/{uuid:trial_id}/stop", response=TrialOut, summary="Stop a trial")
def post_stop(request: HttpRequest, trial_id: UUID) -> TrialOut:
    """The trial becomes STOPPED when its job has ended; what it used until then is charged."""
    return _trial_out(services.stop_trial(actor=actor_of(request), trial_id=trial_id))


@router.post("/trials/{uuid:trial_id}/judgements", response=TrialOut, summary="Judge the record again")
def post_judgement(request: HttpRequest, trial_id: UUID) -> TrialOut:
    """A new judgement stands beside the earlier ones."""
    return _trial_out(services.judge_again(actor=actor_of(request), trial_id=trial_id, id=new_id()))


def read_upload(file: UploadedFile) -> bytes:
    """The uploaded bytes; refused before they are read when there are too many."""
    services.check_size(file.size or 0)
    return bytes(file.read())
