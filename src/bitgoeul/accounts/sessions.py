"""Who asks: from the session of a page or the token of an API request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from bitgoeul.kernel.text import N_

from . import attempts
from .addresses import FORWARDING_HEADERS, client_address
from .elevation import of_sign_in
from .errors import ScopeMissing
from .example import example_installation, is_loopback
from .models import User
from .queries import actor_of_user
from .tokens import actor_of_token
from .types import Actor, Assurance

CACHE = "_bitgoeul_actor"
# What a session keeps: the row of its sign-in, and (a person's id) whom something else than our factors proves.
SIGN_IN = "bitgoeul_sign_in"
EXAMPLE = "bitgoeul_example"
PROVIDER_FACTOR = "bitgoeul_provider_factor"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def actor_of(request: HttpRequest) -> Actor:
    """The actor of a request; each kind of role is read at most once a request, when asked for."""
    actor = getattr(request, CACHE, None)
    if not isinstance(actor, Actor):
        user = getattr(request, "user", None)
        actor = _person(request, user) if isinstance(user, User) and user.is_active else Actor.anonymous()
        setattr(request, CACHE, actor)
    return actor


def actor_seen(request: HttpRequest) -> str:
    """The id of whoever asked, as far as answering has found out; empty otherwise. Asks the database nothing."""
    actor = getattr(request, CACHE, None)
    return actor.id if isinstance(actor, Actor) and actor.is_signed_in else ""


def _person(request: HttpRequest, user: User) -> Actor:
    sign_in = sign_in_id(request)
    return actor_of_user(
        user,
        assurance=assurance_of(request),
        elevation=(lambda: of_sign_in(user.pk, sign_in)) if sign_in else None,
        when_asked=True,
    )


def forget_actor(request: HttpRequest) -> None:
    """Read the roles again when next asked: somebody signed in or out during this request."""
    if hasattr(request, CACHE):
        delattr(request, CACHE)


def sign_in_id(request: HttpRequest) -> UUID | None:
    """The row of the session; None before it has one."""
    kept = request.session.get(SIGN_IN) if hasattr(request, "session") else None
    return UUID(kept) if kept else None


def assurance_of(request: HttpRequest) -> Assurance:
    """What proves the person of this session, from what the sign-in wrote into it."""
    session, user_id = request.session, str(request.user.pk)
    records = get_authentication_records(request, request.user)
    if session.get(PROVIDER_FACTOR) == user_id or any(record.get("method") == "mfa" for record in records):
        return Assurance.SECOND_FACTOR
    if session.get(EXAMPLE) == user_id and _local_example(request):
        return Assurance.EXAMPLE
    return Assurance.SINGLE


class SessionAuth(APIKeyCookie):
    """The page's own session, with its CSRF check."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Any:
        """Nothing for who sent a token or no cookie: they must not be answered as if a form key were missing."""
        if "Authorization" in request.headers or self.param_name not in request.COOKIES:
            return None
        return super().__call__(request)

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
            # Only who sends wrong ones waits: a right token has nothing to guess and always works.
            attempts.check("token", client_address(request))
            attempts.failed("token", client_address(request))
            return None
        if actor.read_only and request.method not in SAFE_METHODS:
            raise ScopeMissing(N_("This token may only read."))
        setattr(request, CACHE, actor)
        return actor


session_or_token = [TokenAuth(), SessionAuth()]


def example_sign_in_open(request: HttpRequest) -> bool:
    """May named example people be signed in by one click: example mode, from this very machine, example loaded.

    A request that a proxy forwarded never counts as local, whatever address it shows; nor does any request of an
    installation whose public address is elsewhere, for its proxy may forward without a trace.
    """
    return _local_example(request) and User.objects.filter(is_example=True).exists()


def _local_example(request: HttpRequest) -> bool:
    if not example_installation() or any(name in request.META for name in FORWARDING_HEADERS):
        return False
    return is_loopback(request.META.get("REMOTE_ADDR", ""))
