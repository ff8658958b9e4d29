"""Addresses of what jobs run for: known to the higher rooms, told to this one when the site is wired."""

from __future__ import annotations

from collections.abc import Callable

from .types import Origin

_addresses: dict[str, Callable[[str], str]] = {}


def register_origin(kind: str, address: Callable[[str], str]) -> None:
    """Say how to reach the page of an origin of ``kind`` from its id."""
    _addresses[kind] = address


def origin_address(origin: Origin | None) -> str:
    """The page of an origin, or nothing when nobody said."""
    if origin is None or origin.kind not in _addresses:
        return ""
    return _addresses[origin.kind](origin.id)
