"""What happens in the program's process between fork and exec: session, limits, processors, parent's death."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from bitgoeul.compute.ports import JobSpec, Limits

from .isolation.enclosure import THREADS_BESIDE, Enclosure
from .processes import MARKER, user_tasks
from .slots import Grant

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
MIB = 1024 * 1024
OPEN_FILES = 1024

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """Call prctl(2); raises OSError."""
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def become_subreaper() -> None:
    """Orphans of the job become our children instead of init's, so that none can leave the tree."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def confiner(spec: JobSpec, grant: Grant, enclosure: Enclosure) -> Callable[[], None]:
    """The function that the forked child runs before it becomes the program, or the container around it."""
    parent, limits = os.getpid(), resource_limits(spec.limits, enclosure.own_processes)
    processors = pinned(grant)

    def confine() -> None:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the wrapper died before the line above could take hold
            os._exit(127)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        for kind, (soft, hard) in limits.items():
            resource.setrlimit(kind, (soft, hard))
        if processors:
            os.sched_setaffinity(0, processors)
        os.umask(0o077)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        enclosure.enter()

    return confine


def resource_limits(limits: Limits, own_processes: int = 0) -> dict[int, tuple[int, int]]:
    """The rlimits of each process, (soft, hard), never above what we have ourselves.

    RLIMIT_DATA bounds private memory of one process a quarter above the job's limit: the wrapper's watch, which
    sees all processes together, then names the ending. RLIMIT_AS would refuse the address space that runtimes
    reserve and never touch. RLIMIT_NPROC counts all threads of the user on this machine and does not bind root:
    it only bounds a fork bomb, and the wrapper's watch counts the job's own processes.
    """
    seconds = limits.cores * limits.wall_seconds + 1
    wanted = {
        resource.RLIMIT_DATA: (limits.memory_mib * MIB * 5 // 4 + 64 * MIB,) * 2,
        resource.RLIMIT_FSIZE: (limits.file_mib * MIB,) * 2,
        resource.RLIMIT_CPU: (seconds, seconds + 5),
        resource.RLIMIT_NPROC: (user_tasks() + limits.processes + own_processes + THREADS_BESIDE,) * 2,
        resource.RLIMIT_NOFILE: (OPEN_FILES,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    return {kind: _within(resource.getrlimit(kind)[1], pair) for kind, pair in wanted.items()}


def _within(ceiling: int, pair: tuple[int, int]) -> tuple[int, int]:
    if ceiling == resource.RLIM_INFINITY:
        return pair
    return min(pair[0], ceiling), min(pair[1], ceiling)


def pinned(grant: Grant) -> set[int]:
    """The machine's processors for the cores the job holds; empty for none in particular.

    An exclusive job has the machine for itself and may spread its threads; so may all when more cores are handed
    out than there are processors.
    """
    processors = sorted(os.sched_getaffinity(0))
    if grant.exclusive or not grant.pinned or max(grant.cores, default=0) >= len(processors):
        return set()
    return {processors[core] for core in grant.cores}


def environment(spec: JobSpec, grant: Grant, directory: Path, isolation: str) -> dict[str, str]:
    """The program's whole environment: nothing of the platform's own, so no secret can leak through it.

    CUDA by itself puts a machine's fastest card first; drivers and exporters number cards by their place on the
    bus. A job with devices gets the second order, so that a number means the same card to it and to who measures.
    """
    devices = {_device_variable(n): ",".join(map(str, numbers)) for n, numbers in grant.devices.items()}
    if devices:
        devices["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(spec.limits.cores),
        **spec.env,
        **grant.variables,
        **devices,
        "HOME": str(directory / "work"),
        "TMPDIR": str(directory / "tmp"),
        "BITGOEUL_CORES": str(spec.limits.cores),
        "BITGOEUL_ISOLATION": isolation,
        MARKER: str(spec.job_id),
    }


def _device_variable(name: str) -> str:
    return "BITGOEUL_DEVICE_" + "".join(c if c.isalnum() else "_" for c in name.upper())
