"""Each session has a row; a row that was ended, stood idle or grew too old ends the session at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bitgoeul.web.facade import no_store

from . import sign_ins
from .addresses import client_address
from .models import SignIn, User
from .sessions import SAFE_METHODS, SIGN_IN, actor_of, assurance_of, forget_actor, sign_in_id

Handler = Callable[[HttpRequest], HttpResponse]
WHY = {
    "idle": gettext_lazy("You were signed out because nothing was done here for a while."),
    "age": gettext_lazy("You were signed out because you had been signed in for a long time."),
    "ended": gettext_lazy("This sign-in was ended."),
}
# What a form holds that is of no use to read again, or must not be shown.
UNSHOWN = ("csrfmiddlewaretoken", "password", "code", "credential", "id")
FIELDS_MAX = 50


class SignInMiddleware:
    """Holds every signed-in session to its row in the list "where I am signed in"."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, or end the session and ask to sign in again without losing what was written."""
        over = self._over(request)
        if over and (answer := _signed_out(request, over)):
            return answer
        response = self.get_response(request)
        if request.user.is_authenticated and sign_in_id(request) is None:
            _begin(request)
        return response

    def _over(self, request: HttpRequest) -> str:
        """Why the session ended just now; empty when it lives or nobody is signed in."""
        if not request.user.is_authenticated:
            return ""
        kept = sign_in_id(request)
        row = sign_ins.find(kept, request.user.pk) if kept else _begin(request)
        actor = actor_of(request)
        why = sign_ins.run_out(row, operator=actor.is_operator or bool(actor.withheld_roles)) if row else "ended"
        if not why and row:
            if not _by_itself(request):
                sign_ins.seen(row, actor.assurance)
            return ""
        if row:
            sign_ins.close(row, why)
        logout(request)
        forget_actor(request)
        return why


def _begin(request: HttpRequest) -> SignIn:
    row = sign_ins.begin(
        user_id=cast("User", request.user).pk,
        device=request.headers.get("User-Agent", ""),
        address=client_address(request),
        assurance=assurance_of(request),
    )
    request.session[SIGN_IN] = str(row.pk)
    forget_actor(request)
    return row


def _by_itself(request: HttpRequest) -> bool:
    """A part of a page that the page asks for again and again: nobody need sit before it."""
    return request.method in SAFE_METHODS and "HX-Request" in request.headers


def _signed_out(request: HttpRequest, why: str) -> HttpResponse | None:
    """What the person sees; None where the address answers somebody unknown by itself (reading, or REST)."""
    if request.path.startswith("/api/"):
        return None
    if request.method in SAFE_METHODS:
        if "HX-Request" not in request.headers:
            messages.warning(request, " ".join((str(WHY[why]), _("Sign in again to go on."))))
        return None
    if request.path.startswith(("/accounts/", "/example/")):
        return None
    context = {"why": WHY[why], "fields": _written(request), "login": _login_address(request)}
    return no_store(render(request, "accounts/signed_out.html", context, status=401))


def _written(request: HttpRequest) -> list[tuple[str, str]]:
    """What the person wrote into the form that could not be taken, to copy it from."""
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    return [(name, value) for name, value in fields if value.strip() and not name.startswith(UNSHOWN)][:FIELDS_MAX]


def _login_address(request: HttpRequest) -> str:
    """Sign-in that leads back to the page the form stood on."""
    came = urlsplit(request.headers.get("Referer", ""))
    back = came.path if came.netloc == request.get_host() and came.path else settings.LOGIN_REDIRECT_URL
    return f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': back})}"
