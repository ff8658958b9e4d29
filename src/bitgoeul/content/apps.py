"""The content room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ContentConfig(AppConfig):
    """Files by digest."""

    name = "bitgoeul.content"
    label = "content"
    default_auto_field = "django.db.models.BigAutoField"
