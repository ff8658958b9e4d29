"""How people sign in: django-allauth's settings, as plain constants that ``site.settings`` takes over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from . import provider_file

# Attempts / period / by whom, as django-allauth reads them, over all processes (``site.shared_cache``). Failed
# sign-ins are counted in the database instead (``accounts.attempts``).
RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "",  # without an entry django-allauth's own limit would count beside ours
    "signup": "20/m/ip",
    "confirm_email": "1/3m/key",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
}

ALLAUTH: dict[str, Any] = {
    "ACCOUNT_ADAPTER": "bitgoeul.accounts.adapter.AccountAdapter",
    "ACCOUNT_LOGIN_METHODS": {"email"},
    "ACCOUNT_SIGNUP_FIELDS": ["email*", "password1*", "password2*"],
    "ACCOUNT_SIGNUP_FORM_CLASS": "bitgoeul.accounts.signup.SignUpForm",
    "ACCOUNT_USER_MODEL_USERNAME_FIELD": None,
    "ACCOUNT_EMAIL_VERIFICATION": "mandatory",
    "ACCOUNT_EMAIL_SUBJECT_PREFIX": "[빛고을] ",
    "ACCOUNT_PREVENT_ENUMERATION": True,
    "ACCOUNT_SESSION_REMEMBER": False,
    "ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION": True,
    "ACCOUNT_LOGOUT_REDIRECT_URL": "/",
    "ACCOUNT_RATE_LIMITS": RATE_LIMITS,
    "MFA_ADAPTER": "bitgoeul.accounts.factors.MFAAdapter",
    "MFA_SUPPORTED_TYPES": ["totp", "webauthn", "recovery_codes"],
    "MFA_PASSKEY_LOGIN_ENABLED": True,
    "MFA_TOTP_ISSUER": "bitgoeul",
    "MFA_FORMS": {
        "authenticate": "bitgoeul.accounts.factors.CountedAuthenticateForm",
        "reauthenticate": "bitgoeul.accounts.factors.CountedReauthenticateForm",
    },
    "SOCIALACCOUNT_ADAPTER": "bitgoeul.accounts.social.SocialAccountAdapter",
    "SOCIALACCOUNT_AUTO_SIGNUP": True,
    "SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT": True,
    "SOCIALACCOUNT_STORE_TOKENS": False,
}


def with_providers(path: Path | None, *, public_url: str, production: bool) -> dict[str, Any]:
    """All of them, with the identity providers of the file; ends the process when it cannot be used."""
    try:
        found = provider_file.load(path, production=production)
        apps = provider_file.allauth_apps(found)
    except provider_file.BadProviderFile as error:
        print(f"bitgoeul: BITGOEUL_SIGN_IN_PROVIDERS: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    return ALLAUTH | {
        "SIGN_IN_PROVIDERS": found,
        "SIGN_IN_ORIGINS": provider_file.origins(found),
        "SOCIALACCOUNT_PROVIDERS": apps,
        # On plain http browsers give passkeys to localhost alone, and only an example is published by it.
        "MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN": public_url.startswith("http://"),
    }
