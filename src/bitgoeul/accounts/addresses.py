"""Where a request came from, as far as it can be known."""

from __future__ import annotations

from django.http import HttpRequest

from .example import is_loopback

FORWARDING_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)


def client_address(request: HttpRequest) -> str:
    """The client's address; empty when it hides behind a proxy of this machine that the settings do not name."""
    direct = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = any(name in request.META for name in FORWARDING_HEADERS)
    return "" if forwarded and is_loopback(direct) else direct
