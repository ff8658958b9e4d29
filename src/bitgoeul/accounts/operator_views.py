"""Who works for the operator, and what staff may do to people's accounts."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import add_error, no_store, page_number

from . import attempts, elevation, operators, queries
from .authority import may, require, verbs
from .errors import ElevationNeeded
from .forms import OperatorForm, PersonForm
from .services import PORTAL
from .sessions import actor_of
from .types import ElevationView, OperatorRole


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """The people with operator roles; elevated staff give a role here."""
    actor = actor_of(request)
    found = operators.listed(actor=actor, page=page_number(request))
    if request.method == "POST":
        # Before any name is looked up, as on every such page.
        require(actor=actor, verb="accounts.grant_operator", thing=PORTAL)
    form = OperatorForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _grant(request, form)
        except DomainError as error:
            add_error(form, error)
        else:
            return redirect("accounts:operators")
    if request.method != "POST":
        operators.record_look(actor, found.items)
    context = {
        "page": found,
        "form": form,
        "may_grant": may(actor=actor, verb="accounts.grant_operator", thing=PORTAL),
        "may_revoke": may(actor=actor, verb="accounts.revoke_operator", thing=PORTAL),
        "may_end": may(actor=actor, verb="accounts.end_access", thing=PORTAL),
    }
    return no_store(render(request, "accounts/operators.html", context, status=422 if form.errors else 200))


def _grant(request: HttpRequest, form: OperatorForm) -> None:
    user_id = queries.person_to_add(form.cleaned_data["email"])
    operators.grant_role(actor=actor_of(request), user_id=user_id, role=OperatorRole(form.cleaned_data["role"]))
    messages.success(request, _("The role is given; the person signs in again to use it."))


@login_required
@require_POST
def revoke(request: HttpRequest, user_id: UUID, role: str) -> HttpResponse:
    """Take a role at the operator away."""
    if role not in set(OperatorRole):
        raise BadInput(N_("There is no such role."))
    operators.revoke_role(actor=actor_of(request), user_id=user_id, role=OperatorRole(role))
    messages.success(request, _("The role is taken away and the person signed out."))
    return redirect("accounts:operators")


@login_required
@require_POST
def end_access(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """End all sessions and tokens of a person."""
    sessions, tokens = operators.end_access(actor=actor_of(request), user_id=user_id)
    ended = ngettext("%(n)s sign-in", "%(n)s sign-ins", sessions) % {"n": sessions}
    keys = ngettext("%(n)s token", "%(n)s tokens", tokens) % {"n": tokens}
    messages.success(request, _("Ended: %(sessions)s, %(tokens)s.") % {"sessions": ended, "tokens": keys})
    return redirect("accounts:operators")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest) -> HttpResponse:
    """What staff may do about somebody's account: lift a wait, end their access, close or reopen it, erase."""
    actor = actor_of(request)
    require(actor=actor, verb="accounts.lift_lock", thing=PORTAL)
    form = PersonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _act(request, **form.cleaned_data)
        except DomainError as error:
            if isinstance(error, ElevationNeeded):
                raise
            add_error(form, error)
        else:
            return redirect("accounts:operator_person")
    return no_store(render(request, "accounts/person.html", {"form": form}, status=422 if form.errors else 200))


def _act(request: HttpRequest, email: str, act: str, reason: str) -> None:
    actor = actor_of(request)
    if act == "lift":
        attempts.lift(actor=actor, email=email)
    else:
        user_id = operators.by_email(actor=actor, email=email)
        if act == "end":
            operators.end_access(actor=actor, user_id=user_id)
        elif act == "close":
            operators.close_account(actor=actor, user_id=user_id, reason=reason)
        elif act == "reopen":
            operators.reopen_account(actor=actor, user_id=user_id)
        else:
            operators.erase_personal(actor=actor, user_id=user_id)
    messages.success(request, _("It is done."))


@login_required
@require_safe
def elevations(request: HttpRequest) -> HttpResponse:
    """Who was elevated, when, why and for what."""
    found = elevation.listed(actor=actor_of(request), page=page_number(request))
    labels = {verb.name: verb.label for verb in verbs()}
    names = queries.names(f"user:{view.user_id}" for view in found.items)

    def row(view: ElevationView) -> dict[str, object]:
        asked = [labels.get(name, Text("{name}", {"name": name})) for name in sorted(view.verbs)]
        return {"view": view, "name": names[f"user:{view.user_id}"], "verbs": asked}

    return no_store(render(request, "accounts/elevations.html", {"page": found.map(row)}))
