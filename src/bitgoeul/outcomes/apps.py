"""The outcomes room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class OutcomesConfig(AppConfig):
    """Reported figures, indicators, verified claims."""

    name = "bitgoeul.outcomes"
    label = "outcomes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register this room's verbs."""
        from . import verbs  # noqa: F401
