"""Applying: a draft, its submission, the decision by rule in the same moment, and withdrawal."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound
from bitgoeul.kernel.text import N_, Text

from .. import queries, rules, workdays
from ..errors import CallClosed
from ..models import Application, CallVersion
from ..questions import check_answers
from ..states import ApplicationState
from ..types import ApplicationView, CallBody, DecisionPath, Tier
from .deciding import decide_by_rule

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
    if tier.decision is DecisionPath.RULE:
        decide_by_rule(row, body, tier)


def withdraw(*, actor: Actor, application_id: UUID, reason: str = "") -> ApplicationView:
    """Take an application back; possible until the agreement is complete. Again changes nothing."""
    row = queries.application_row(actor, application_id, "programmes.edit_application")
    reason = " ".join(reason.split())
    if len(reason) > REASON_LENGTH_MAX or not reason.isprintable():
        raise BadInput(N_("At most {limit} printable characters."), field="reason", limit=REASON_LENGTH_MAX)
    if row.state != ApplicationState.WITHDRAWN:
        audit.advance(row, "withdraw", actor=actor.id, reason=reason)
    return queries.view_of(row)
