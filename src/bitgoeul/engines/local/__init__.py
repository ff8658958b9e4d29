"""The local engine: jobs as supervised processes of this machine.

A job is a directory. A small wrapper process a job holds the directory's lock, limits the job, watches it, ends
its whole tree and writes down how it ended. The engine itself is a library without a process or memory of its
own: what runs is derived, under one lock, from the directories whose lock is held, so a slot can never leak.

How far it keeps jobs apart is a tier of isolation, the best that works on the machine: see ``isolation``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitgoeul.compute.ports import EnginePlugin
from bitgoeul.kernel.text import N_, Text

if TYPE_CHECKING:
    from .engine import LocalEngine
    from .isolation.enclosure import Isolation


def make(home: Path, config: Mapping[str, Any]) -> LocalEngine:
    """Build a local engine over ``home``; see ``LocalConfig`` for what ``config`` may say."""
    from .engine import LocalEngine  # the wrapper imports this package too and must start fast
    from .slots import LocalConfig

    return LocalEngine(home, LocalConfig.read(config))


def stop_all(home: Path, timeout_seconds: float = 10.0) -> int:
    """End every running job under ``home`` and wait until nothing of them is left; the number of jobs ended.

    The platform's supervisor calls it last, after the follower has stopped. Waiting jobs stay and start with the
    next start of the platform.
    """
    from .stop import stop

    return stop(home, timeout_seconds)


def isolation_of(home: Path, config: Mapping[str, Any]) -> tuple[Isolation, bool]:
    """How jobs of an engine over ``home`` are kept apart, and whether its settings let jobs start so.

    Raises BadInput for a wrong setting and OSError when the home cannot be written.
    """
    engine = make(home, config)
    found = engine.isolation()
    return found, engine.config.accepts(found.tier)


PLUGIN = EnginePlugin("local", Text(N_("This machine")), make)
