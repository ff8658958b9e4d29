"""Where a request came from, as far as it can be known."""

from __future__ import annotations

from django.conf import settings
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
    """The client's address; empty when it hides behind a proxy that the settings do not name.

    With ``BITGOEUL_TRUSTED_PROXIES=n`` it is the n-th address from the right of X-Forwarded-For: what stands
    further left may be forged.
    """
    direct = str(request.META.get("REMOTE_ADDR", ""))
    count = settings.TRUSTED_PROXIES
    if count:
        chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
        return chain[-count] if len(chain) >= count else direct
    forwarded = any(name in request.META for name in FORWARDING_HEADERS)
    return "" if forwarded and is_loopback(direct) else direct
