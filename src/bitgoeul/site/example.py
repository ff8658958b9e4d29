"""Loads the example: each room's own loader, from low to high, every one of them idempotent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from bitgoeul.accounts.types import Actor

# Low rooms first: a call names resources, a trial names protocols.
ROOMS = ("accounts", "resources", "compute", "trials", "programmes", "outcomes")
Loader = Callable[..., object]


def loaders() -> Iterator[tuple[str, Loader]]:
    """Every room that brings an example, with its loader ``load_example(actor=, directory=)``."""
    for room in ROOMS:
        if find_spec(f"bitgoeul.{room}.facade"):
            loader = getattr(import_module(f"bitgoeul.{room}.facade"), "load_example", None)
            if loader is not None:
                yield room, loader


def load(directory: Path | None = None) -> Iterator[tuple[str, float]]:
    """Load room by room; tells each room's name and seconds as it is done."""
    actor = Actor.system("example")
    for room, loader in loaders():
        started = time.monotonic()
        loader(actor=actor, directory=directory or Path(settings.EXAMPLES))
        yield room, time.monotonic() - started
