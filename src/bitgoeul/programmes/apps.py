"""The programmes room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ProgrammesConfig(AppConfig):
    """Calls, applications, agreements."""

    name = "bitgoeul.programmes"
    label = "programmes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register this room's verbs."""
        from . import verbs  # noqa: F401
