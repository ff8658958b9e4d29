"""The accounts room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, organisations, projects, memberships and may()."""

    name = "bitgoeul.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register who may do what."""
        from . import verbs  # noqa: F401
