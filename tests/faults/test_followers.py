"""Several followers race for the same jobs, and are killed while they do: nothing runs twice, nothing is lost.

RACE_JOBS is the number of jobs in the race (400 in a soak), SOAK_ROUNDS the number of kills.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from bitgoeul.engines.local.jobdir import JobDir
from faults.followers import FOLLOWERS, Followers, act, report, runs_of

pytestmark = pytest.mark.slow
JOBS = int(os.environ.get("RACE_JOBS", "40"))
KILLS = int(os.environ.get("SOAK_ROUNDS", "3")) * 4


@pytest.fixture
def field(stopped_installation, tmp_path):
    """A home with queued jobs, and the directory in which each leaves a line a run."""
    ran = tmp_path / "ran"
    ran.mkdir()
    act(stopped_installation.home, "prepare", str(JOBS), str(ran), "8")
    return stopped_installation, ran


def check(installation, ran: Path, lost: set[str] = frozenset()) -> None:
    """What must hold after any race: ``lost`` are jobs whose wrapper was killed."""
    found = report(installation)
    assert len(found["jobs"]) == JOBS
    for job_id, job in found["jobs"].items():
        if job_id in lost and job["ending"] == "engine_lost":
            assert (job["state"], runs_of(ran, job_id) <= 1) == ("FAILED", True), job
        else:
            assert (job["state"], runs_of(ran, job_id)) == ("SUCCEEDED", 1), (job_id, job)
    assert list((installation.home / "engine" / "local" / "jobs").iterdir()) == []


def test_four_followers_start_no_job_twice(field, record_property):
    installation, ran = field
    followers = Followers(installation.home)
    try:
        followers.wait()
    finally:
        followers.close()
    check(installation, ran)
    record_property("result", f"{FOLLOWERS} followers race for {JOBS} starts: 0 lost, 0 double, books clean")


def test_killed_followers_and_wrappers_lose_no_job_and_charge_none_twice(field, record_property):
    installation, ran = field
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    chance, lost = random.Random(seed), set()
    followers = Followers(installation.home)
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, 0.6))
            followers.kill_one(chance)
            lost |= kill_wrapper(installation.home, chance)
        followers.wait()
    finally:
        followers.close()
    check(installation, ran, lost)
    record_property("result", f"{KILLS} kills of followers, {JOBS} jobs: 0 lost, 0 charged twice, books clean")


def kill_wrapper(home: Path, chance: random.Random) -> set[str]:
    """kill -9 the supervisor of one running job, sometimes; the job's id."""
    jobs = [JobDir(path) for path in (home / "engine" / "local" / "jobs").iterdir()]
    running = [job for job in jobs if job.has("start") and not job.has("exit")]
    if not running or chance.random() < 0.5:
        return set()
    job = chance.choice(running)
    wrapper = job.wrapper()
    if wrapper is None or not wrapper.alive():
        return set()
    os.kill(wrapper.pid, signal.SIGKILL)
    return {job.path.name}
