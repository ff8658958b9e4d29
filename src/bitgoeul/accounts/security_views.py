"""One's own security: where one is signed in, elevation, and what was done lately."""

from __future__ import annotations

from uuid import UUID

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import add_error, no_store

from . import elevation, sign_ins
from .authority import require
from .forms import ElevationForm
from .services import PORTAL
from .sessions import actor_of, sign_in_id


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def elevate(request: HttpRequest) -> HttpResponse:
    """Ask for a time in which to do dangerous things; who may not is told why before any password is asked."""
    require(actor=actor_of(request), verb="accounts.elevate", thing=PORTAL)
    answer: HttpResponse = _elevate(request)
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
def _elevate(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    choices = elevation.elevated_verbs(actor)
    wanted = [verb.name for verb in choices if verb.name == request.GET.get("verb")]
    initial = {"id": new_id(), "verbs": wanted}
    form = ElevationForm(request.POST if request.method == "POST" else None, initial=initial, choices=choices)
    if request.method == "POST" and form.is_valid():
        sign_in = sign_in_id(request)
        if sign_in is None:
            raise BadInput(N_("Only a person who is signed in at the pages can ask for it."))
        try:
            elevation.elevate(actor=actor, sign_in_id=sign_in, **form.cleaned_data)
        except DomainError as error:
            add_error(form, error)
        else:
            messages.success(request, _("You are elevated. The strip above says how long."))
            return redirect("accounts:elevate")
    context = {"form": form, "choices": choices}
    return no_store(render(request, "accounts/elevate.html", context, status=422 if form.errors else 200))


@login_required
@require_POST
def elevation_end(request: HttpRequest, elevation_id: UUID) -> HttpResponse:
    """End one's own elevation now."""
    elevation.end(actor=actor_of(request), id=elevation_id)
    messages.success(request, _("The elevation has ended."))
    return redirect("accounts:elevate")


@login_required
@require_POST
def sign_in_end(request: HttpRequest, sign_in_id: UUID) -> HttpResponse:
    """End one of one's own sessions."""
    if sign_ins.end_mine(actor=actor_of(request), id=sign_in_id):
        messages.success(request, _("This sign-in has ended."))
    return redirect("accounts:account")


@login_required
@require_POST
def sign_ins_end(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    sign_ins.end_others(actor=actor_of(request), this=sign_in_id(request))
    messages.success(request, _("You are signed out everywhere else."))
    return redirect("accounts:account")
