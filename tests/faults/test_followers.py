"""Several followers race for the same jobs, and are killed while they do: nothing runs twice, nothing is lost.

RACE_JOBS is the number of jobs in the race (400 in a soak), SOAK_ROUNDS the number of kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitgoeul.engines.local.jobdir import JobDir
from installation import environment

pytestmark = pytest.mark.slow
JOBS = int(os.environ.get("RACE_JOBS", "40"))
KILLS = int(os.environ.get("SOAK_ROUNDS", "3")) * 4
FOLLOWERS = 4
ACT = str(Path(__file__).with_name("act.py"))
SECONDS_MAX = 600.0
# Each job leaves a line outside its own directory, as only the weakest tier lets it.
OPEN = {"BITGOEUL_LOCAL_ISOLATION": "limits"}


def act(home: Path, *arguments: str) -> str:
    """Run an act to its end."""
    done = subprocess.run(
        [sys.executable, ACT, *arguments],
        env=environment(home, **OPEN),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Followers:
    """Follower processes on one home."""

    def __init__(self, home: Path) -> None:
        self.home, self.running = home, [self._start(home) for _ in range(FOLLOWERS)]
        self.go(self.running)

    @staticmethod
    def _start(home: Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, ACT, "follow"],
            env=environment(home, **OPEN),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    @staticmethod
    def go(processes: list[subprocess.Popen[str]]) -> None:
        """Let them begin at the same moment."""
        for process in processes:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()

    def kill_one(self, chance: random.Random) -> None:
        """kill -9 a follower and start another in its place."""
        index = chance.randrange(FOLLOWERS)
        old = self.running[index]
        old.send_signal(signal.SIGKILL)
        old.communicate()
        self.running[index] = self._start(self.home)
        self.go([self.running[index]])

    def wait(self) -> None:
        """Until all say that nothing is left to do."""
        for process in self.running:
            _out, errors = process.communicate(timeout=SECONDS_MAX)
            assert process.returncode == 0, errors

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def field(stopped_installation, tmp_path):
    """A home with queued jobs, and the directory in which each leaves a line a run."""
    ran = tmp_path / "ran"
    ran.mkdir()
    act(stopped_installation.home, "prepare", str(JOBS), str(ran), "8")
    return stopped_installation, ran


def check(installation, ran: Path, lost: set[str] = frozenset()) -> None:
    """What must hold after any race: ``lost`` are jobs whose wrapper was killed."""
    found = json.loads(act(installation.home, "report"))
    assert len(found["jobs"]) == JOBS
    for job_id, job in found["jobs"].items():
        runs = (ran / job_id).read_text().count("ran") if (ran / job_id).exists() else 0
        assert job["moves"].count("submit") == 1, job
        if job_id in lost and job["ending"] == "engine_lost":
            assert (job["state"], runs <= 1) == ("FAILED", True), job
        else:
            assert (job["state"], runs) == ("SUCCEEDED", 1), (job_id, job)
    assert set(found["news"].values()) == {1}
    assert found["held"] == 0
    assert found["used"] == sum(job["charged"] for job in found["jobs"].values())
    for name in ("ledger", "audit"):
        done = installation.run(name, "verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
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
