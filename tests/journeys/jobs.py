"""Short jobs on a running installation, sent until they are taken, and what must hold of them afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx

from bitgoeul.kernel.errors import DomainError
from installation import environment, wait_for

ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "REFUSED"}
CODE = "import time; t = time.monotonic()\nwhile time.monotonic() - t < {seconds}: pass\nprint('done')"


def project_of(installation) -> str:
    """The id of a new project with resources, of the named founder."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("prepare.py"))],
        env=environment(installation.home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def insist(act, seconds=40.0):
    """Repeat a call until the platform answers: every write has its own id, so repeating is harmless."""
    limit = time.monotonic() + seconds
    while True:
        try:
            return act()
        except (DomainError, httpx.HTTPError) as error:
            if time.monotonic() > limit:
                raise AssertionError(f"no answer within {seconds} s: {error!r}") from error
            time.sleep(0.1)


def submit(client, project, chance):
    """One short job with an id of our own; sent again until it is known to be taken."""
    job_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    seconds = round(chance.uniform(0.1, 1.0), 2)
    body = {
        "id": job_id,
        "project_id": project,
        "name": f"kill {job_id[:8]}",
        "argv": [sys.executable, "-c", CODE.format(seconds=seconds)],
        "limits": {"cores": 1, "memory_mib": 256, "wall_seconds": 30},
    }
    insist(lambda: client.call("POST", "/api/v1/jobs", json=body))
    return job_id


def charged_once(client, project, found, seed):
    """What the statement says was used is the sum of what the jobs were charged, and nothing is held any more."""
    total = {}
    for job in found:
        assert job["charged"], (seed, job)
        for unit, amount in job["charged"].items():
            total[unit] = total.get(unit, 0) + amount
    rows = wait_for(lambda: settled(client, project), 30)
    assert {row["unit"]: row["used"] for row in rows if row["used"]} == total, (seed, rows)


def settled(client, project):
    """The project's allocations once nothing is held."""
    rows = list(client.allocations(project))
    return rows if not any(row["held"] for row in rows) else None
