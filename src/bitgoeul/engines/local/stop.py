"""End all running jobs: the last thing the platform's supervisor does."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from bitgoeul.compute.ports import Ending

from .bury import bury
from .engine import LocalEngine
from .files import try_lock
from .jobdir import JobDir
from .processes import send
from .slots import LocalConfig


def stop(home: Path, timeout_seconds: float) -> int:
    """End running jobs as STOPPED and wait for it; see ``bitgoeul.engines.local.stop_all``."""
    if not (home / "jobs").is_dir():
        return 0
    engine = LocalEngine(home, LocalConfig.read({}))
    jobs = engine.running()
    for job in jobs:
        engine.end(job, Ending.STOPPED)
    limit = time.monotonic() + timeout_seconds
    left = jobs
    while left and time.monotonic() < limit:
        time.sleep(0.02)
        left = [job for job in left if job.held()]
    for job in left:
        kill_wrapper(job)
    for job in jobs:
        _bury_if_lost(job)
    return len(jobs)


def kill_wrapper(job: JobDir) -> None:
    """Kill a wrapper that did not end in time, and wait a moment until the kernel has let go of its lock."""
    wrapper = job.wrapper()
    if wrapper is not None:
        send(wrapper, signal.SIGKILL)
    limit = time.monotonic() + 2.0
    while job.held() and time.monotonic() < limit:
        time.sleep(0.01)


def _bury_if_lost(job: JobDir) -> None:
    lock = try_lock(job.lock)
    if lock is None:
        return
    try:
        if not job.has("exit"):
            bury(job)
    finally:
        os.close(lock)
