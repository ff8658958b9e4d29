"""The resources room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ResourcesConfig(AppConfig):
    """Catalogue, allocations and usage."""

    name = "bitgoeul.resources"
    label = "resources"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register who may do what."""
        from . import verbs  # noqa: F401
