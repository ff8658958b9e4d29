"""Protocols and trials over REST; subjects and evidence stand in their own parts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import Field, Router, Schema, Status

from bitgoeul.accounts.facade import actor_of
from bitgoeul.content import facade as content
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import (
    WHOLE_MAX,
    Paged,
    PageNumber,
    no_store,
    page_of_items,
    paged,
    refusals,
    render_text,
)

from . import evidence_rest, published_rest, queries, services, subjects_rest
from .errors import UnknownProtocol
from .evidence_rest import AudienceOf
from .ports import Outcome, Reason
from .statement import RECORD_BYTES_MAX
from .states import TrialState
from .types import JudgementView, ProtocolView, TrialView, Visibility

router = Router(tags=["trials"])
router.add_router("", subjects_rest.router)
router.add_router("", evidence_rest.router)
router.add_router("", published_rest.router)
TAR = {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}
JSON: dict[str, Any] = {"application/json": {"schema": {}}}


class ProtocolOut(Schema):
    """A protocol version with its data; ``definition.parameters`` is the schema of a trial's parameters."""

    digest: str
    code: str
    version: str
    title: str
    definition: dict[str, Any]


class ProtocolList(Paged):
    """One page of protocols."""

    items: list[ProtocolOut]


class TrialIn(AudienceOf):
    """A trial to ask for; without ``protocol_digest`` it runs under the newest version of ``protocol``."""

    id: UUID | None = Field(None, description="Made by the caller, it makes a repetition harmless.")
    subject_version_id: UUID
    protocol: str = "inference"
    protocol_digest: str = ""
    parameters: dict[str, Annotated[int, Field(ge=-WHOLE_MAX, le=WHOLE_MAX)]] = Field(default_factory=dict)
    visibility: Visibility = Visibility.PRIVATE


class CheckOut(Schema):
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
    state: TrialState
    outcome: Outcome | None
    visibility: Visibility
    embargo_until: datetime | None
    job_id: UUID
    record_digest: str
    logs_digest: str
    evidence_digest: str
    requested_at: datetime
    reasons: list[CheckOut] = Field(default_factory=list)


class TrialList(Paged):
    """One page of trials, newest first."""

    items: list[TrialOut]


class JudgementIn(Schema):
    """A judgement to make; the same ``id`` again changes nothing, without one each request judges again."""

    id: UUID | None = None


class JudgementOut(Schema):
    """One act of judging: its outcome, how many attempts counted, who judged."""

    number: int
    outcome: Outcome
    attempts: int
    judged_at: datetime
    judged_by: str
    reasons: list[CheckOut]


class JudgementList(Paged):
    """One page of judgements, the first one first."""

    items: list[JudgementOut]


class TrialEstimate(Schema):
    """What a trial would hold, by ledger unit."""

    expected_seconds: int
    wall_seconds: int
    amounts: dict[str, int]


def _check(reason: Reason) -> CheckOut:
    return CheckOut(
        check=reason.check,
        passed=reason.passed,
        text=render_text(reason.text),
        value=reason.value,
        limit=reason.limit,
    )


def _trial(view: TrialView) -> TrialOut:
    names = [name for name in TrialOut.model_fields if name != "reasons"]
    return TrialOut(**{name: getattr(view, name) for name in names}, reasons=[_check(one) for one in view.reasons])


def _judgement(view: JudgementView) -> JudgementOut:
    return JudgementOut(
        number=view.number,
        outcome=view.verdict.outcome,
        attempts=view.attempts,
        judged_at=view.judged_at,
        judged_by=view.judged_by,
        reasons=[_check(one) for one in view.verdict.reasons],
    )


def _protocol(view: ProtocolView) -> ProtocolOut:
    return ProtocolOut(
        digest=view.digest,
        code=view.code,
        version=view.version,
        title=render_text(view.title),
        definition=dict(view.definition),
    )


@router.get("/protocols", response=ProtocolList, summary="The protocols one can ask for")
def list_protocols(request: HttpRequest, page: PageNumber = 1) -> ProtocolList:
    """The newest version of each. Anybody signed in may."""
    return paged(ProtocolList, page_of_items(queries.protocols(), page), _protocol)


@router.get("/trials", response={200: TrialList, **refusals(403, 404)}, summary="A project's trials")
def list_trials(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> TrialList:
    """Newest first, without their reasons. The project's people and the operator may."""
    return paged(TrialList, queries.trials(actor=actor_of(request), project_id=project_id, page=page), _trial)


@router.get(
    "/subjects/{uuid:subject_id}/trials", response={200: TrialList, **refusals(404)}, summary="A subject's trials"
)
def list_subject_trials(request: HttpRequest, subject_id: UUID, page: PageNumber = 1) -> TrialList:
    """Of all its versions, newest first, without their reasons. Who may see the subject may."""
    found = queries.trials_of_subject(actor=actor_of(request), subject_id=subject_id, page=page)
    return paged(TrialList, found, _trial)


@router.post("/trials", response={201: TrialOut, **refusals(404, 409)}, summary="Ask for a trial")
def request_trial(request: HttpRequest, body: TrialIn) -> Status[TrialOut]:
    """Holds the estimate and queues the measurement; the same ``id`` again gives the same trial.

    Owner, managers and members may. 409 when the project has not enough left or too many trials unfinished.
    """
    made = services.request_trial(
        actor=actor_of(request),
        id=body.id or new_id(),
        subject_version_id=body.subject_version_id,
        protocol_digest=_digest(body),
        parameters=body.parameters,
        audience=body.audience(),
    )
    return Status(201, _trial(made))


@router.post("/trials/estimate", response={200: TrialEstimate, **refusals(404)}, summary="What a trial would hold")
def estimate_trial(request: HttpRequest, body: TrialIn) -> TrialEstimate:
    """Who may ask for the trial may; it changes nothing."""
    found = services.estimate(
        actor=actor_of(request),
        subject_version_id=body.subject_version_id,
        protocol_digest=_digest(body),
        parameters=body.parameters,
    )
    return TrialEstimate(
        expected_seconds=found.expected_seconds, wall_seconds=found.wall_seconds, amounts=dict(found.amounts)
    )


def _digest(body: TrialIn) -> str:
    if body.protocol_digest:
        return body.protocol_digest
    found = next((view.digest for view in queries.protocols() if view.code == body.protocol), None)
    if found is None:
        raise UnknownProtocol(field="protocol")
    return found


@router.get(
    "/trials/{uuid:trial_id}", response={200: TrialOut, **refusals(404)}, summary="One trial with its verdict"
)
def get_trial(request: HttpRequest, trial_id: UUID) -> TrialOut:
    """The reasons are those of the newest judgement. The project's people and the operator may."""
    return _trial(queries.trial(actor=actor_of(request), trial_id=trial_id))


@router.get(
    "/trials/{uuid:trial_id}/attempts", response={200: TrialList, **refusals(404)}, summary="A trial's attempts"
)
def list_attempts(request: HttpRequest, trial_id: UUID, page: PageNumber = 1) -> TrialList:
    """Every trial of the same file under the same protocol, the newest 50. Who may see the trial may."""
    view = queries.trial(actor=actor_of(request), trial_id=trial_id)
    return paged(TrialList, page_of_items(queries.attempts_of(view), page), _trial)


@router.get(
    "/trials/{uuid:trial_id}/judgements",
    response={200: JudgementList, **refusals(404)},
    summary="A trial's judgements",
)
def list_judgements(request: HttpRequest, trial_id: UUID, page: PageNumber = 1) -> JudgementList:
    """Every time its record was judged. Who may see the trial may."""
    view = queries.trial(actor=actor_of(request), trial_id=trial_id)
    return paged(JudgementList, page_of_items(view.judgements, page), _judgement)


@router.post(
    "/trials/{uuid:trial_id}/judgements",
    response={200: TrialOut, **refusals(404, 409)},
    summary="Judge the record again",
)
def judge_trial_again(request: HttpRequest, trial_id: UUID, body: JudgementIn | None = None) -> TrialOut:
    """Staff and engineers may; the new judgement stands beside the earlier ones. 409 while there is no record."""
    id = (body.id if body else None) or new_id()
    return _trial(services.judge_again(actor=actor_of(request), trial_id=trial_id, id=id))


@router.get(
    "/trials/{uuid:trial_id}/record",
    response={200: None, **refusals(404)},
    summary="The record as it was measured",
    openapi_extra={"responses": {200: {"content": JSON}}},
)
def get_record(request: HttpRequest, trial_id: UUID) -> HttpResponse:
    """The canonical JSON, byte for byte. Who may see the trial may; 404 also while there is none."""
    view = queries.trial(actor=actor_of(request), trial_id=trial_id)
    if not view.record_digest:
        raise NotFound
    data = content.read(view.record_digest, max_bytes=RECORD_BYTES_MAX)
    return no_store(HttpResponse(data, content_type="application/json"))


@router.get(
    "/trials/{uuid:trial_id}/logs",
    response={200: None, **refusals(404)},
    summary="The measuring program's own files",
    openapi_extra={"responses": {200: {"content": TAR}}},
)
def get_trial_logs(request: HttpRequest, trial_id: UUID) -> FileResponse:
    """A tar file. Who may see the trial may; 404 also while there is none."""
    view = queries.trial(actor=actor_of(request), trial_id=trial_id)
    if not view.logs_digest:
        raise NotFound
    stream = content.open_blob(view.logs_digest)
    name = f"logs-{view.id}.tar"
    return no_store(FileResponse(stream, as_attachment=True, filename=name, content_type="application/x-tar"))


@router.post(
    "/trials/{uuid:trial_id}/stop", response={200: TrialOut, **refusals(404, 409)}, summary="Stop a trial"
)
def stop_trial(request: HttpRequest, trial_id: UUID) -> TrialOut:
    """Becomes STOPPED when its job has ended; what it used until then is charged.

    Owner, managers, members and engineers may. 409 when it has ended already.
    """
    return _trial(services.stop_trial(actor=actor_of(request), trial_id=trial_id))
