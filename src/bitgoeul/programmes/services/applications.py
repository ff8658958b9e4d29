"""Applying: a draft, its submission, the decision by rule in the same moment, and withdrawal."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, OrganisationView, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text

from .. import queries, rules, workdays
from ..agreements import digest_of, render
from ..errors import CallClosed
from ..facts import agreement_facts, decision_facts
from ..models import Agreement, Application, CallVersion, Decision
from ..questions import check_answers
from ..states import ApplicationState
from ..types import ApplicationView, CallBody, Tier
from ..words import said_json

DECIDER = "rules"
TITLE_LENGTH_MAX = 120
REASON_LENGTH_MAX = 500


@transaction.atomic
def apply(
    *,
    actor: Actor,
    id: UUID,
    call_code: str,
    tier_code: str,
    organisation_id: UUID,
    title: str,
    answers: Mapping[str, object],
    fields: Mapping[str, object],
    requested: Mapping[str, object] | None = None,
    submit: bool = True,
) -> ApplicationView:
    """Write an application and, with ``submit``, hand it in; a rule tier is decided before this returns.

    ``id`` is made by the caller: sent twice, the second changes nothing once the application is handed in (the
    same content gives the same view, other content raises Conflict); a draft is overwritten. ``requested`` are
    ledger amounts by resource; resources left out get the tier's default.
    """
    accounts.require(
        actor=actor,
        verb="programmes.apply",
        thing=Thing("organisation", str(organisation_id), organisation_id=organisation_id),
    )
    if actor.user_id is None:
        raise NotAllowed(N_("Only a person can apply, for the project will be theirs."))
    version, body, tier = _tier(call_code, tier_code)
    content = {
        "call": version,
        "tier": tier.code,
        "title": _checked_title(title),
        "answers": check_answers(answers),
        "fields": rules.check_fields(body, fields, complete=submit),
        "requested": rules.check_requested(tier, requested or {}),
    }
    row, created = Application.objects.get_or_create(
        id=id, defaults={"organisation_id": organisation_id, "applicant": actor.id, **content}
    )
    # Two clicks on the same button: the second waits here and then sees what the first has done.
    row = Application.objects.select_for_update().get(id=row.id)
    if row.organisation_id != organisation_id:
        raise NotFound()
    if row.state != ApplicationState.DRAFT:
        return _again(row, content)
    if not created:
        Application.objects.filter(id=row.id).update(**content)
        row.refresh_from_db()
    _record_draft(row, actor, created)
    if submit:
        _submit(row, actor, body, tier)
    return queries.view_of(row)


def _again(row: Application, content: Mapping[str, object]) -> ApplicationView:
    same = all(getattr(row, name) == content[name] for name in ("tier", "title", "answers", "fields", "requested"))
    if not same:
        raise Conflict(
            N_("This application was handed in already, with other content."),
            remedy=Text(N_("Open it to see what was handed in, or start a new application.")),
        )
    return queries.view_of(row)


def _record_draft(row: Application, actor: Actor, created: bool) -> None:
    audit.record(
        verb="application.create" if created else "application.change",
        subject_kind="application",
        subject_id=str(row.id),
        actor=actor.id,
        after={"call": str(row.call_id), "tier": row.tier, "requested": row.requested, "answers": row.answers},
    )


def _tier(call_code: str, tier_code: str) -> tuple[CallVersion, CallBody, Tier]:
    version = queries.latest_version(call_code)
    if version is None:
        raise NotFound(N_("There is no call “{code}”."), code=call_code, remedy=Text(N_("See the list of calls.")))
    body = rules.parse_call(version.body)
    tier = body.tier(tier_code)
    if tier is None:
        raise BadInput(
            N_("This call has no tier “{code}”."),
            field="tier",
            code=tier_code,
            remedy=Text(N_("Choose one of: {values}."), {"values": ", ".join(one.code for one in body.tiers)}),
        )
    return version, body, tier


def _checked_title(title: str) -> str:
    title = title.strip()
    if not title or len(title) > TITLE_LENGTH_MAX or not title.isprintable():
        raise BadInput(
            N_("A project needs a title of one line and at most {limit} characters."),
            field="title",
            limit=TITLE_LENGTH_MAX,
        )
    return title


def _submit(row: Application, actor: Actor, body: CallBody, tier: Tier) -> None:
    moment = now()
    if not rules.is_open(body, moment, tier):
        raise CallClosed(
            remedy=Text(
                N_("It takes applications from {opens} to {closes}. See the list of calls for others."),
                {
                    "opens": workdays.seoul_day(body.opens_at).isoformat(),
                    "closes": workdays.seoul_day(rules.closing(body, tier)).isoformat(),
                },
            )
        )
    audit.advance(row, "submit", actor=actor.id, changes={"submitted_at": moment})
    _decide_by_rule(row, body, tier)


def _decide_by_rule(row: Application, body: CallBody, tier: Tier) -> None:
    """Decide at once, keep what the rules saw and said, and freeze the agreement when they are all satisfied.

    A fact that is unknown does not pass: the application has every answer that the rules need, or it is refused
    with the sentence that names what is missing.
    """
    organisation = accounts.organisations([row.organisation_id])[row.organisation_id]
    facts = decision_facts(organisation, row.answers, row.fields, row.requested)
    reasons = (*rules.evaluate(tier.rules, facts), *rules.caps(body, tier, row.requested))
    selected = rules.conclude(reasons) is True
    decider = Actor.system(DECIDER)
    Decision.objects.create(
        id=derive("programmes.decision", row.id, 1),
        application=row,
        path=tier.decision.value,
        selected=selected,
        reasons=[{"code": one.code, "passed": one.passed, "text": said_json(one.text)} for one in reasons],
        facts=facts,
        rules_digest=rules.rules_digest(tier),
        decided_by=decider.id,
    )
    payload = {"organisation_id": str(row.organisation_id)}
    if not selected:
        audit.advance(row, "reject", actor=decider.id, payload=payload)
        return
    agreement = _freeze(row, body, tier, organisation)
    audit.advance(row, "select", actor=decider.id, payload={**payload, "agreement_id": str(agreement.id)})


def _freeze(row: Application, body: CallBody, tier: Tier, organisation: OrganisationView) -> Agreement:
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
        actor=Actor.system(DECIDER).id,
        after={"application": str(row.id), "digest": agreement.digest, "sign_by": sign_by.isoformat()},
    )
    return agreement


def withdraw(*, actor: Actor, application_id: UUID, reason: str = "") -> ApplicationView:
    """Take an application back; possible until the agreement is complete. Again changes nothing."""
    row = queries.application_row(actor, application_id, "programmes.edit_application")
    reason = " ".join(reason.split())
    if len(reason) > REASON_LENGTH_MAX or not reason.isprintable():
        raise BadInput(N_("At most {limit} printable characters."), field="reason", limit=REASON_LENGTH_MAX)
    if row.state != ApplicationState.WITHDRAWN:
        audit.advance(row, "withdraw", actor=actor.id, reason=reason)
    return queries.view_of(row)
