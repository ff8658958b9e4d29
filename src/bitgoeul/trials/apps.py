"""The trials room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class TrialsConfig(AppConfig):
    """Subjects, protocols, trials, records, evidence and stages."""

    name = "bitgoeul.trials"
    label = "trials"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register this room's verbs."""
        from . import evidence_verbs, verbs  # noqa: F401
