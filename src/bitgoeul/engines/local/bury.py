"""What is done when a job's wrapper died without a word: end what is left, write down what is known."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from datetime import timedelta

from bitgoeul.compute.ports import Ending
from bitgoeul.kernel.clock import now, parse_rfc3339, rfc3339

from .files import Record
from .isolation.enclosure import Enclosure
from .jobdir import JobDir
from .processes import Identity, in_session, marked, send

CLEAR_SECONDS = 5.0


def never_started(cause: Ending, detail: str = "") -> Record:
    """The exit record of a job whose program never ran."""
    return {
        "ending": cause,
        "params": {"detail": detail} if detail else {},
        "exit_code": None,
        "started_at": None,
        "ended_at": rfc3339(now()),
        "wall_ms": 0,
        "cpu_ms": 0,
        "memory_kib_max": 0,
    }


def bury(job: JobDir) -> bool:
    """End a lost job's leftovers and write its exit record; the caller holds the job's lock.

    False when something could not be ended yet: the job still counts as running, and the next look tries again.
    """
    start = job.read("start")
    if start is None:
        job.write("exit", never_started(Ending.NOT_STARTED, "the supervisor of the job could not start"))
        return True
    if not clear(job):
        return False
    job.write("exit", cut_off(job, start, Ending.ENGINE_LOST))
    return True


def cut_off(job: JobDir, start: Record, ending: Ending, params: Mapping[str, str | int] | None = None) -> Record:
    """The exit record of a job whose wrapper could not write one: what it used up to its last heartbeat."""
    last = job.read("heartbeat") or {"wall_ms": 0, "cpu_ms": 0, "memory_kib_max": 0}
    ended_at = parse_rfc3339(start["started_at"]) + timedelta(milliseconds=last["wall_ms"])
    return {
        "ending": ending,
        "params": dict(params or {}),
        "exit_code": None,
        "started_at": start["started_at"],
        "ended_at": rfc3339(ended_at),
        "wall_ms": last["wall_ms"],
        "cpu_ms": last["cpu_ms"],
        "memory_kib_max": last["memory_kib_max"],
        "metering": last.get("metering", ""),
        "samples": last.get("samples", []),
        "devices": last.get("devices", {}),
    }


def clear(job: JobDir) -> bool:
    """Kill what is in the job's cgroup, carries its marker or is of its session; whether all of it is gone."""
    limit = time.monotonic() + CLEAR_SECONDS
    enclosure = Enclosure(job.isolation(), job.path.name)
    while True:
        enclosure.kill()
        left = leftovers(job)
        if not left and enclosure.remove():
            return True
        if time.monotonic() > limit:
            return False
        for identity in left:
            send(identity, signal.SIGKILL)
        time.sleep(0.01)


def leftovers(job: JobDir) -> set[Identity]:
    """Live processes of the job, found without its wrapper."""
    child = (job.read("heartbeat") or {}).get("child")
    session = in_session(Identity.parse(child)) if child else []
    return {*marked(str(job.job_id)), *session}
