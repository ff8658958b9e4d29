"""Applying and following an application."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import DomainError, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources
from bitgoeul.web.facade import add_error, no_store, page_number

from .. import queries, rules, services
from ..facts import decision_facts
from ..forms import ApplicationForm, initial_of
from ..models import Application
from ..questions import QUESTIONS
from ..session import answers_in
from ..states import APPLICATION, MAIN_WAY, ApplicationState
from ..types import ApplicationView, CallField, OpenCall, Scalar, Tier
from ..words import say


@login_required
@require_http_methods(["GET", "POST"])
def apply(request: HttpRequest, code: str) -> HttpResponse:
    """The application form of one tier; ``?tier=`` chooses it, ``?draft=`` goes on with a draft."""
    actor = accounts.actor_of(request)
    organisations = accounts.my_organisations(actor)
    call = queries.call(code, now())
    draft = _draft(request, actor)
    tier = _tier(request, call, draft)
    if not organisations:
        address = _address("accounts:organisation_new")
        return render(request, "programmes/no_organisation.html", {"call": call, "address": address})
    submit = request.POST.get("action") != "save"
    form = ApplicationForm(
        request.POST if request.method == "POST" else None,
        body=call.body,
        tier=tier,
        organisations=organisations,
        complete=submit,
        initial=_initial(request, tier, draft),
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.apply(
                actor=actor, call_code=code, tier_code=tier.code, submit=submit, **form.content()
            )
        except DomainError as refusal:
            add_error(form, refusal)
        else:
            if not submit:
                messages.success(request, gettext("The draft is kept. Submit it before the call closes."))
            return redirect("programmes:application", id=made.id)
    context = {"form": form, "call": call, "tier": tier, "closes": rules.closing(call.body, tier)}
    return no_store(render(request, "programmes/apply.html", context, status=400 if form.errors else 200))


def _draft(request: HttpRequest, actor: accounts.Actor) -> Application | None:
    text = request.GET.get("draft", "")
    if not text:
        return None
    try:
        row = queries.application_row(actor, UUID(text), "programmes.edit_application")
    except ValueError as error:
        raise NotFound() from error
    if row.state != ApplicationState.DRAFT:
        raise NotFound(gettext("This application is not a draft any more."))
    return row


def _tier(request: HttpRequest, call: OpenCall, draft: Application | None) -> Tier:
    code = draft.tier if draft else request.GET.get("tier", "")
    tier = call.body.tier(code) if code else call.body.tiers[0]
    if tier is None:
        raise NotFound()
    return tier


def _initial(request: HttpRequest, tier: Tier, draft: Application | None) -> dict[str, object]:
    if draft is None:
        return {"id": new_id(), **initial_of(tier, answers_in(request))}
    kept = initial_of(tier, draft.answers, draft.fields, draft.requested)
    return {**kept, "id": draft.id, "title": draft.title, "organisation": str(draft.organisation_id)}


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@login_required
@require_GET
def applications(request: HttpRequest) -> HttpResponse:
    """The applications of the reader's organisations."""
    page = queries.applications(actor=accounts.actor_of(request), number=page_number(request))
    return no_store(render(request, "programmes/applications.html", {"page": page, "machine": APPLICATION}))


@login_required
@require_GET
def application(request: HttpRequest, id: UUID) -> HttpResponse:
    """One application: where it stands, why, and what to do now."""
    actor = accounts.actor_of(request)
    view = queries.application(actor=actor, application_id=id)
    thing = accounts.Thing("application", str(view.id), organisation_id=view.organisation_id)
    allocations = resources.allocations(project_ids=[view.project_id]) if view.project_id else {}
    facts = _facts(view)
    context = {
        "application": view,
        "machine": APPLICATION,
        "steps": _steps(view),
        "moves": _moves(view),
        "fee": rules.fee_of(view.tier, facts),
        "agreement": queries.agreement(actor=actor, agreement_id=view.agreement_id) if view.agreement_id else None,
        "allocations": allocations.get(view.project_id, []) if view.project_id else [],
        "may_edit": accounts.may(actor=actor, verb="programmes.edit_application", thing=thing),
        "may_withdraw": "withdraw" in APPLICATION.actions(view.state),
        "project_address": _project_address(view),
        "answers": [
            (question.text, option.label)
            for question in QUESTIONS
            if question.code in view.answers and (option := question.option(view.answers[question.code]))
        ],
        "fields": [
            (field.label, _shown(field, view.fields[field.code]))
            for field in view.call.body.fields
            if field.code in view.fields
        ],
    }
    return no_store(render(request, "programmes/application.html", context))


def _shown(field: CallField, value: Scalar) -> str:
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    label = next((choice.label for choice in field.choices if choice.value == value), None)
    return say(label) if label else str(value)


def _facts(view: ApplicationView) -> dict[str, dict[str, object]]:
    organisation = accounts.organisations([view.organisation_id])[view.organisation_id]
    requested = {one.resource: one.amount for one in view.requested}
    return decision_facts(organisation, view.answers, view.fields, requested)


def _project_address(view: ApplicationView) -> str:
    try:
        return reverse("site:project", args=[view.project_id]) if view.project_id else ""
    except NoReverseMatch:
        return ""


def _steps(view: ApplicationView) -> list[dict[str, object]]:
    """The main way as steps; an application that left it ends with its own last state."""
    way = list(MAIN_WAY)
    if view.state is ApplicationState.REJECTED:
        way = [ApplicationState.DRAFT, ApplicationState.SUBMITTED, ApplicationState.REJECTED]
    if view.state is ApplicationState.WITHDRAWN:
        way = [ApplicationState.DRAFT, ApplicationState.WITHDRAWN]
    here = way.index(view.state)
    ended = view.state is ApplicationState.ALLOCATED
    return [
        {
            "number": place + 1,
            "title": APPLICATION.label(state),
            "done": place < here or ended,
            "active": place == here and not ended,
        }
        for place, state in enumerate(way)
    ]


def _moves(view: ApplicationView) -> list[dict[str, object]]:
    moves = audit.moves_of(APPLICATION.name, [view.id])[str(view.id)]
    names = accounts.names({move.actor for move in moves})
    return [
        {
            "at": move.at,
            "label": APPLICATION.label(ApplicationState(move.to_state)),
            "who": "" if move.actor.startswith("system:") else names.get(move.actor, ""),
            "reason": move.reason,
        }
        for move in moves
    ]


@login_required
@require_POST
def withdraw(request: HttpRequest, id: UUID) -> HttpResponse:
    """Take an application back."""
    services.withdraw(actor=accounts.actor_of(request), application_id=id, reason=request.POST.get("reason", ""))
    messages.success(request, gettext("The application is withdrawn."))
    return redirect("programmes:application", id=id)
