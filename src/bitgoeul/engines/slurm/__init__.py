"""The Slurm engine: jobs of a cluster that Slurm schedules, each under our own wrapper on its node.

Slurm decides when and where; the wrapper limits and watches the job there and writes when it started and how it
ended. Both are believed: a controller that lost a job, or gave its number to another, changes nothing of what the
wrapper wrote, and a job that neither knows is UNKNOWN. Platform and nodes share one directory and one Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitgoeul.compute.ports import EnginePlugin
from bitgoeul.kernel.text import N_, Text

if TYPE_CHECKING:
    from .engine import SlurmEngine


def make(home: Path, config: Mapping[str, Any]) -> SlurmEngine:
    """Build an engine over ``home``; see ``SlurmConfig`` for what ``config`` may say."""
    from .config import SlurmConfig  # the wrapper imports this package too and must start fast
    from .engine import SlurmEngine

    read = SlurmConfig.read(config)
    return SlurmEngine(Path(read.directory) if read.directory else home, read)


PLUGIN = EnginePlugin("slurm", Text(N_("A Slurm cluster")), make)
