"""Signing in by an identity provider: whose account it is, and what the provider's claims give."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bitgoeul.audit import facade as audit

from .claims import apply_claims, claims_of, second_factor_said
from .models import User
from .provider_file import OidcProvider, SamlProvider
from .sessions import PROVIDER_FACTOR

NAME_LENGTH_MAX = 80


def provider_of(login: SocialLogin) -> OidcProvider | SamlProvider | None:
    """The provider's entry in the file; None for one that has left it."""
    return next((one for one in settings.SIGN_IN_PROVIDERS.providers if one.id == login.account.provider), None)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """An account is joined by e-mail only where the file trusts the provider for the domain; else by its owner."""

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        """Asked only for addresses that the provider says are verified."""
        provider = provider_of(login)
        domain = email.rpartition("@")[2].lower()
        return provider is not None and domain in [one.lower() for one in provider.trusted_domains]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Send somebody whose e-mail has an account here to sign in to it first: a claim alone takes none over."""
        if (
            sociallogin.is_existing
            or sociallogin.state.get("process") == "connect"
            or request.user.is_authenticated
        ):
            return
        emails = {one.email.lower() for one in sociallogin.email_addresses}
        known = any(
            User.objects.filter(email__iexact=email).exists()
            or EmailAddress.objects.filter(email__iexact=email).exists()
            for email in emails
        )
        if known:
            messages.warning(
                request,
                _("An account has this e-mail. Sign in to it, then connect the provider on the next page."),
            )
            query = urlencode({"next": reverse("socialaccount_connections")})
            raise ImmediateHttpResponse(redirect(f"{reverse('account_login')}?{query}"))

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """The suggested account: e-mail and the name the provider gives."""
        user = cast("User", super().populate_user(request, sociallogin, data))
        name = " ".join(str(data.get("name") or data.get("last_name") or "").split())
        user.display_name = (name or user.email.partition("@")[0])[:NAME_LENGTH_MAX]
        user.locale = (get_language() or "ko")[:2]
        return user

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Keep the new account and write down that it was made."""
        user = cast("User", super().save_user(request, sociallogin, form))
        audit.record(
            verb="accounts.sign_up",
            subject_kind="user",
            subject_id=str(user.pk),
            actor=user.actor_id,
            after={"provider": sociallogin.account.provider},
            personal={"email": user.email, "display_name": user.display_name},
        )
        return user


def signed_in(request: HttpRequest, user: User, login: SocialLogin) -> None:
    """The person is signed in by a provider: read their claims again, and whether it saw a second factor."""
    provider = provider_of(login)
    if provider is None:
        return
    claims = claims_of(login.account.extra_data)
    apply_claims(user, provider, claims)
    if second_factor_said(provider, claims):
        request.session[PROVIDER_FACTOR] = str(user.pk)
