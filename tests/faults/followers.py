"""Followers as processes of their own that may be killed, and what must hold when they are done."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from installation import environment

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


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """An act that goes on beside the test."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, ACT, *arguments],
        env=environment(home, **OPEN),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    )


class Followers:
    """Follower processes on one home."""

    def __init__(self, home: Path) -> None:
        self.home, self.running = home, [start(home, "follow") for _ in range(FOLLOWERS)]
        self.go(self.running)

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
        self.running[index] = start(self.home, "follow")
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


def report(installation: Any) -> dict[str, Any]:
    """Jobs, news and sums of a home once all followers are done: news and charges once each, books clean."""
    found: dict[str, Any] = json.loads(act(installation.home, "report"))
    assert all(job["moves"].count("submit") == 1 for job in found["jobs"].values()), found
    assert set(found["news"].values()) == {1}
    assert found["held"] == 0
    assert found["used"] == sum(job["charged"] for job in found["jobs"].values()), found
    for name in ("ledger", "audit"):
        done = installation.run(name, "verify", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
    return found


def runs_of(ran: Path, job_id: str) -> int:
    """How often a job's program began, by the lines that it left."""
    return (ran / job_id).read_text().count("ran") if (ran / job_id).exists() else 0
