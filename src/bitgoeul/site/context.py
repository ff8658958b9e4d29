"""What every template knows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from bitgoeul.accounts import facade as accounts


def portal(request: HttpRequest) -> dict[str, object]:
    """The person asking and what the installation says of itself."""
    return {
        "actor": accounts.actor_of(request),
        "show_example_strip": not settings.ENV.official_site,
        # Asks the database, for the one page that offers it.
        "example_sign_in": SimpleLazyObject(lambda: accounts.example_sign_in_open(request)),
    }
