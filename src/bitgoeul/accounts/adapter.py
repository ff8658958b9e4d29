"""What django-allauth does differently here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from bitgoeul.audit import facade as audit

from . import attempts, sign_ins
from .addresses import client_address
from .errors import TooManyFailures
from .models import User
from .refusals import as_form_error
from .sending import write_mail
from .sessions import sign_in_id
from .social import signed_in
from .types import Actor


def remember_language(response: HttpResponse, locale: str) -> None:
    """Let the browser ask for ``locale`` from now on, as the portal's language menu does."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        locale,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Mail goes the way of all mail; a greeting is in the person's language."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Render and write; called by django-allauth inside the request."""
        write_mail(self.render_mail(template_prefix, email, {"email": email, **context}))

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Greet a person in their own language, unless this browser has chosen one."""
        social = (kwargs.get("signal_kwargs") or {}).get("sociallogin")
        if social is not None:
            signed_in(request, user, social)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            remember_language(response, user.locale)
        return response

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse before the password is looked at while the account or the address has to wait."""
        try:
            attempts.check("account", str(credentials.get("email", "")))
            attempts.check("address", client_address(request))
        except TooManyFailures as error:
            raise as_form_error(error) from error
        super().pre_authenticate(request, **credentials)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the failure, whether or not there is such an account."""
        attempts.failed("account", str(credentials.get("email", "")))
        attempts.failed("address", client_address(request))

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """A right password forgets the account's failures; those of the address stay, or one's own account would
        wash a guesser clean."""
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and not is_mfa_enabled(user):
            attempts.clear("account", user.email)
        return user

    @transaction.atomic
    def set_password(self, user: User, password: str) -> None:
        """A new password ends every other session and the wait for the old one."""
        super().set_password(user, password)
        attempts.clear("account", user.email)
        request = context.request
        this = sign_in_id(request) if request is not None and request.user.pk == user.pk else None
        actor = Actor(id=user.actor_id, user_id=user.pk)
        audit.record(
            verb="accounts.change_password", subject_kind="user", subject_id=str(user.pk), actor=user.actor_id
        )
        sign_ins.end_all(actor=actor, user_id=user.pk, why="password", but=this)
