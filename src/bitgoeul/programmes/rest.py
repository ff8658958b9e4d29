"""Calls, plans, applications and agreements over REST."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from bitgoeul.accounts.facade import actor_of
from bitgoeul.kernel.clock import now
from bitgoeul.web.facade import WHOLE_MAX, Page, Paged, PageNumber, page_of_items, paged, refusals

from . import queries, services
from .agreements import Side
from .planning import plan as make_plan
from .questions import QUESTIONS, check_answers
from .types import AgreementView, ApplicationView, CallField, OpenCall, Reason, ResourceAmount, Tier
from .words import both

router = Router(tags=["programmes"])

Both = dict[str, str]
Scalar = Annotated[str, Field(max_length=4000)] | Annotated[int, Field(ge=-WHOLE_MAX, le=WHOLE_MAX)] | bool
Amount = Annotated[int, Field(ge=0, le=WHOLE_MAX)]


class QuestionOut(Schema):
    """One of the seven questions; ``options`` maps the value to send to its words."""

    code: str
    text: Both
    options: dict[str, Both]


class QuestionList(Paged):
    """The questions, in their order."""

    items: list[QuestionOut]


class AmountOut(Schema):
    """An amount of a resource in ledger amounts of ``unit``."""

    resource: str
    unit: str
    amount: int


class RuleOut(Schema):
    """What one rule said; ``passed`` is null when its fact is not known."""

    code: str
    passed: bool | None
    text: Both


class FieldOut(Schema):
    """A field of a call's own form; ``kind`` is line, text, choice or yes_no, ``choices`` maps values to words."""

    code: str
    label: Both
    hint: Both | None
    kind: str
    required: bool
    length_max: int
    choices: dict[str, Both]


class TierOut(Schema):
    """One tier of a call."""

    code: str
    title: Both
    decision: str
    duration_days: int
    fee_krw: int
    caps: list[AmountOut]
    summary: Both


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
    fields: list[FieldOut]


class CallList(Paged):
    """One page of calls."""

    items: list[CallOut]


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
    reasons: list[RuleOut]
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
    title: Annotated[str, Field(max_length=400)]
    answers: dict[str, Scalar]
    fields: dict[str, Scalar] = {}
    requested: dict[str, Amount] = Field(
        {}, description="Ledger amounts by resource; the tier's default otherwise."
    )
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
    organisation_name: str
    answers: dict[str, Scalar]
    fields: dict[str, Scalar]
    requested: list[AmountOut]
    selected: bool | None
    reasons: list[RuleOut]
    agreement_id: UUID | None
    project_id: UUID | None
    submitted_at: datetime | None
    allocated_at: datetime | None


class ApplicationList(Paged):
    """One page of applications."""

    items: list[ApplicationOut]


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


class AgreementList(Paged):
    """One page of agreements."""

    items: list[AgreementOut]


class WithdrawalIn(Schema):
    """Why an application is taken back; may be left empty."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class DecisionIn(Schema):
    """A decision by a person, and why; the applicant reads it."""

    selected: bool
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class SignIn(Schema):
    """A signature: for which side, under which digest."""

    side: Side
    digest: str


def _amounts(amounts: tuple[ResourceAmount, ...]) -> list[AmountOut]:
    return [AmountOut(resource=one.resource, unit=one.unit, amount=one.amount) for one in amounts]


def _reasons(reasons: tuple[Reason, ...]) -> list[RuleOut]:
    return [RuleOut(code=one.code, passed=one.passed, text=both(one.text)) for one in reasons]


def _tier(tier: Tier) -> TierOut:
    return TierOut(
        code=tier.code,
        title=both(tier.title),
        summary=both(tier.summary),
        decision=tier.decision.value,
        duration_days=tier.duration_days,
        fee_krw=tier.fee_krw,
        caps=[AmountOut(resource=line.resource, unit=line.unit, amount=line.cap) for line in tier.resources],
    )


def _field(field: CallField) -> FieldOut:
    return FieldOut(
        code=field.code,
        label=both(field.label),
        hint=both(field.hint) if field.hint else None,
        kind=field.kind,
        required=field.required,
        length_max=field.length_max,
        choices={choice.value: both(choice.label) for choice in field.choices},
    )


def _call(call: OpenCall) -> CallOut:
    body = call.body
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
        tiers=[_tier(tier) for tier in body.tiers],
        fields=[_field(field) for field in body.fields],
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
        organisation_name=view.organisation_name,
        answers=dict(view.answers),
        fields=dict(view.fields),
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


@router.get("/questions", response=QuestionList, auth=None, summary="The questions that lead to a plan")
def list_questions(request: HttpRequest, page: PageNumber = 1) -> QuestionList:
    """In their order; ``options`` has the values to send. Open to everybody."""
    return paged(
        QuestionList,
        page_of_items(QUESTIONS, page),
        lambda one: QuestionOut(
            code=one.code,
            text=both(one.text),
            options={str(option.value): both(option.label) for option in one.options},
        ),
    )


@router.post("/plan", response=PlanOut, auth=None, summary="The plan for these answers")
def make_dated_plan(request: HttpRequest, body: PlanIn) -> PlanOut:
    """Which of the calls open now fits, and what follows when. Open to everybody; it changes nothing."""
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


@router.get("/calls", response=CallList, auth=None, summary="The calls")
def list_calls(request: HttpRequest, page: PageNumber = 1, past: bool = False) -> CallList:
    """Open and coming calls, the first to close first; with ``past`` the closed ones. Open to everybody."""
    return paged(CallList, queries.calls_page(now(), past=past, number=page), _call)


@router.get("/calls/{code}", response={200: CallOut, **refusals(404)}, auth=None, summary="One call")
def get_call(request: HttpRequest, code: str) -> CallOut:
    """The call as it stands, with the fields of its form. Open to everybody."""
    return _call(queries.call(code, now()))


@router.post("/applications", response={200: ApplicationOut, **refusals(404, 409)}, summary="Apply")
def apply(request: HttpRequest, body: ApplicationIn) -> ApplicationOut:
    """For an organisation one belongs to. Without ``submit`` it is a draft, which the same ``id`` overwrites;
    with it the rules decide before the answer comes. The same again changes nothing, other content is a 409."""
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


@router.get("/applications", response=ApplicationList, summary="My applications")
def list_applications(request: HttpRequest, page: PageNumber = 1) -> ApplicationList:
    """Those of my organisations, newest first."""
    return paged(ApplicationList, queries.applications(actor=actor_of(request), number=page), _application)


@router.get(
    "/applications/{uuid:application_id}",
    response={200: ApplicationOut, **refusals(404)},
    summary="One application with its decision",
)
def get_application(request: HttpRequest, application_id: UUID) -> ApplicationOut:
    """Its organisation's people may, staff and auditors too: they leave an access record."""
    return _application(queries.application(actor=actor_of(request), application_id=application_id))


@router.post(
    "/applications/{uuid:application_id}/decide",
    response={200: ApplicationOut, **refusals(404, 409)},
    summary="Decide an application that its tier leaves to the operator",
)
def decide_application(request: HttpRequest, application_id: UUID, body: DecisionIn) -> ApplicationOut:
    """For staff; the rules of the call bind them too (409). The same decision again changes nothing."""
    return _application(
        services.decide(
            actor=actor_of(request), application_id=application_id, selected=body.selected, reason=body.reason
        )
    )


@router.post(
    "/applications/{uuid:application_id}/withdraw",
    response={200: ApplicationOut, **refusals(404, 409)},
    summary="Take an application back",
)
def withdraw_application(
    request: HttpRequest, application_id: UUID, body: WithdrawalIn | None = None
) -> ApplicationOut:
    """Its organisation's people may, until its agreement is complete (409 then). Again changes nothing."""
    reason = body.reason if body else ""
    return _application(services.withdraw(actor=actor_of(request), application_id=application_id, reason=reason))


@router.get("/agreements", response={200: AgreementList, **refusals(403)}, summary="Agreements to sign")
def list_agreements(request: HttpRequest, page: PageNumber = 1, waiting: bool = False) -> AgreementList:
    """What my organisations have not signed; with ``waiting`` what the operator has not (staff and auditors)."""
    find = queries.waiting if waiting else queries.to_sign
    found: Page[tuple[AgreementView, ApplicationView]] = find(actor=actor_of(request), number=page)
    return paged(AgreementList, found, lambda pair: _agreement(pair[0]))


@router.get(
    "/agreements/{uuid:agreement_id}", response={200: AgreementOut, **refusals(404)}, summary="One agreement"
)
def get_agreement(request: HttpRequest, agreement_id: UUID) -> AgreementOut:
    """With its text and signatures. Who may see its application may."""
    return _agreement(queries.agreement(actor=actor_of(request), agreement_id=agreement_id))


@router.post(
    "/agreements/{uuid:agreement_id}/sign",
    response={200: AgreementOut, **refusals(404, 409)},
    summary="Sign an agreement",
)
def sign_agreement(request: HttpRequest, agreement_id: UUID, body: SignIn) -> AgreementOut:
    """Sign for one side the text with this digest: the organisation's owners, or staff. The second side's
    signature makes the project and its allocations. By the same person again it changes nothing."""
    view = services.sign(
        actor=actor_of(request),
        agreement_id=agreement_id,
        side=body.side,
        digest=body.digest,
        shown={"language": "", "statement": "rest"},
    )
    return _agreement(view)
