"""How people sign in: django-allauth's settings, as plain constants that ``site.settings`` takes over."""

from __future__ import annotations

from typing import Any

ALLAUTH: dict[str, Any] = {
    "ACCOUNT_LOGIN_METHODS": {"email"},
    "ACCOUNT_SIGNUP_FIELDS": ["email*", "password1*", "password2*"],
    "ACCOUNT_USER_MODEL_USERNAME_FIELD": None,
}
