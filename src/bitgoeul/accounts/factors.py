"""Second factors: passkeys for the public address, and codes that count as attempts when they fail."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from django.conf import settings
from django.core.exceptions import ValidationError

from . import attempts
from .errors import TooManyFailures
from .refusals import as_form_error


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """A passkey is bound to the host of the public address, whichever name the request came under."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The relying party as authenticators know it."""
        return {"id": urlsplit(settings.PUBLIC_URL).hostname or "localhost", "name": "빛고을"}


class _Counted:
    """Counts wrong codes with the account's other failures, across processes."""

    def clean_code(self) -> str:
        """The code when it is right."""
        email = self.user.email  # type: ignore[attr-defined]
        try:
            attempts.check("account", email)
        except TooManyFailures as error:
            raise as_form_error(error) from error
        try:
            code = str(super().clean_code())  # type: ignore[misc]
        except ValidationError:
            attempts.failed("account", email)
            raise
        attempts.clear("account", email)
        return code


class CountedAuthenticateForm(_Counted, AuthenticateForm):  # type: ignore[misc]
    """The code that ends a sign-in."""


class CountedReauthenticateForm(_Counted, ReauthenticateForm):  # type: ignore[misc]
    """The code that proves the person again."""
