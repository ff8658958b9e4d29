"""Protocol plug-ins, found by entry point; the built-in ones come through the same door."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from bitgoeul.kernel.errors import Unavailable
from bitgoeul.kernel.text import N_

from .ports import ProtocolPlugin

ENTRY_POINT_GROUP = "bitgoeul.protocols"


@cache
def plugins() -> Mapping[str, ProtocolPlugin]:
    """Every installed plug-in by its code."""
    found: dict[str, ProtocolPlugin] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        plugin: ProtocolPlugin = entry.load()
        if plugin.code in found:
            raise RuntimeError(f"two protocol plug-ins call themselves {plugin.code}")
        found[plugin.code] = plugin
    return found


def plugin(code: str) -> ProtocolPlugin:
    """The plug-in of a protocol; Unavailable when it is no longer installed."""
    try:
        return plugins()[code]
    except KeyError as error:
        raise Unavailable(N_("The plug-in of the protocol “{code}” is not installed here."), code=code) from error
