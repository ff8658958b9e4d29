"""Subjects, their versions and their stage over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import FileResponse, HttpRequest
from ninja import Field, File, Form, Router, Schema, Status
from ninja.files import UploadedFile

from bitgoeul.accounts.facade import actor_of
from bitgoeul.content import facade as content
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import Paged, PageNumber, no_store, page_of_items, paged, refusals, render_text

from . import board, queries, services
from .types import BoardCard, BoardColumn, StageStanding, SubjectKind, SubjectVersionView, SubjectView

router = Router(tags=["subjects"])
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class SubjectIn(Schema):
    """A subject to bring in; ``id``, made by the caller, makes a repetition harmless."""

    id: UUID | None = None
    name: Annotated[str, Field(max_length=200)]
    kind: SubjectKind = SubjectKind.ONNX


class SubjectOut(Schema):
    """A subject."""

    id: UUID
    project_id: UUID
    name: str
    kind: SubjectKind
    created_at: datetime


class SubjectList(Paged):
    """One page of subjects."""

    items: list[SubjectOut]


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


class VersionList(Paged):
    """One page of versions, newest first."""

    items: list[VersionOut]


class RequirementOut(Schema):
    """One thing a stage asks for, and whether it is there."""

    code: str
    text: str
    met: bool


class StandingOut(Schema):
    """The stage that a subject's evidence carries, and what the next one asks for."""

    stage: str
    label: str
    next_stage: str | None
    next_label: str | None
    requirements: list[RequirementOut]


class CardOut(Schema):
    """A subject on the public board, by its newest public evidence."""

    subject_name: str
    evidence_digest: str
    protocol: str
    issued_at: datetime
    standing: StandingOut


class ColumnOut(Schema):
    """One stage of the board with its subjects, newest evidence first; ``total`` counts them."""

    stage: str
    label: str
    total: int
    cards: list[CardOut]


class BoardOut(Schema):
    """The stages in their order."""

    columns: list[ColumnOut]


def _subject(view: SubjectView) -> SubjectOut:
    return SubjectOut.model_validate(view, from_attributes=True)


def _version(view: SubjectVersionView) -> VersionOut:
    return VersionOut.model_validate(view, from_attributes=True)


def _standing(view: StageStanding) -> StandingOut:
    return StandingOut(
        stage=view.stage,
        label=render_text(view.label),
        next_stage=view.next_stage,
        next_label=render_text(view.next_label) if view.next_label else None,
        requirements=[
            RequirementOut(code=one.code, text=render_text(one.text), met=one.met) for one in view.requirements
        ],
    )


def _card(view: BoardCard) -> CardOut:
    return CardOut(
        subject_name=view.subject_name,
        evidence_digest=view.evidence_digest,
        protocol=render_text(view.protocol_title),
        issued_at=view.issued_at,
        standing=_standing(view.standing),
    )


def _column(view: BoardColumn) -> ColumnOut:
    cards = [_card(card) for card in view.cards]
    return ColumnOut(stage=view.stage, label=render_text(view.label), total=view.total, cards=cards)


@router.get(
    "/projects/{uuid:project_id}/subjects",
    response={200: SubjectList, **refusals(403, 404)},
    summary="A project's subjects",
)
def list_subjects(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> SubjectList:
    """Newest first. The project's people and the operator may."""
    found = queries.subjects(actor=actor_of(request), project_id=project_id, page=page)
    return paged(SubjectList, found, _subject)


@router.post(
    "/projects/{uuid:project_id}/subjects",
    response={201: SubjectOut, **refusals(404, 409)},
    summary="Bring in a subject",
)
def create_subject(request: HttpRequest, project_id: UUID, body: SubjectIn) -> Status[SubjectOut]:
    """Owner, managers and members may. The same ``id`` with the same content again changes nothing.

    409 when the project has a subject of this name, or the ``id`` was used with other content.
    """
    made = services.create_subject(
        actor=actor_of(request),
        id=body.id or new_id(),
        project_id=project_id,
        name=body.name,
        kind=str(body.kind),
    )
    return Status(201, _subject(made))


@router.get("/subjects/{uuid:subject_id}", response={200: SubjectOut, **refusals(404)}, summary="One subject")
def get_subject(request: HttpRequest, subject_id: UUID) -> SubjectOut:
    """The project's people and the operator may; to anybody else it does not exist."""
    return _subject(queries.subject(actor=actor_of(request), subject_id=subject_id))


@router.get(
    "/subjects/{uuid:subject_id}/standing",
    response={200: StandingOut, **refusals(404)},
    summary="Where a subject stands",
)
def get_subject_standing(request: HttpRequest, subject_id: UUID) -> StandingOut:
    """By all its valid evidence, public or not. Who may see the subject may."""
    return _standing(board.subject_standing(actor=actor_of(request), subject_id=subject_id))


@router.get(
    "/subjects/{uuid:subject_id}/versions",
    response={200: VersionList, **refusals(404)},
    summary="A subject's versions",
)
def list_versions(request: HttpRequest, subject_id: UUID, page: PageNumber = 1) -> VersionList:
    """Newest first; a subject has at most 200. Who may see the subject may."""
    found = queries.versions(actor=actor_of(request), subject_id=subject_id)
    return paged(VersionList, page_of_items(found, page), _version)


@router.post(
    "/subjects/{uuid:subject_id}/versions",
    response={201: VersionOut, **refusals(404, 409)},
    summary="Hand in a version",
)
def add_version(
    request: HttpRequest,
    subject_id: UUID,
    file: File[UploadedFile],
    note: Form[str] = "",
    id: Form[UUID | None] = None,
) -> Status[VersionOut]:
    """Multipart upload of at most 64 MiB; stored, and parsed only inside a trial. Who may bring subjects in may.

    The same ``id`` with the same file again changes nothing; 409 when the file already is a version.
    """
    made = services.add_version(
        actor=actor_of(request),
        id=id or new_id(),
        subject_id=subject_id,
        filename=file.name or "model",
        data=read_upload(file),
        note=note,
    )
    return Status(201, _version(made))


@router.get(
    "/versions/{uuid:version_id}/file",
    response={200: None, **refusals(403, 404)},
    summary="A version's file",
    openapi_extra={"responses": {200: {"content": BINARY}}},
)
def get_version_file(request: HttpRequest, version_id: UUID) -> FileResponse:
    """The bytes as they were handed in. Owner, managers and members may, the operator may not."""
    view = queries.version_to_read(actor=actor_of(request), version_id=version_id)
    answer = FileResponse(
        content.open_blob(view.digest),
        as_attachment=True,
        filename=view.filename,
        content_type="application/octet-stream",
    )
    answer["X-Content-Type-Options"] = "nosniff"
    return no_store(answer)


@router.get("/board", response=BoardOut, auth=None, summary="The public stage board")
def get_board(request: HttpRequest) -> BoardOut:
    """The stages with the subjects whose newest public evidence carries them. Open to everybody."""
    return BoardOut(columns=[_column(one) for one in board.stage_board()])


def read_upload(file: UploadedFile) -> bytes:
    """The uploaded bytes; refused before they are read when there are too many."""
    services.check_size(file.size or 0)
    return bytes(file.read())
