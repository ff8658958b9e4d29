"""A job as Slurm is asked for it, and how it is handed over on the command line. Pure, but for asking."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from bitgoeul.compute.ports import EngineRefused, JobSpec
from bitgoeul.kernel.text import N_

from .commands import Commands
from .config import CORE, WRAPPER_MIB, SlurmConfig

COMMENT = "bitgoeul:"
SWEEP_PREFIX = "bg-sweep-"
# Slurm counts whole minutes and from before our wrapper: its own limit must not come before the wrapper's.
SPARE_SECONDS = 60
ENTRY = "bitgoeul.engines.slurm.start"


@dataclass(frozen=True)
class Request:
    """What Slurm is asked for: one node, whole cores, MiB, minutes, and ``gres`` as ``gpu:h100:2``.

    ``array`` lists the indices of a job array, as ``0-3,7``; empty for a single job.
    """

    name: str
    comment: str
    account: str
    partition: str
    cores: int
    memory_mib: int
    minutes: int
    gres: str
    exclusive: bool
    directory: str
    script: str
    array: str = ""

    @property
    def output(self) -> str:
        """Where Slurm puts what the wrapper itself says; each element of an array has a file of its own."""
        return f"{self.directory}/{'%a.out' if self.array else 'slurm.out'}"


def name_of(job_id: UUID) -> str:
    """The job's name at Slurm: our id, for the accounting finds names, and comments only at some sites."""
    return f"bg-{job_id}"


def name_of_sweep(sweep: UUID) -> str:
    """The name of a sweep's arrays: with an index it names one job of ours, whatever its number."""
    return f"{SWEEP_PREFIX}{sweep}"


def array_of(asked: Request, sweep: UUID, indices: Sequence[int], directory: Path, config: SlurmConfig) -> Request:
    """The request for jobs of a sweep that ask for the same: one array, each element under the job's index.

    An element finds its job by the link of its index in the sweep's ``directory``.
    """
    return replace(
        asked,
        name=name_of_sweep(sweep),
        comment=f"{COMMENT}{sweep}",
        directory=str(directory),
        script=_script(directory, config),
        array=ranges(indices),
    )


def ranges(indices: Sequence[int]) -> str:
    """``[0, 1, 2, 5]`` → ``0-2,5``."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)


def _script(directory: Path, config: SlurmConfig) -> str:
    telemetry = () if config.telemetry is None else (json.dumps(config.telemetry.to_json()),)
    words = (config.python, "-I", "-m", ENTRY, str(directory), str(config.isolation), *telemetry)
    return f"#!/bin/sh\nexec {shlex.join(words)}\n"


def request_of(spec: JobSpec, directory: Path, config: SlurmConfig) -> Request:
    """The request for a job; raises EngineRefused for a device that this cluster does not have."""
    unknown = [device for device in spec.devices if device not in config.devices]
    if unknown:
        raise EngineRefused(
            N_("The cluster has no “{name}”. It has: {names}."),
            field="devices",
            name=unknown[0],
            names=", ".join(sorted(config.devices)) or "-",
        )
    partitions = {config.partitions[device] for device in spec.devices} or {config.partitions[CORE]}
    if len(partitions) > 1:
        raise EngineRefused(
            N_("No node of the cluster has these devices together: {names}."),
            field="devices",
            names=", ".join(sorted(spec.devices)),
        )
    gres = ",".join(f"{config.devices[device]}:{count}" for device, count in sorted(spec.devices.items()))
    return Request(
        name=name_of(spec.job_id),
        comment=f"{COMMENT}{spec.job_id}",
        account=config.account_of(spec.project),
        partition=partitions.pop(),
        cores=spec.limits.cores,
        memory_mib=spec.limits.memory_mib + WRAPPER_MIB,
        minutes=-(-(spec.limits.wall_seconds + SPARE_SECONDS) // 60),
        gres=gres,
        exclusive=spec.exclusive,
        directory=str(directory),
        script=_script(directory, config),
    )


def by_command(commands: Commands, asked: Request) -> int:
    """Hand a job over by sbatch; its number. Slurm never starts it a second time by itself."""
    options = [
        "--parsable", "--no-requeue", "--nodes=1", "--ntasks=1", "--export=ALL", "--open-mode=append",
        f"--job-name={asked.name}", f"--comment={asked.comment}", f"--account={asked.account}",
        f"--partition={asked.partition}", f"--cpus-per-task={asked.cores}", f"--mem={asked.memory_mib}M",
        f"--time={asked.minutes}", f"--chdir={asked.directory}", f"--output={asked.output}",
    ]  # fmt: skip
    if asked.gres:
        options.append(f"--gres={asked.gres}")
    if asked.array:
        options.append(f"--array={asked.array}")
    if asked.exclusive:
        options.append("--exclusive")
    return int(commands.run("sbatch", *options, text=asked.script).strip().split(";")[0])
