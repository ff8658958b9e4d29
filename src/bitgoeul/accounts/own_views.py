"""One's own account, one's organisation, and who owns a project."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_POST

from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import add_error, no_store

from . import queries, security, services, sign_ins, tokens
from .adapter import remember_language
from .authority import may, require
from .forms import AccountForm, OrganisationMemberForm, TokenForm
from .models import User
from .rules import show_registration_number
from .sessions import actor_of, sign_in_id
from .types import OrganisationRole


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """One's own account: name and language, ways to sign in, organisations, tokens."""
    form = AccountForm(request.POST if request.method == "POST" else None, initial=_kept(request))
    if request.method == "POST" and form.is_valid():
        try:
            services.change_account(actor=actor_of(request), **form.cleaned_data)
        except DomainError as error:
            add_error(form, error)
        else:
            return _saved(request, form.cleaned_data["locale"])
    return _account_page(request, form, TokenForm(initial={"id": new_id()}))


def _kept(request: HttpRequest) -> dict[str, str]:
    user = cast("User", request.user)
    return {"display_name": user.display_name, "locale": user.locale}


def _saved(request: HttpRequest, locale: str) -> HttpResponse:
    with override(locale):
        messages.success(request, _("Your account is saved."))
    response = redirect("accounts:account")
    remember_language(response, locale)
    return response


def _account_page(request: HttpRequest, form: AccountForm, token_form: TokenForm) -> HttpResponse:
    actor = actor_of(request)
    context = {
        "form": form,
        "token_form": token_form,
        "email": cast("User", request.user).email,
        "organisations": queries.my_organisations(actor),
        "tokens": tokens.my_tokens(actor),
        "security": security.overview(cast("User", request.user)),
        "sign_ins": sign_ins.mine(actor, sign_in_id(request)),
    }
    status = 422 if form.errors or token_form.errors else 200
    return no_store(render(request, "accounts/account.html", context, status=status))


@login_required
@require_POST
def token_new(request: HttpRequest) -> HttpResponse:
    """Make a token and show its secret, this once: the answer is the page itself, not a redirect."""
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            made = tokens.issue_token(actor=actor_of(request), **form.cleaned_data)
        except DomainError as error:
            add_error(form, error)
        else:
            context = {"made": made, "name": form.cleaned_data["name"]}
            return no_store(render(request, "accounts/token_made.html", context))
    return _account_page(request, AccountForm(initial=_kept(request)), form)


@login_required
@require_POST
def token_end(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End one of one's own tokens."""
    tokens.revoke_token(actor=actor_of(request), id=token_id)
    messages.success(request, _("The token no longer works."))
    return redirect("accounts:account")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def organisation(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """An organisation and its people; its owner adds people here."""
    actor = actor_of(request)
    view = queries.organisation(actor=actor, organisation_id=organisation_id)
    if request.method == "POST":
        # Before any name is looked up: who may not add people does not learn who has an account.
        require(actor=actor, verb="accounts.change_organisation_members", thing=view.thing)
    form = OrganisationMemberForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _add(request, organisation_id, form)
        except DomainError as error:
            add_error(form, error)
        else:
            return redirect("accounts:organisation", organisation_id)
    see_people = may(actor=actor, verb="accounts.view_organisation_members", thing=view.thing)
    people = queries.organisation_members(actor=actor, organisation_id=organisation_id) if see_people else []
    context = {
        "organisation": view,
        "number": show_registration_number(view.registration_number),
        "see_people": see_people,
        "members": people,
        "may_change": may(actor=actor, verb="accounts.change_organisation_members", thing=view.thing),
        "form": form,
    }
    return no_store(render(request, "accounts/organisation.html", context, status=422 if form.errors else 200))


def _add(request: HttpRequest, organisation_id: UUID, form: OrganisationMemberForm) -> None:
    user_id = queries.person_to_add(form.cleaned_data["email"])
    services.add_organisation_member(
        actor=actor_of(request),
        organisation_id=organisation_id,
        user_id=user_id,
        role=OrganisationRole(form.cleaned_data["role"]),
    )
    messages.success(request, _("Added to the organisation."))


@login_required
@require_POST
def organisation_member_remove(request: HttpRequest, organisation_id: UUID, user_id: UUID) -> HttpResponse:
    """Remove a person from an organisation."""
    actor = actor_of(request)
    services.remove_organisation_member(actor=actor, organisation_id=organisation_id, user_id=user_id)
    messages.success(request, _("Removed from the organisation."))
    if user_id == actor.user_id:
        # They may no longer see the organisation's page.
        return redirect("accounts:account")
    return redirect("accounts:organisation", organisation_id)


@login_required
@require_POST
def hand_over(request: HttpRequest, project_id: UUID, user_id: UUID) -> HttpResponse:
    """Make a person of a project its owner."""
    services.hand_over_project(actor=actor_of(request), project_id=project_id, user_id=user_id)
    messages.success(request, _("The project has a new owner. You are now its manager."))
    return redirect("accounts:members", project_id)
