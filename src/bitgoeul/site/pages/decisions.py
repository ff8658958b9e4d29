"""What the operator decides: an inbox by deadline, a preview of what will happen, and a report of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_POST, require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor, OperatorRole
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.kernel.text import N_, Text
from bitgoeul.programmes import facade as programmes
from bitgoeul.web.facade import no_store, page_number, render_text

from .. import formats
from .rows import Said

ITEMS_MAX = 50
HURRY_DAYS = 3
SELECT, REFUSE, SIGN = "select", "refuse", "sign"
ACTIONS = {SELECT: Text(N_("Select")), REFUSE: Text(N_("Refuse")), SIGN: Text(N_("Sign for the operator"))}
STATEMENT = Text(N_("I have read these texts and sign them for the operator."))


@dataclass(frozen=True)
class Choice:
    """One thing that can be done with a row; ``closed`` says why it cannot now."""

    action: str
    label: Text
    closed: Text | None = None


@dataclass(frozen=True)
class Row:
    """One thing that waits: ``key`` names it in the form, empty where only its own page can help."""

    key: str
    kind: Text
    title: str
    note: Said
    url: str
    due: date
    due_words: str
    tone: str
    preview: Sequence[tuple[bool | None, Said]]
    choices: Sequence[Choice]
    extra: Said = ""


@dataclass(frozen=True)
class Outcome:
    """What will happen, or has happened, to one row: ``done`` tells which of ``words`` is meant."""

    key: str
    title: str
    url: str
    done: bool
    words: str


def _due(day: date) -> tuple[str, str]:
    days = (day - now().astimezone(SEOUL).date()).days
    return formats.days_left(days), "bad" if days < 0 else "warning" if days <= HURRY_DAYS else "progress"


def _application(one: programmes.ToDecide) -> Row:
    view, (words, tone) = one.view, _due(one.due)
    return Row(
        key=f"application:{view.id}",
        kind=Text(N_("Application to decide")),
        title=view.title,
        note=f"{view.organisation_name} · {view.reference}",
        url=reverse("programmes:application", args=[view.id]),
        due=one.due,
        due_words=words,
        tone=tone,
        preview=[(reason.passed, reason.text) for reason in one.reasons],
        choices=[
            Choice(SELECT, ACTIONS[SELECT], one.cannot_select.text if one.cannot_select else None),
            Choice(REFUSE, ACTIONS[REFUSE], one.cannot_refuse.text if one.cannot_refuse else None),
        ],
    )


def _agreement(actor: Actor, agreement: programmes.AgreementView, view: programmes.ApplicationView) -> Row:
    words, tone = _due(agreement.sign_by)
    signed = programmes.Side.APPLICANT.value in agreement.signatures
    decision = accounts.may(actor=actor, verb="programmes.sign_as_operator", thing=_thing(view))
    said = Text(N_("The applicant has signed.")) if signed else Text(N_("The applicant has not signed yet."))
    return Row(
        key=f"agreement:{agreement.id}:{agreement.digest}",
        kind=Text(N_("Agreement to sign")),
        title=view.title,
        note=f"{view.organisation_name} · {view.reference}",
        url=reverse("programmes:agreement", args=[agreement.id]),
        due=agreement.sign_by,
        due_words=words,
        tone=tone,
        preview=[],
        extra=said,
        choices=[Choice(SIGN, ACTIONS[SIGN], None if decision.allowed else decision.reason)],
    )


def _job(view: compute.JobView) -> Row:
    day = view.submitted_at.astimezone(SEOUL).date()
    words, tone = _due(day)
    return Row(
        key="",
        kind=Text(N_("Job that no engine lists")),
        title=view.name,
        note=Text(N_("Its hold stays until an engineer finds it or writes it off.")),
        url=reverse("compute:job", args=[view.id]),
        due=day,
        due_words=words,
        tone=tone,
        preview=[],
        choices=[],
    )


def _thing(view: programmes.ApplicationView) -> accounts.Thing:
    return accounts.Thing("application", str(view.id), organisation_id=view.organisation_id)


def rows_for(actor: Actor, number: int = 1) -> tuple[list[Row], int]:
    """What waits on this page of the inbox, the oldest deadline first, and how many pages there are.

    A page takes at most twenty of each kind, so that none of them can crowd out the others.
    """
    deciding = programmes.to_decide(actor=actor, number=number)
    signing = programmes.waiting(actor=actor, number=number)
    rows = [_application(one) for one in deciding.items] if number <= deciding.last else []
    rows += [_agreement(actor, *pair) for pair in signing.items] if number <= signing.last else []
    rows += [_job(one) for one in compute.unknown_jobs(actor=actor)] if number == 1 else []
    return sorted(rows, key=lambda row: (row.due, row.title)), max(deciding.last, signing.last)


@login_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """GET /decisions/"""
    actor, number = accounts.actor_of(request), page_number(request)
    rows, last = rows_for(actor, number)
    may_act = OperatorRole.STAFF in actor.operator_roles
    context = {"rows": rows, "number": number, "last": last, "actions": ACTIONS.items(), "may_act": may_act}
    return no_store(render(request, "site/pages/decisions.html", context))


def _reader(request: HttpRequest) -> Actor:
    actor = accounts.actor_of(request)
    accounts.require(
        actor=actor, verb="programmes.view_waiting", thing=accounts.Thing("installation", "decisions")
    )
    return actor


@dataclass(frozen=True)
class Wish:
    """What was asked for: the rows' keys, the action, and the reason that applicants read."""

    keys: Sequence[str]
    action: str
    reason: str


def _wish(request: HttpRequest) -> Wish:
    only, _, action = request.POST.get("only", "").partition("|")
    keys = [only] if only else list(dict.fromkeys(request.POST.getlist("item")))
    action = action or request.POST.get("action", "")
    if action not in ACTIONS:
        raise BadInput(
            N_("Choose what to do with the rows."), field="action", remedy=Text(N_("Go back and choose."))
        )
    if not 1 <= len(keys) <= ITEMS_MAX:
        raise BadInput(
            N_("Mark at least one row and at most {limit}."),
            field="item",
            remedy=Text(N_("Go back and mark them.")),
            limit=ITEMS_MAX,
        )
    return Wish(keys, action, " ".join(request.POST.get("reason", "").split()))


def _known(actor: Actor, keys: Sequence[str]) -> dict[str, Row]:
    """The rows of these keys as they stand now; what no longer waits is absent."""
    ids = [found for key in keys if (found := _id_of(key, "application"))]
    rows = [_application(one) for one in programmes.to_decide(actor=actor, ids=ids).items] if ids else []
    for key in keys:
        if found := _id_of(key, "agreement"):
            rows += _agreement_row(actor, found)
    return {row.key: row for row in rows}


def _agreement_row(actor: Actor, agreement_id: UUID) -> list[Row]:
    try:
        agreement = programmes.agreement(actor=actor, agreement_id=agreement_id)
        view = programmes.application(actor=actor, application_id=agreement.application_id)
    except DomainError:
        return []
    open_ = view.state is programmes.ApplicationState.SELECTED
    return [_agreement(actor, agreement, view)] if open_ else []


def _id_of(key: str, kind: str) -> UUID | None:
    parts = key.split(":")
    try:
        return UUID(parts[1]) if parts[0] == kind and len(parts) > 1 else None
    except ValueError:
        return None


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """POST /decisions/preview/: what would happen to each row; writes nothing."""
    actor, wish = _reader(request), _wish(request)
    known = _known(actor, wish.keys)
    outcomes = [_planned(key, known.get(key), wish.action) for key in wish.keys]
    context = {
        "outcomes": outcomes,
        "possible": [one for one in outcomes if one.done],
        "wish": wish,
        "label": ACTIONS[wish.action],
        "needs_reason": wish.action in (SELECT, REFUSE),
        "statement": STATEMENT if wish.action == SIGN else None,
    }
    return no_store(render(request, "site/pages/decisions_preview.html", context))


def _planned(key: str, row: Row | None, action: str) -> Outcome:
    if row is None:
        return Outcome(
            key, key.split(":")[0], "", False, gettext("It does not wait any more, or was changed meanwhile.")
        )
    choice = next((one for one in row.choices if one.action == action), None)
    if choice is None:
        return Outcome(key, row.title, row.url, False, gettext("This cannot be done with this kind of row."))
    if choice.closed:
        return Outcome(key, row.title, row.url, False, render_text(choice.closed))
    plans = {
        SELECT: gettext("Will be selected; the agreement is frozen and waits for both signatures."),
        REFUSE: gettext("Will be refused, with your reason."),
        SIGN: gettext("Will be signed for the operator; the second signature allocates at once."),
    }
    return Outcome(key, row.title, row.url, True, plans[action])


@login_required
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """POST /decisions/report/: do it, each row by itself, and say of each what came of it.

    A row that is refused takes no other with it; sent twice, the second time finds everything done already.
    """
    actor, wish = _reader(request), _wish(request)
    if wish.action == SIGN and request.POST.get("agree") != "yes":
        raise BadInput(
            N_("Confirm that you have read the texts before you sign them."),
            field="agree",
            remedy=Text(N_("Go back, tick the box and sign.")),
        )
    outcomes = [_done(actor, key, wish) for key in wish.keys]
    context = {
        "outcomes": outcomes,
        "failed": [one for one in outcomes if not one.done],
        "label": ACTIONS[wish.action],
    }
    return no_store(render(request, "site/pages/decisions_report.html", context))


def _done(actor: Actor, key: str, wish: Wish) -> Outcome:
    try:
        return _sign(actor, key) if wish.action == SIGN else _decide(actor, key, wish)
    except DomainError as refusal:
        words = " ".join(render_text(text) for text in (refusal.text, refusal.remedy) if text)
        return Outcome(key, key.split(":")[0], _address(key), False, words)


def _address(key: str) -> str:
    for kind in ("application", "agreement"):
        if found := _id_of(key, kind):
            return reverse(f"programmes:{kind}", args=[found])
    return ""


def _decide(actor: Actor, key: str, wish: Wish) -> Outcome:
    application_id = _id_of(key, "application")
    if application_id is None:
        raise BadInput(N_("This cannot be done with this kind of row."))
    view = programmes.decide(
        actor=actor, application_id=application_id, selected=wish.action == SELECT, reason=wish.reason
    )
    words = render_text(programmes.APPLICATION.label(view.state))
    return Outcome(key, view.title, _address(key), True, words)


def _sign(actor: Actor, key: str) -> Outcome:
    agreement_id = _id_of(key, "agreement")
    if agreement_id is None:
        raise BadInput(N_("This cannot be done with this kind of row."))
    shown = {"language": get_language() or "", "statement": render_text(STATEMENT)}
    view = programmes.sign(
        actor=actor,
        agreement_id=agreement_id,
        side=programmes.Side.OPERATOR,
        digest=key.split(":")[-1],
        shown=shown,
    )
    application = programmes.application(actor=actor, application_id=view.application_id)
    words = gettext("Both sides have signed; allocated.") if view.complete else gettext("Signed for the operator.")
    return Outcome(key, application.title, _address(key), True, words)
