"""Engines by entry point: the built-in one comes in by the same door as anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .ports import ENTRY_POINT_GROUP, Engine, EnginePlugin


@dataclass(frozen=True)
class Loaded:
    """The engines that are installed: those that loaded by name, and for each that did not, why."""

    plugins: Mapping[str, EnginePlugin]
    errors: Mapping[str, str]


def load(points: list[EntryPoint]) -> Loaded:
    """Load entry points; one that cannot be used is reported and does not take the others down."""
    plugins: dict[str, EnginePlugin] = {}
    errors: dict[str, str] = {}
    for point in sorted(points, key=lambda each: (each.name, each.value)):
        try:
            plugins[point.name] = _check(point, plugins)
        except Exception as error:  # noqa: BLE001  (a stranger's import may raise anything; it is reported)
            errors[point.name] = f"{point.value}: {type(error).__name__}: {error}"
    return Loaded(plugins, errors)


def _check(point: EntryPoint, known: Mapping[str, EnginePlugin]) -> EnginePlugin:
    if point.name in known:
        raise ValueError("another package already gives an engine of this name")
    plugin = point.load()
    if not isinstance(plugin, EnginePlugin):
        raise TypeError(f"not an EnginePlugin but {type(plugin).__name__}")
    if plugin.name != point.name:
        raise ValueError(f"the plug-in calls itself {plugin.name!r}")
    return plugin


@cache
def installed() -> Loaded:
    """The engines of this installation, read once a process."""
    return load(list(entry_points(group=ENTRY_POINT_GROUP)))


def make_engine(name: str, home: Path, config: Mapping[str, Any]) -> Engine:
    """Build the engine ``name`` over ``home``; raises BadInput that names what is installed or why it fails."""
    loaded = installed()
    if name in loaded.plugins:
        return loaded.plugins[name].make(home, config)
    if name in loaded.errors:
        raise BadInput(
            N_("The engine “{name}” cannot be loaded: {error}"),
            field="engine",
            name=name,
            error=loaded.errors[name],
        )
    raise BadInput(
        N_("There is no engine “{name}”. Installed: {names}."),
        field="engine",
        name=name,
        names=", ".join(sorted(loaded.plugins)) or "-",
    )
