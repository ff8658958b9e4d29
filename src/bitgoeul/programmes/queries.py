"""Reading calls, applications and agreements: bulk, paged, and only what the actor may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of, page_of_items

from . import rules
from .agreements import Side
from .models import Agreement, Application, CallVersion, Decision, Signature
from .states import ApplicationState
from .types import (
    AgreementView,
    ApplicationView,
    DecisionPath,
    DecisionView,
    OpenCall,
    Reason,
    SignatureView,
    TimeToFirstMinute,
    Words,
)
from .words import said_from
from .workdays import working_days_left

OPEN_CALLS_MAX = 200
EXPORT_MAX = 5_000


def current_calls() -> QuerySet[CallVersion]:
    """Calls as they stand: of each code the highest version."""
    newer = CallVersion.objects.filter(code=OuterRef("code"), number__gt=OuterRef("number"))
    return CallVersion.objects.filter(~Exists(newer))


def latest_version(code: str) -> CallVersion | None:
    """The call as it stands, or None."""
    return CallVersion.objects.filter(code=code).order_by("-number").first()


def open_call(row: CallVersion, moment: datetime) -> OpenCall:
    """The view of one version at a moment."""
    body = rules.parse_call(row.body)
    left = working_days_left(moment, body.closes_at)
    return OpenCall(row.id, row.number, row.digest, body, rules.is_open(body, moment), left)


def open_calls(moment: datetime) -> list[OpenCall]:
    """The calls that take applications at ``moment``, the first to close first; at most 200."""
    rows = current_calls().filter(opens_at__lte=moment, closes_at__gt=moment).order_by("closes_at", "code")
    return [open_call(row, moment) for row in rows[:OPEN_CALLS_MAX]]


def calls_page(moment: datetime, *, past: bool, number: int) -> Page[OpenCall]:
    """One page of the calls: open and coming ones by closing date, with ``past`` the closed ones, newest first."""
    rows = current_calls().filter(closes_at__lte=moment) if past else current_calls().filter(closes_at__gt=moment)
    ordered = rows.order_by("-closes_at", "code") if past else rows.order_by("closes_at", "code")
    return page_of(ordered, number).map(lambda row: open_call(row, moment))


def call(code: str, moment: datetime) -> OpenCall:
    """The call as it stands; raises NotFound."""
    row = latest_version(code)
    if row is None:
        raise NotFound(N_("There is no call “{code}”."), code=code, remedy=Text(N_("See the list of calls.")))
    return open_call(row, moment)


def thing_of(row: Application) -> Thing:
    """The thing that ``may`` is asked about."""
    return Thing("application", str(row.id), organisation_id=row.organisation_id)


def application_row(actor: Actor, application_id: UUID, verb: str = "programmes.view_application") -> Application:
    """The row, if the actor may ``verb`` it; raises NotFound or NotAllowed."""
    row = Application.objects.select_related("call").filter(id=application_id).first()
    if row is None:
        raise NotFound()
    accounts.require(actor=actor, verb=verb, thing=thing_of(row))
    return row


def agreement_rows(actor: Actor, agreement_id: UUID, verb: str) -> tuple[Agreement, Application]:
    """The agreement and its application, if the actor may ``verb`` the application."""
    row = Agreement.objects.select_related("application__call").filter(id=agreement_id).first()
    if row is None:
        raise NotFound()
    accounts.require(actor=actor, verb=verb, thing=thing_of(row.application))
    return row, row.application


def application(*, actor: Actor, application_id: UUID) -> ApplicationView:
    """One application; its organisation's people, staff and auditors may see it.

    An operator who looks leaves an access record, for it says who applied.
    """
    row = application_row(actor, application_id)
    if actor.is_operator and row.organisation_id not in actor.organisation_roles:
        audit.record_access(actor=actor.id, people=[row.applicant], what=f"application {row.id}")
    return view_of(row)


def view_of(row: Application) -> ApplicationView:
    """The view of one row."""
    return views_of([row])[0]


def views_of(rows: Iterable[Application]) -> list[ApplicationView]:
    """The views of many rows in a fixed number of queries."""
    rows = list(rows)
    if not rows:
        return []
    ids = [row.id for row in rows]
    names = accounts.organisations({row.organisation_id for row in rows})
    decisions = {
        one.application_id: one for one in Decision.objects.filter(application__in=ids).order_by("number")
    }
    agreements = dict(
        Agreement.objects.filter(application__in=ids).order_by("number").values_list("application_id", "id")
    )
    calls = _calls({row.call_id for row in rows})
    return [
        _view(
            row, calls[row.call_id], names[row.organisation_id].name, decisions.get(row.id), agreements.get(row.id)
        )
        for row in rows
    ]


def _calls(ids: Iterable[UUID]) -> dict[UUID, OpenCall]:
    moment = now()
    return {row.id: open_call(row, moment) for row in CallVersion.objects.filter(id__in=ids)}


def _view(
    row: Application, stood: OpenCall, organisation: str, decided: Decision | None, agreement: UUID | None
) -> ApplicationView:
    tier = stood.body.tier(row.tier)
    if tier is None:
        raise NotFound(N_("The call of this application does not have its tier any more."))
    return ApplicationView(
        id=row.id,
        reference=reference(row.id),
        state=ApplicationState(row.state),
        call=stood,
        tier=tier,
        organisation_id=row.organisation_id,
        organisation_name=organisation,
        applicant=row.applicant,
        title=row.title,
        answers=row.answers,
        fields=row.fields,
        requested=rules.amounts_of(tier, row.requested),
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        allocated_at=row.allocated_at,
        decision=_decision(decided) if decided else None,
        agreement_id=agreement,
        project_id=row.project_id,
    )


def _decision(row: Decision) -> DecisionView:
    reasons = tuple(Reason(one["code"], one["passed"], said_from(one["text"])) for one in row.reasons)
    return DecisionView(row.selected, DecisionPath(row.path), reasons, row.rules_digest, row.decided_at)


def reference(id: UUID) -> str:
    """A short name for people; the last digits, for the first ones are the time and look alike."""
    return id.hex[-8:].upper()


def applications_to_export(*, actor: Actor) -> list[ApplicationView]:
    """The newest applications of the actor's organisations, at most 5,000, for a workbook."""
    rows = Application.objects.filter(organisation__in=list(actor.organisation_roles))
    return views_of(rows.order_by("-created_at", "-id")[:EXPORT_MAX])


def applications(*, actor: Actor, number: int = 1) -> Page[ApplicationView]:
    """One page of the applications of the actor's organisations, newest first."""
    mine = list(actor.organisation_roles)
    if not mine:
        return page_of_items([])
    rows = Application.objects.filter(organisation__in=mine).order_by("-created_at", "-id")
    page = page_of(rows, number)
    return Page(views_of(page.items), page.number, page.per_page, page.total)


def agreement(*, actor: Actor, agreement_id: UUID) -> AgreementView:
    """One agreement; whoever may see the application may see it."""
    row, _ = agreement_rows(actor, agreement_id, "programmes.view_application")
    return agreement_view(row)


def agreement_view(row: Agreement) -> AgreementView:
    """The view of one agreement with its signatures."""
    title = rules.parse_call(row.application.call.body).agreement.title
    return _agreement(row, title, _signatures([row.id])[row.id])


def _agreement(row: Agreement, title: Words, signatures: Mapping[str, SignatureView]) -> AgreementView:
    return AgreementView(
        id=row.id,
        application_id=row.application_id,
        number=row.number,
        title=title,
        text=row.text,
        digest=row.digest,
        created_at=row.created_at,
        sign_by=row.sign_by,
        signatures=signatures,
    )


def _signatures(agreement_ids: Sequence[UUID]) -> dict[UUID, dict[str, SignatureView]]:
    """The signatures of each agreement by side, with the signers' names, in two queries."""
    signed: dict[UUID, dict[str, SignatureView]] = {id: {} for id in agreement_ids}
    if not signed:
        return signed
    rows = list(Signature.objects.filter(agreement__in=agreement_ids).order_by("signed_at"))
    names = accounts.names({one.actor for one in rows})
    for one in rows:
        name = names.get(one.actor, one.actor)
        signed[one.agreement_id][one.side] = SignatureView(one.side, one.actor, name, one.digest, one.signed_at)
    return signed


def _unsigned(side: Side) -> QuerySet[Agreement]:
    signed = Signature.objects.filter(agreement=OuterRef("pk"), side=side.value)
    return Agreement.objects.filter(~Exists(signed), application__state=ApplicationState.SELECTED.value)


def waiting(*, actor: Actor, number: int = 1) -> Page[tuple[AgreementView, ApplicationView]]:
    """One page of what the operator has not signed: where the applicant has signed first, then by deadline."""
    accounts.require(actor=actor, verb="programmes.view_waiting", thing=Thing("installation", "agreements"))
    signed = Exists(Signature.objects.filter(agreement=OuterRef("pk"), side=Side.APPLICANT.value))
    rows = _unsigned(Side.OPERATOR).annotate(ready=signed).order_by("-ready", "sign_by", "id")
    return _with_applications(page_of(rows.select_related("application"), number))


def waiting_to_export(*, actor: Actor) -> list[tuple[AgreementView, ApplicationView]]:
    """What the operator has not signed, the next deadline first, at most 5,000, for a workbook."""
    accounts.require(actor=actor, verb="programmes.view_waiting", thing=Thing("installation", "agreements"))
    rows = list(_unsigned(Side.OPERATOR).select_related("application").order_by("sign_by", "id")[:EXPORT_MAX])
    return list(_with_applications(Page(rows, 1, EXPORT_MAX, len(rows))).items)


def to_sign(*, actor: Actor, number: int = 1) -> Page[tuple[AgreementView, ApplicationView]]:
    """One page of what the actor's organisations have not signed, the next deadline first."""
    mine = list(actor.organisation_roles)
    if not mine:
        return page_of_items([])
    rows = _unsigned(Side.APPLICANT).filter(application__organisation__in=mine).order_by("sign_by", "id")
    return _with_applications(page_of(rows.select_related("application"), number))


def _with_applications(page: Page[Agreement]) -> Page[tuple[AgreementView, ApplicationView]]:
    views = views_of([row.application for row in page.items])
    signed = _signatures([row.id for row in page.items])
    pairs = [
        (_agreement(row, view.call.body.agreement.title, signed[row.id]), view)
        for row, view in zip(page.items, views, strict=True)
    ]
    return Page(pairs, page.number, page.per_page, page.total)


def median_time_to_first_usable_minute() -> TimeToFirstMinute | None:
    """The median time from submission to allocation over all allocated applications; None when there is none.

    The first minute is usable when the allocation is granted: from then on its account can be held. The lower of
    the two middle values counts for an even number.
    """
    rows = Application.objects.filter(allocated_at__isnull=False, submitted_at__isnull=False)
    count = rows.count()
    if not count:
        return None
    spans = (
        rows.annotate(span=F("allocated_at") - F("submitted_at")).order_by("span").values_list("span", flat=True)
    )
    middle = spans[(count - 1) // 2]
    return TimeToFirstMinute(round(middle.total_seconds() * 1000), count)
