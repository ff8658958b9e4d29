"""What a person sees of their own ways to sign in, and of what was done with their account lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.text import N_, Text

from .models import User

EVENTS: Mapping[str, Text] = {
    "accounts.sign_up": Text(N_("The account was made")),
    "accounts.change_account": Text(N_("Name or language changed")),
    "accounts.change_password": Text(N_("The password changed")),
    "accounts.end_sign_ins": Text(N_("Sign-ins ended")),
    "accounts.end_tokens": Text(N_("Tokens ended")),
    "accounts.lock_sign_in": Text(N_("Signing in failed several times")),
    "accounts.lift_lock": Text(N_("The wait after failures was lifted")),
    "accounts.elevate": Text(N_("An elevation began")),
    "accounts.end_elevation": Text(N_("An elevation was ended")),
    "accounts.grant_operator": Text(N_("A role at the operator was given")),
    "accounts.revoke_operator": Text(N_("A role at the operator was taken away")),
    "accounts.close_account": Text(N_("The account was closed")),
    "accounts.reopen_account": Text(N_("The account was opened again")),
}
EVENTS_SHOWN_MAX = 10
CONNECTED_MAX = 20


@dataclass(frozen=True)
class Overview:
    """A person's ways to sign in, and the latest of what touched them."""

    has_password: bool
    passkeys: int
    has_app: bool
    codes_left: int | None
    connected: tuple[str, ...]
    providers_exist: bool
    events: tuple[tuple[datetime, Text], ...]

    @property
    def has_second_factor(self) -> bool:
        """True with a passkey or an authenticator app."""
        return bool(self.passkeys or self.has_app)


def overview(user: User) -> Overview:
    """In three queries and one page of events."""
    rows = list(Authenticator.objects.filter(user=user))
    kinds = [row.type for row in rows]
    codes = next((row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
    names = {one.id: one.name for one in settings.SIGN_IN_PROVIDERS.providers}
    accounts = SocialAccount.objects.filter(user=user).order_by("pk")[:CONNECTED_MAX]
    history = audit.history("user", str(user.pk)).items
    return Overview(
        has_password=user.has_usable_password(),
        passkeys=kinds.count(Authenticator.Type.WEBAUTHN),
        has_app=Authenticator.Type.TOTP in kinds,
        codes_left=len(codes.wrap().get_unused_codes()) if codes else None,
        connected=tuple(names.get(one.provider, one.provider) for one in accounts),
        providers_exist=bool(names),
        events=tuple((one.at, EVENTS[one.verb]) for one in history if one.verb in EVENTS)[:EVENTS_SHOWN_MAX],
    )
