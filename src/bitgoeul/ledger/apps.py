"""The ledger room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Units, accounts, transfers and holds."""

    name = "bitgoeul.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
