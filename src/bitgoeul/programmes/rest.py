"""Calls, plans, applications and agreements over REST."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from bitgoeul.accounts.facade import actor_of
from bitgoeul.kernel.clock import now
from bitgoeul.web.facade import Page

from . import queries, services
from .agreements import Side
from .planning import plan as make_plan
from .questions import QUESTIONS, check_answers
from .types import AgreementView, ApplicationView, OpenCall, Reason, ResourceAmount
from .words import both

router = Router(tags=["programmes"])

Both = dict[str, str]
Scalar = str | int | bool


class QuestionOut(Schema):
    """One of the seven questions; ``options`` maps the value to send to its words."""

    code: str
    text: Both
    options: dict[str, Both]


class AmountOut(Schema):
    """An amount of a resource in ledger amounts of ``unit``."""

    resource: str
    unit: str
    amount: int


class ReasonOut(Schema):
    """What one rule said; ``passed`` is null when its fact is not known."""

    code: str
    passed: bool | None
    text: Both


class TierOut(Schema):
    """One tier of a call."""

    code: str
    title: Both
    decision: str
    duration_days: int
    fee_krw: int
    caps: list[AmountOut]
    fields: list[str] = Field(description="Codes of the application's own fields; see the call's data.")


class CallOut(Schema):
    """A call as it stands."""

    code: str
    version: int
    digest: str
    title: Both
    summary: Both
    opens_at: datetime
    closes_at: datetime
    is_open: bool
    working_days_left: int
    tiers: list[TierOut]


class CallList(Schema):
    """One page of calls."""

    items: list[CallOut]
    page: int
    last: int
    total: int


class PlanIn(Schema):
    """Answers to the seven questions, by code; unanswered ones may be left out."""

    answers: dict[str, Scalar]


class StepOut(Schema):
    """A dated step."""

    code: str
    day: date
    label: Both
    note: Both


class MissingOut(Schema):
    """Something that is missing and what to do."""

    code: str
    text: Both
    remedy: Both


class PlanOut(Schema):
    """What fits; ``call`` and ``tier`` are null when nothing does."""

    call: str | None
    tier: str | None
    reasons: list[ReasonOut]
    requested: list[AmountOut]
    fee_krw: int | None
    steps: list[StepOut]
    missing: list[MissingOut]


class ApplicationIn(Schema):
    """An application; ``id`` is made by the caller, and sending the same again changes nothing."""

    id: UUID
    call: str
    tier: str
    organisation_id: UUID
    title: str
    answers: dict[str, Scalar]
    fields: dict[str, Scalar] = {}
    requested: dict[str, int] = Field({}, description="Ledger amounts by resource; the tier's default otherwise.")
    submit: bool = True


class ApplicationOut(Schema):
    """An application."""

    id: UUID
    reference: str
    state: str
    call: str
    tier: str
    title: str
    organisation_id: UUID
    requested: list[AmountOut]
    selected: bool | None
    reasons: list[ReasonOut]
    agreement_id: UUID | None
    project_id: UUID | None
    submitted_at: datetime | None
    allocated_at: datetime | None


class ApplicationList(Schema):
    """One page of applications."""

    items: list[ApplicationOut]
    page: int
    last: int
    total: int


class SignatureOut(Schema):
    """One side's signature."""

    side: str
    name: str
    digest: str
    signed_at: datetime


class AgreementOut(Schema):
    """An agreement; ``digest`` is the SHA-256 of ``text`` in UTF-8."""

    id: UUID
    application_id: UUID
    text: str
    digest: str
    sign_by: date
    complete: bool
    signatures: list[SignatureOut]


class AgreementList(Schema):
    """One page of agreements."""

    items: list[AgreementOut]
    page: int
    last: int
    total: int


class SignIn(Schema):
    """A signature: for which side, under which digest."""

    side: Side
    digest: str


def _amounts(amounts: tuple[ResourceAmount, ...]) -> list[AmountOut]:
    return [AmountOut(resource=one.resource, unit=one.unit, amount=one.amount) for one in amounts]


def _reasons(reasons: tuple[Reason, ...]) -> list[ReasonOut]:
    return [ReasonOut(code=one.code, passed=one.passed, text=both(one.text)) for one in reasons]


def _call(call: OpenCall) -> CallOut:
    body = call.body
    fields = [field.code for field in body.fields]
    tiers = [
        TierOut(
            code=tier.code,
            title=both(tier.title),
            decision=tier.decision.value,
            duration_days=tier.duration_days,
            fee_krw=tier.fee_krw,
            caps=[AmountOut(resource=line.resource, unit=line.unit, amount=line.cap) for line in tier.resources],
            fields=fields,
        )
        for tier in body.tiers
    ]
    return CallOut(
        code=body.code,
        version=call.version,
        digest=call.digest,
        title=both(body.title),
        summary=both(body.summary),
        opens_at=body.opens_at,
        closes_at=body.closes_at,
        is_open=call.is_open,
        working_days_left=call.working_days_left,
        tiers=tiers,
    )


def _application(view: ApplicationView) -> ApplicationOut:
    return ApplicationOut(
        id=view.id,
        reference=view.reference,
        state=view.state.value,
        call=view.call.body.code,
        tier=view.tier.code,
        title=view.title,
        organisation_id=view.organisation_id,
        requested=_amounts(view.requested),
        selected=view.decision.selected if view.decision else None,
        reasons=_reasons(view.decision.reasons) if view.decision else [],
        agreement_id=view.agreement_id,
        project_id=view.project_id,
        submitted_at=view.submitted_at,
        allocated_at=view.allocated_at,
    )


def _agreement(view: AgreementView) -> AgreementOut:
    signatures = [
        SignatureOut(side=one.side, name=one.name, digest=one.digest, signed_at=one.signed_at)
        for one in view.signatures.values()
    ]
    return AgreementOut(
        id=view.id,
        application_id=view.application_id,
        text=view.text,
        digest=view.digest,
        sign_by=view.sign_by,
        complete=view.complete,
        signatures=signatures,
    )


@router.get("/questions", response=list[QuestionOut], auth=None, operation_id="questions")
def questions(request: HttpRequest) -> list[QuestionOut]:
    """The seven questions that lead to a plan."""
    return [
        QuestionOut(
            code=one.code,
            text=both(one.text),
            options={str(option.value): both(option.label) for option in one.options},
        )
        for one in QUESTIONS
    ]


@router.post("/plan", response=PlanOut, auth=None, operation_id="plan")
def plan(request: HttpRequest, body: PlanIn) -> PlanOut:
    """The dated plan for these answers and the calls open now."""
    moment = now()
    made = make_plan(check_answers(body.answers), queries.open_calls(moment), moment)
    return PlanOut(
        call=made.best.call.body.code if made.best else None,
        tier=made.best.tier.code if made.best else None,
        reasons=_reasons(made.best.reasons) if made.best else [],
        requested=_amounts(made.resources),
        fee_krw=made.fee.due_krw if made.fee else None,
        steps=[StepOut(code=s.code, day=s.day, label=both(s.label), note=both(s.note)) for s in made.steps],
        missing=[MissingOut(code=m.code, text=both(m.text), remedy=both(m.remedy)) for m in made.missing],
    )


@router.get("/calls", response=CallList, auth=None, operation_id="calls")
def calls(request: HttpRequest, page: int = 1, past: bool = False) -> CallList:
    """Open and coming calls, the first to close first; with ``past`` the closed ones."""
    found = queries.calls_page(now(), past=past, number=page)
    return CallList(
        items=[_call(one) for one in found.items], page=found.number, last=found.last, total=found.total
    )


@router.get("/calls/{code}", response=CallOut, auth=None, operation_id="call")
def call(request: HttpRequest, code: str) -> CallOut:
    """One call as it stands."""
    return _call(queries.call(code, now()))


@router.post("/applications", response=ApplicationOut, operation_id="apply")
def apply(request: HttpRequest, body: ApplicationIn) -> ApplicationOut:
    """Apply; with ``submit`` the rules decide before the answer comes."""
    view = services.apply(
        actor=actor_of(request),
        id=body.id,
        call_code=body.call,
        tier_code=body.tier,
        organisation_id=body.organisation_id,
        title=body.title,
        answers=body.answers,
        fields=body.fields,
        requested=body.requested,
        submit=body.submit,
    )
    return _application(view)


@router.get("/applications", response=ApplicationList, operation_id="applications")
def applications(request: HttpRequest, page: int = 1) -> ApplicationList:
    """The applications of my organisations, newest first."""
    found = queries.applications(actor=actor_of(request), number=page)
    return ApplicationList(
        items=[_application(one) for one in found.items], page=found.number, last=found.last, total=found.total
    )


@router.get("/applications/{uuid:id}", response=ApplicationOut, operation_id="application")
def application(request: HttpRequest, id: UUID) -> ApplicationOut:
    """One application with its decision."""
    return _application(queries.application(actor=actor_of(request), application_id=id))


@router.post("/applications/{uuid:id}/withdraw", response=ApplicationOut, operation_id="withdraw_application")
def withdraw(request: HttpRequest, id: UUID) -> ApplicationOut:
    """Take an application back, before its agreement is complete."""
    return _application(services.withdraw(actor=actor_of(request), application_id=id))


@router.get("/agreements", response=AgreementList, operation_id="agreements")
def agreements(request: HttpRequest, page: int = 1, waiting: bool = False) -> AgreementList:
    """What my organisations have not signed; with ``waiting`` (staff) what the operator has not signed."""
    find = queries.waiting if waiting else queries.to_sign
    found: Page[tuple[AgreementView, ApplicationView]] = find(actor=actor_of(request), number=page)
    return AgreementList(
        items=[_agreement(one) for one, _ in found.items], page=found.number, last=found.last, total=found.total
    )


@router.get("/agreements/{uuid:id}", response=AgreementOut, operation_id="agreement")
def agreement(request: HttpRequest, id: UUID) -> AgreementOut:
    """One agreement with its text and signatures."""
    return _agreement(queries.agreement(actor=actor_of(request), agreement_id=id))


@router.post("/agreements/{uuid:id}/sign", response=AgreementOut, operation_id="sign_agreement")
def sign(request: HttpRequest, id: UUID, body: SignIn) -> AgreementOut:
    """Sign for one side the text with this digest; the second side's signature allocates."""
    shown = {"language": "", "statement": "rest"}
    view = services.sign(actor=actor_of(request), agreement_id=id, side=body.side, digest=body.digest, shown=shown)
    return _agreement(view)
