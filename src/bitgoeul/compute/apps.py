"""The compute room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    """Jobs, the engine port and metering."""

    name = "bitgoeul.compute"
    label = "compute"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the room's verbs."""
        from . import verbs  # noqa: F401
