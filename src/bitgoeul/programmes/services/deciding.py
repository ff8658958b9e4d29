"""Deciding an application: by rule in the moment of its submission, or by a person of the operator."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, OrganisationView
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, Unavailable, WrongState
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text

from .. import queries, rules, workdays
from ..agreements import digest_of, render
from ..facts import agreement_facts, decision_facts
from ..models import Agreement, Application, Decision
from ..states import APPLICATION, ApplicationState
from ..types import ApplicationView, CallBody, DecisionPath, Reason, Tier
from ..words import said_json

DECIDER = "rules"
PERSON = "person"
REASON_LENGTH_MAX = 500


def decide_by_rule(row: Application, body: CallBody, tier: Tier) -> None:
    """Decide at once, keep what the rules saw and said, and freeze the agreement when they are all satisfied.

    A fact that is unknown does not pass: the application has every answer that the rules need, or it is refused
    with the sentence that names what is missing.
    """
    reasons = check(row, body, tier)
    _conclude(row, body, tier, reasons, rules.conclude(reasons) is True, Actor.system(DECIDER).id)


def check(row: Application, body: CallBody, tier: Tier) -> tuple[Reason, ...]:
    """What each rule of the tier says of the application now."""
    facts = _facts(row)
    return (*rules.evaluate(tier.rules, facts), *rules.caps(body, tier, row.requested))


def _facts(row: Application) -> dict[str, dict[str, object]]:
    organisation = accounts.organisations([row.organisation_id])[row.organisation_id]
    return decision_facts(organisation, row.answers, row.fields, row.requested)


def tier_of(row: Application) -> tuple[CallBody, Tier]:
    """The call and tier that the application is for; its call must have been selected with it."""
    body = rules.parse_call(row.call.body)
    tier = body.tier(row.tier)
    if tier is None:  # the version is immutable, so only a damaged database can lead here
        raise Unavailable(N_("The call of this application does not have its tier any more."))
    return body, tier


@transaction.atomic
def decide(*, actor: Actor, application_id: UUID, selected: bool, reason: str) -> ApplicationView:
    """Decide an application that its tier leaves to the operator, with a reason that the applicant reads.

    The tier's rules bind people too: what does not meet them can only be refused. The same decision again
    changes nothing; another one raises Conflict. Nobody decides about an organisation of their own.
    """
    row = queries.application_row(actor, application_id, "programmes.decide_application")
    row = Application.objects.select_for_update().get(id=row.id)
    reason = " ".join(reason.split())
    made = Decision.objects.filter(application=row).order_by("number").first()
    if made is not None:
        return _again(row, made, actor, selected, reason)
    APPLICATION.target(ApplicationState(row.state), "select" if selected else "reject")
    body, tier = tier_of(row)
    reasons = check(row, body, tier)
    if fault := objection(actor, row, tier, reasons, selected):
        raise fault
    if not 1 <= len(reason) <= REASON_LENGTH_MAX or not reason.isprintable():
        raise BadInput(N_("Say why in at most {limit} characters."), field="reason", limit=REASON_LENGTH_MAX)
    said = Reason(PERSON, selected, Text("{reason}", {"reason": reason}))
    _conclude(row, body, tier, (*reasons, said), selected, actor.id, reason)
    return queries.view_of(row)


def objection(
    actor: Actor, row: Application, tier: Tier, reasons: Sequence[Reason], selected: bool
) -> NotAllowed | WrongState | None:
    """Why this person cannot decide so, or None; asked before by the preview and again by the deed."""
    if row.organisation_id in actor.organisation_roles:
        return NotAllowed(N_("Nobody decides about an organisation of their own; ask a colleague."))
    if tier.decision is not DecisionPath.STAFF:
        return WrongState(N_("This tier is decided by rule, not by a person."))
    if selected and rules.conclude(reasons) is not True:
        return WrongState(
            N_("A rule of the call is not met, so it cannot be selected."),
            remedy=Text(N_("Refuse it, and say which rule.")),
        )
    return None


def _again(row: Application, made: Decision, actor: Actor, selected: bool, reason: str) -> ApplicationView:
    texts = [one["text"].get("params", {}).get("reason") for one in made.reasons if one["code"] == PERSON]
    if (made.decided_by, made.selected, texts) != (actor.id, selected, [reason]):
        raise Conflict(
            N_("This application has been decided already."),
            remedy=Text(N_("Open it to see the decision and who made it.")),
        )
    return queries.view_of(row)


def _conclude(
    row: Application,
    body: CallBody,
    tier: Tier,
    reasons: Sequence[Reason],
    selected: bool,
    decider: str,
    why: str = "",
) -> None:
    organisation = accounts.organisations([row.organisation_id])[row.organisation_id]
    Decision.objects.create(
        id=derive("programmes.decision", row.id, 1),
        application=row,
        path=tier.decision.value,
        selected=selected,
        reasons=[{"code": one.code, "passed": one.passed, "text": said_json(one.text)} for one in reasons],
        facts=_facts(row),
        rules_digest=rules.rules_digest(tier),
        decided_by=decider,
    )
    payload = {"organisation_id": str(row.organisation_id)}
    if not selected:
        audit.advance(row, "reject", actor=decider, reason=why, payload=payload)
        return
    agreement = _freeze(row, body, tier, organisation, decider)
    audit.advance(row, "select", actor=decider, reason=why, payload={**payload, "agreement_id": str(agreement.id)})


def _freeze(
    row: Application, body: CallBody, tier: Tier, organisation: OrganisationView, decider: str
) -> Agreement:
    today = workdays.seoul_day(now())
    sign_by = workdays.add_working_days(today, tier.sign_within_working_days)
    facts = agreement_facts(row, body, tier, organisation, sign_by)
    text = render(body.agreement, facts["ko"], facts["en"])
    agreement = Agreement.objects.create(
        id=derive("programmes.agreement", row.id, 1),
        application=row,
        text=text,
        digest=digest_of(text),
        sign_by=sign_by,
    )
    audit.record(
        verb="agreement.freeze",
        subject_kind="agreement",
        subject_id=str(agreement.id),
        actor=decider,
        after={"application": str(row.id), "digest": agreement.digest, "sign_by": sign_by.isoformat()},
    )
    return agreement
