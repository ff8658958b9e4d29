"""Who asks: from the session of a page or the token of an API request."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from bitgoeul.kernel.errors import NotAllowed
from bitgoeul.kernel.text import N_

from .models import User
from .queries import actor_of_user
from .tokens import actor_of_token
from .types import Actor

CACHE = "_bitgoeul_actor"
FORWARDING_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def actor_of(request: HttpRequest) -> Actor:
    """The actor of a request; roles are read once a request, in three queries."""
    actor = getattr(request, CACHE, None)
    if not isinstance(actor, Actor):
        user = getattr(request, "user", None)
        actor = actor_of_user(user) if isinstance(user, User) and user.is_active else Actor.anonymous()
        setattr(request, CACHE, actor)
    return actor


def actor_seen(request: HttpRequest) -> str:
    """The id of whoever asked, as far as answering has found out; empty otherwise. Asks the database nothing."""
    actor = getattr(request, CACHE, None)
    return actor.id if isinstance(actor, Actor) and actor.is_signed_in else ""


class SessionAuth(APIKeyCookie):
    """The page's own session, with its CSRF check."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Any:
        """Nothing for a caller who sent a token: a bad token must not be answered as a missing form key."""
        return None if "Authorization" in request.headers else super().__call__(request)

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        """The signed-in person, or None."""
        actor = actor_of(request)
        return actor if actor.is_signed_in else None


class TokenAuth(HttpBearer):
    """``Authorization: Bearer …`` with a token of ours."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        """The token's actor, or None; a token that may only read is refused before anything runs."""
        actor = actor_of_token(token)
        if actor is None:
            return None
        if actor.read_only and request.method not in SAFE_METHODS:
            raise NotAllowed(N_("This token may only read."))
        setattr(request, CACHE, actor)
        return actor


session_or_token = [TokenAuth(), SessionAuth()]


def example_sign_in_open(request: HttpRequest) -> bool:
    """May named example people be signed in by one click: example mode, from this very machine, example loaded.

    A request that a proxy forwarded never counts as local, whatever address it shows; nor does any request of an
    installation whose public address is elsewhere, for its proxy may forward without a trace.
    """
    if settings.ENV.mode != "example" or any(name in request.META for name in FORWARDING_HEADERS):
        return False
    here = _is_loopback(request.META.get("REMOTE_ADDR", ""))
    published_here = _is_loopback(urlsplit(settings.PUBLIC_URL).hostname or "")
    return here and published_here and User.objects.filter(is_example=True).exists()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
