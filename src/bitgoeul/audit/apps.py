"""The audit room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Events, hash chain, outbox, state moves."""

    name = "bitgoeul.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
