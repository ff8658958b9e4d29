"""What Slurm starts on a node, to run one job once.

``python -m bitgoeul.engines.slurm.start DIRECTORY TIER [TELEMETRY]``: ``DIRECTORY`` is the job's, or for an
element of an array that of its sweep; ``TELEMETRY`` says as JSON who measures the devices.

A controller that lost its memory may start a job again, and a job handed over twice may be there twice: whoever
finds the job's lock held, or a start or exit record there, does nothing. The exit status repeats the program's, so
that Slurm's own record says the same.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bitgoeul.compute.ports import SCHEDULER_NUMBER, Ending, JobSpec, Tier
from bitgoeul.engines.local.files import try_lock
from bitgoeul.engines.local.isolation import choose
from bitgoeul.engines.local.isolation.enclosure import Isolation
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.engines.local.slots import Grant
from bitgoeul.engines.local.wrapper import WATCHED, Wrapper
from bitgoeul.engines.slurm.numbers import note_double
from bitgoeul.kernel.clock import now, rfc3339

# EX_TEMPFAIL of sysexits.h: nothing is wrong with the job, it is only not run twice.
NOT_TWICE = 75
FAILED = 1
# Which variable tells a job its devices, by the first part of Slurm's name of the resource.
VARIABLES = {"gpu": "CUDA_VISIBLE_DEVICES", "npu": "NPU_VISIBLE_DEVICES"}
PASSED_ON = (*VARIABLES.values(), "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES")
# Where a job's devices stand by the numbers that they have on the node. CUDA_VISIBLE_DEVICES begins at 0 where
# Slurm shows a job only its own, and so does NVML in the job.
NODE_NUMBERS = ("SLURM_JOB_GPUS", "NPU_VISIBLE_DEVICES")
VISIBLE_NUMBERS = ("CUDA_VISIBLE_DEVICES",)
# Set where Slurm gives out parts of a card.
PARTS = ("SLURM_SHARDS_ON_NODE", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE")


def main(arguments: list[str]) -> int:
    """Run the job in the directory named by the first argument; the others as above."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    os.umask(0o077)
    number, tier = int(os.environ["SLURM_JOB_ID"]), Tier(arguments[1])
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = job_of(Path(arguments[0]), os.environ)
    if job is None:
        print(f"Slurm job {number}: its job was collected before; nothing is run twice.", file=sys.stderr)
        return NOT_TWICE
    lock = try_lock(job.lock)
    if lock is None or job.has("start") or job.has("exit"):
        note_double(job, number)
        print(f"Slurm job {number}: {job.job_id} was started before; nothing is run twice.", file=sys.stderr)
        return NOT_TWICE
    isolation = Isolation() if tier is Tier.LIMITS else choose.best(job.path.parents[1], tier)
    telemetry = json.loads(arguments[2]) if len(arguments) > 2 else None
    grant = granted(job.spec(), os.environ, visible=(telemetry or {}).get("reader") == "nvml")
    job.write(
        "launch",
        {
            "grant": grant.to_json(),
            "launches": 1,
            "launched_at": rfc3339(now()),
            "isolation": isolation.to_json(),
            "number": number,
            "array": int(array) if array else None,
            "telemetry": telemetry,
        },
    )
    node = os.environ.get("SLURMD_NODENAME", "")
    Wrapper(job, None, {"engine": "slurm", SCHEDULER_NUMBER: str(number), "node": node}).run()
    return status_of(job)


def job_of(directory: Path, environ: Mapping[str, str]) -> JobDir | None:
    """The job to run: the directory's, or in an array the one that the sweep's directory links to by its index."""
    index = environ.get("SLURM_ARRAY_TASK_ID")
    if index is None:
        return JobDir(directory)
    try:
        name = (directory / index).readlink().name
    except FileNotFoundError:
        return None
    return JobDir(directory.parents[1] / "jobs" / name)


def granted(spec: JobSpec, environ: Mapping[str, str], *, visible: bool = False) -> Grant:
    """What Slurm gave: cores of the node, and devices by the numbers that their variable tells.

    Slurm has chosen the processors; which of the machine's they are does not matter to the charge. Where no
    variable tells the numbers of a device they are counted from 0. ``indices`` are those of the node, or with
    ``visible`` those that the job itself sees; empty where nobody tells them.
    """
    cores = int(environ.get("SLURM_CPUS_ON_NODE", spec.limits.cores))
    variables = {name: environ[name] for name in PASSED_ON if environ.get(name)}
    told = [value.split(",") for value in variables.values()]
    devices = {}
    for name, count in spec.devices.items():
        numbers = next((each for each in told if len(each) == count and all(map(str.isdecimal, each))), None)
        devices[name] = tuple(map(int, numbers)) if numbers else tuple(range(count))
    indices = numbered(spec, environ, VISIBLE_NUMBERS if visible else NODE_NUMBERS)
    parts = any(environ.get(name) for name in PARTS) or "MIG-" in environ.get("CUDA_VISIBLE_DEVICES", "")
    return Grant(
        tuple(range(cores)), spec.limits.memory_mib, devices, spec.exclusive, False, variables, indices, parts
    )


def numbered(spec: JobSpec, environ: Mapping[str, str], names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The numbers of a job's devices where exactly one variable can mean them: with two kinds none is taken."""
    told = [value.split(",") for name in names if (value := environ.get(name))]
    if len(spec.devices) != 1 or len(told) != 1 or not all(map(str.isdecimal, told[0])):
        return {}
    ((name, count),) = spec.devices.items()
    return {name: tuple(map(int, told[0]))} if len(told[0]) == count else {}


def status_of(job: JobDir) -> int:
    """The exit status for Slurm's own record: the program's, and 0 only if the job kept all its promises."""
    end = job.read("exit") or {}
    if end.get("ending") == Ending.COMPLETED:
        return 0
    code = end.get("exit_code")
    return code if isinstance(code, int) and 0 < code < 128 else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
