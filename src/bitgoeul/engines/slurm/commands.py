"""Slurm's commands: run with a limit on time, answered in lines, and their refusals in our words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bitgoeul.compute.ports import EngineRefused, EngineUnavailable
from bitgoeul.kernel.text import N_

from .config import SlurmConfig

SECONDS_MAX = 30.0
# Slurm's exit status is 1 for everything, so its words have to tell; each was seen with Slurm 22.05.
AWAY = re.compile(
    r"Unable to contact|Connection refused|timed out|Connection reset|Zero Bytes were transmitted"
    r"|Resource temporarily|slurmdbd|Socket|Transport endpoint|not responding|"
    r"Unexpected message received|Slurm backup controller",
    re.IGNORECASE,
)
REFUSALS = (
    ("Invalid account", "account", N_("The cluster has no account for this project that you may use.")),
    ("Invalid partition", "partition", N_("The cluster has no such partition.")),
    ("Invalid generic resource", "devices", N_("The cluster has no node with so many of these devices.")),
    ("node configuration is not available", "cores", N_("No node of the cluster has what the job asks for.")),
    ("CPU count per node", "cores", N_("No node of the cluster has so many cores. Ask for less.")),
    ("Memory specification can not", "memory_mib", N_("No node of the cluster has so much memory. Ask for less.")),
    ("Requested time limit", "wall_seconds", N_("The job's time is over the partition's limit. Ask for less.")),
    ("MaxWall", "wall_seconds", N_("The job's time is over the limit of the project. Ask for less.")),
    ("GrpTRESMins", "limit", N_("What is left of the project's grant does not reach for this job.")),
    ("accounting/QOS policy", "limit", N_("The job is over a limit of the project at the cluster.")),
)  # fmt: skip


class Commands:
    """The commands of one cluster."""

    def __init__(self, config: SlurmConfig) -> None:
        self._folder = config.commands
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "LC_ALL": "C.UTF-8",
            # Times are printed in the zone of the caller.
            "TZ": "UTC",
            "SLURM_TIME_FORMAT": "standard",
        }
        if conf := config.conf or os.environ.get("SLURM_CONF", ""):
            self._environment["SLURM_CONF"] = conf

    def run(self, name: str, *arguments: str, text: str = "") -> str:
        """What the command printed; raises EngineUnavailable when Slurm cannot be asked, EngineRefused on a no."""
        command = [str(Path(self._folder) / name) if self._folder else name, *arguments]
        try:
            done = subprocess.run(
                command, input=text, env=self._environment, cwd="/", capture_output=True, text=True,
                timeout=SECONDS_MAX, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise EngineUnavailable(N_("Slurm does not answer in time. It is tried again.")) from error
        except OSError as error:
            raise EngineUnavailable(
                N_("Slurm's command “{name}” cannot be run: {error}."), name=name, error=error.strerror or ""
            ) from error
        if done.returncode:
            raise refusal(name, done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def lines(self, name: str, *arguments: str) -> list[list[str]]:
        """The command's lines, each cut at its bars."""
        return [line.split("|") for line in self.run(name, *arguments).splitlines() if line]


def refusal(name: str, said: str) -> EngineRefused | EngineUnavailable:
    """What Slurm's words mean: gone for now, or a no for good with the field that it is about."""
    last = said.splitlines()[-1] if said else ""
    if AWAY.search(said) and not _known(said):
        return EngineUnavailable(N_("Slurm cannot be asked at the moment: {said}"), said=last[:200])
    for part, field, words in _known(said):
        return EngineRefused(words, field=field, part=part)
    return EngineRefused(N_("Slurm's {name} refused: {said}"), name=name, said=last[:200])


def _known(said: str) -> Sequence[tuple[str, str, str]]:
    return [each for each in REFUSALS if each[0].lower() in said.lower()]
