"""Followers and Slurm's daemons are killed in turn while jobs are handed over, run and end."""

from __future__ import annotations

import json
import os
import random
import time

import pytest

from faults.followers import SECONDS_MAX, Followers, report, runs_of, start

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
ROUNDS = 20 if os.environ.get("SOAK") == "1" else 3
JOBS = 12 * ROUNDS
DAEMONS = ("slurmctld", "slurmdbd", "slurmrestd")


@pytest.fixture
def field(stopped_installation, tmp_path, testbed, cluster_config):
    """A home whose jobs go to the testbed by slurmrestd while it is fed, and where each leaves a line a run."""
    ran, file = tmp_path / "ran", tmp_path / "cluster.json"
    ran.mkdir()
    rest = {"url": testbed.rest_url, "version": "v0.0.38", "user": "root"}
    partitions = {**cluster_config["partitions"], "core": "hpc"}
    file.write_text(json.dumps({**cluster_config, "partitions": partitions, "rest": rest}))
    feeder = start(stopped_installation.home, "feed", str(JOBS), str(ran), str(file))
    yield stopped_installation, ran, feeder
    feeder.kill()
    feeder.communicate()
    testbed.resume_nodes()


def test_killed_followers_and_daemons_lose_no_job_run_none_twice_and_charge_none_twice(
    field, testbed, record_property
):
    installation, ran, feeder = field
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    chance = random.Random(seed)
    assert feeder.stdout.readline() == "in\n", feeder.stderr.read()
    followers = Followers(installation.home)
    try:
        for number in range(ROUNDS):
            daemon = DAEMONS[number % len(DAEMONS)]
            time.sleep(chance.uniform(0, 0.6))
            testbed.kill(daemon)
            followers.kill_one(chance)
            time.sleep(chance.uniform(0, 1.0))
            getattr(testbed, f"start_{daemon}")()
            followers.kill_one(chance)
        _out, errors = feeder.communicate(timeout=SECONDS_MAX)
        assert feeder.returncode == 0, errors
        followers.kill_one(chance)  # one at least is there for the last job
        followers.wait()
    finally:
        followers.close()
    found = report(installation)["jobs"]
    assert len(found) == JOBS
    done = {key for key, job in found.items() if job["state"] == "SUCCEEDED"}
    assert {runs_of(ran, key) for key in done} == {1}
    odd = {key: {**job, "runs": runs_of(ran, key)} for key, job in found.items() if key not in done}
    for job in odd.values():  # what a controller did with a job that it forgot, said by name
        assert job["ending"] in ("not_started", "engine_lost"), odd
        assert job["runs"] <= 1, odd
        assert job["runs"] or job["charged"] == 0, odd
    assert len(odd) <= JOBS // 10, odd
    record_property(
        "result",
        f"{ROUNDS} kills of daemons, {2 * ROUNDS} of followers, {JOBS} jobs: 0 lost, 0 twice,"
        f" {len(odd)} ended by Slurm, books clean",
    )
