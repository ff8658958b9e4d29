"""Pages of the accounts room."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bitgoeul.kernel.errors import BadInput, DomainError, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import Page, add_error, no_store, page_number

from . import mail, queries, services
from .authority import may, require
from .example import named_people
from .forms import MemberForm, OrganisationForm
from .models import User
from .sessions import EXAMPLE, actor_of, example_sign_in_open
from .types import OrganisationKind, ProjectRole

MAILS_PER_PAGE = 20


def _next(request: HttpRequest, default: str) -> str:
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else default


@require_http_methods(["GET", "HEAD", "POST"])
def example_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as a named person of the example, by one click, on this machine only."""
    if not example_sign_in_open(request):
        raise NotFound()
    people = named_people()
    if request.method != "POST":
        context = {"people": people, "next": _next(request, "")}
        return render(request, "accounts/example_sign_in.html", context)
    chosen = next((person for person in people if person.code == request.POST.get("person")), None)
    if chosen is None:
        raise BadInput(N_("There is no such example person."), field="person")
    user = User.objects.get(pk=chosen.user_id)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[EXAMPLE] = str(user.pk)
    return redirect(_next(request, "/home/"))


@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """The mail of this example, newest first."""
    if not example_sign_in_open(request):
        raise NotFound()
    total = mail.count()
    number = min(page_number(request), max(1, -(-total // MAILS_PER_PAGE)))
    shown = mail.newest((number - 1) * MAILS_PER_PAGE, MAILS_PER_PAGE)
    page = Page(shown, number, MAILS_PER_PAGE, total)
    return no_store(render(request, "accounts/mails.html", {"page": page}))


@require_safe
def mail_one(request: HttpRequest, key: str) -> HttpResponse:
    """One message of this example."""
    if not example_sign_in_open(request):
        raise NotFound()
    return no_store(render(request, "accounts/mail.html", {"mail": mail.one(key)}))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_new(request: HttpRequest) -> HttpResponse:
    """Register an organisation."""
    form = OrganisationForm(request.POST if request.method == "POST" else None, initial={"id": new_id()})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = services.create_organisation(
                actor=actor_of(request),
                id=data["id"],
                name=data["name"],
                kind=OrganisationKind(data["kind"]),
                registration_number=data["registration_number"],
            )
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("“%(name)s” is registered.") % {"name": made.name})
            return redirect(_next(request, "/home/"))
    context = {"form": form, "next": _next(request, "")}
    return render(request, "accounts/organisation_new.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """The people of a project; who may, adds and changes them here."""
    actor = actor_of(request)
    project = queries.project(actor=actor, project_id=project_id)
    if request.method == "POST":
        # Before any name is looked up: who may not add people does not learn who has an account.
        require(actor=actor, verb="accounts.change_members", thing=project.thing)
    form = MemberForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _add(request, project_id, form)
        except DomainError as error:
            add_error(form, error)
        else:
            return redirect("accounts:members", project_id)
    context = {
        "project": project,
        "members": queries.members(actor=actor, project_id=project_id),
        "may_change": may(actor=actor, verb="accounts.change_members", thing=project.thing),
        "may_hand_over": may(actor=actor, verb="accounts.hand_over_project", thing=project.thing),
        "form": form,
    }
    return no_store(render(request, "accounts/members.html", context, status=422 if form.errors else 200))


def _add(request: HttpRequest, project_id: UUID, form: MemberForm) -> None:
    user_id = queries.person_to_add(form.cleaned_data["email"])
    role = ProjectRole(form.cleaned_data["role"])
    services.add_member(actor=actor_of(request), project_id=project_id, user_id=user_id, role=role)
    messages.success(request, _("Added to the project."))


@login_required
@require_POST
def member_remove(request: HttpRequest, project_id: UUID, user_id: UUID) -> HttpResponse:
    """Remove a person from a project."""
    services.remove_member(actor=actor_of(request), project_id=project_id, user_id=user_id)
    messages.success(request, _("Removed from the project."))
    return redirect("accounts:members", project_id)
