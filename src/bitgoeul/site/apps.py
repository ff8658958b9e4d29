"""The composition root as a Django app: wires events to facades once everything is loaded."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Base templates, static files and the wiring of rooms."""

    name = "bitgoeul.site"
    label = "site"

    def ready(self) -> None:
        """Subscribe the handlers of outbox topics, and register the checks for production."""
        from . import deploy_checks, wiring

        wiring.connect()
        deploy_checks.connect()
