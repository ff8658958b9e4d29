"""Who is at the other end of a connection: this machine, a trusted proxy, or anybody."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address

from django.http import HttpRequest

Network = IPv4Network | IPv6Network
FORWARDING_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)


def is_local(request: HttpRequest) -> bool:
    """Whether the request comes from a program on this machine and was not passed on by a proxy."""
    if any(name in request.META for name in FORWARDING_HEADERS):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def within(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether ``address`` is one of ``networks``; text that is no address is in none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)
