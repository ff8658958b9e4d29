"""kill -9 of web, worker and follower at random points loses no job, charges none twice and keeps the books clean.

SOAK_ROUNDS sets the number of rounds (`make soak`: 50).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid

import pytest

from bitgoeul.kernel.ids import new_id
from bitgoeul.site.client import Client
from bitgoeul.site.sign_in import token_by_person
from installation import environment, processes_of, wait_for
from journeys.jobs import CODE, ENDED, charged_once, insist, project_of, settled, submit

pytestmark = pytest.mark.slow
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "3"))
TRIALS = int(os.environ.get("SOAK_ROUNDS", "1"))
TRIAL_SECONDS_MAX = 240
# The supervisor waits longer before each new start of a child that keeps dying.
KILLS_MAX = 8
JOBS_PER_ROUND = 3
CHILDREN = ("web", "worker", "follower")


@pytest.fixture
def project(stopped_installation):
    """The id of a project with resources, of the named founder."""
    return project_of(stopped_installation)


def kill_some(installation, chance):
    """Kill one to three children a random moment apart."""
    for name in chance.sample(CHILDREN, chance.randint(1, 3)):
        time.sleep(chance.uniform(0, 0.4))
        installation.kill(name)


def test_killed_processes_lose_nothing_and_do_nothing_twice(stopped_installation, project, record_property):
    installation = stopped_installation.start()
    client = Client(installation.url, token_by_person(installation.url, "founder", 1))
    seed = random.SystemRandom().getrandbits(32)
    chance, jobs = random.Random(seed), []
    for _round in range(ROUNDS):
        fresh = [submit(client, project, chance) for _ in range(JOBS_PER_ROUND)]
        kill_some(installation, chance)
        jobs += fresh
        for job_id in fresh:
            wait_for(lambda job_id=job_id: insist(lambda: client.job(job_id))["state"] in ENDED, 90)
    found = [insist(lambda job_id=job_id: client.job(job_id)) for job_id in jobs]
    assert {job["state"] for job in found} == {"SUCCEEDED"}, (seed, found, installation.said())
    charged_once(client, project, found, seed)
    for name in ("ledger", "audit"):
        done = installation.run(name, "verify", "--json")
        assert done.returncode == 0, (seed, done.stdout)
    assert installation.stop() == 0
    assert processes_of(installation.home) == []
    record_property("result", f"{ROUNDS} rounds, {len(jobs)} jobs: 0 lost, 0 charged twice, books clean")


COUNTED = """
import django, json, sys; django.setup()
from bitgoeul.outcomes.models import VerifiedClaim
from bitgoeul.trials.models import Evidence, Judgement
trial = sys.argv[1]
print(json.dumps({
    "judgements": list(Judgement.objects.filter(trial_id=trial).values_list("outcome", flat=True)),
    "evidence": list(Evidence.objects.filter(trial_id=trial).values_list("digest", flat=True)),
    "claims": list(VerifiedClaim.objects.filter(trial_id=trial).values_list("figure", "evidence_digest")),
}))
"""


def test_a_trial_among_killed_processes_is_judged_signed_and_counted_once(
    stopped_installation, project, record_property
):
    installation = stopped_installation.start()
    client = Client(installation.url, token_by_person(installation.url, "founder", 1))
    model = (installation.home / "models" / "digits-int8.onnx").read_bytes()
    version = client.hand_in(project=project, name="kill", filename="digits-int8.onnx", data=model)
    seed = random.SystemRandom().getrandbits(32)
    chance = random.Random(seed)
    for _round in range(TRIALS):
        wish = {"id": str(new_id()), "visibility": "public"}
        insist(lambda wish=wish: client.ask(version["id"], **wish))
        trial, killed = kill_while_it_runs(installation, client, wish["id"], chance)
        _counted_once(installation, client, trial, (seed, killed, trial))
    for name in ("ledger", "audit"):
        done = installation.run(name, "verify", "--json")
        assert done.returncode == 0, (seed, done.stdout)
    assert wait_for(lambda: settled(client, project), 30)
    assert installation.stop() == 0
    assert processes_of(installation.home) == []
    record_property("result", f"{TRIALS} trials: each judged, signed and counted once, books clean")


def kill_while_it_runs(installation, client, trial_id, chance):
    """Kill web, worker or follower every few moments until the trial is signed; the trial and who was killed."""
    killed, limit = [], time.monotonic() + TRIAL_SECONDS_MAX
    while not ended(trial := insist(lambda: client.trial(trial_id))):
        assert time.monotonic() < limit, (killed, trial, installation.said()[-3000:])
        if len(killed) < KILLS_MAX:
            killed.append(chance.choice(CHILDREN))
            installation.kill(killed[-1])
        time.sleep(chance.uniform(0.2, 2.0))
    return trial, killed


def ended(trial):
    """A trial that was judged is signed a moment later, unless it is INVALID."""
    return trial["state"] in ("SIGNED", "STOPPED") or (trial["state"], trial["outcome"]) == ("JUDGED", "INVALID")


def _counted_once(installation, client, trial, seen):
    """One judgement; one evidence of what was signed; a claim for each figure when it passed in public."""
    passed = trial["outcome"] == "PASSED"
    figures = {row["code"] for row in insist(lambda: list(client.rows("/api/v1/figures"))) if row["verified"]}
    assert figures
    if passed:
        wait_for(lambda: len(counted(installation, trial)["claims"]) >= len(figures), 40, 1)
    found = counted(installation, trial)
    assert found["judgements"] == [trial["outcome"]], (seen, found)
    signed = [] if trial["outcome"] == "INVALID" else [trial["evidence_digest"]]
    assert found["evidence"] == signed, (seen, found)
    claims = {(code, digest) for code in figures for digest in signed if passed}
    assert sorted(map(tuple, found["claims"])) == sorted(claims), (seen, found)


def counted(installation, trial):
    """What the database of this home holds for a trial."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, trial["id"]],
        env=environment(installation.home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_jobs_outlive_a_restart_that_is_meant_to_keep_them(stopped_installation, project):
    installation = stopped_installation.start()
    client = Client(installation.url, token_by_person(installation.url, "founder", 1))
    body = {
        "id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "project_id": project,
        "name": "outlives",
        "argv": [sys.executable, "-c", CODE.format(seconds=6)],
        "limits": {"cores": 1, "memory_mib": 256, "wall_seconds": 60},
    }
    client.call("POST", "/api/v1/jobs", json=body)
    wait_for(lambda: client.job(body["id"])["state"] == "RUNNING", 20)
    done = installation.run("restart")
    assert done.returncode == 0, done.stderr
    job = wait_for(lambda: (job := insist(lambda: client.job(body["id"])))["state"] in ENDED and job, 40)
    assert job["state"] == "SUCCEEDED", job


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_running_job_does_not_outlive_the_platform(stopped_installation, project, stop):
    installation = stopped_installation.start()
    client = Client(installation.url, token_by_person(installation.url, "founder", 1))
    body = {
        "id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "project_id": project,
        "name": "ends with us",
        "argv": [sys.executable, "-c", "import time; time.sleep(300)"],
        "limits": {"cores": 1, "memory_mib": 256, "wall_seconds": 600},
    }
    client.call("POST", "/api/v1/jobs", json=body)
    wait_for(lambda: client.job(body["id"])["state"] == "RUNNING", 20)
    installation.process.send_signal(stop)
    installation.process.wait(timeout=30)
    wait_for(lambda: processes_of(installation.home) == [], 15)
    installation.start()
    job = wait_for(
        lambda: (job := client_again(installation, client).job(body["id"]))["state"] in ENDED and job, 30
    )
    assert job["state"] != "SUCCEEDED"
    assert job["charged"], job
    assert all(isinstance(amount, int) and amount > 0 for amount in job["charged"].values()), job
    rows = wait_for(lambda: settled(client, project), 30)
    assert {row["unit"]: row["used"] for row in rows if row["used"]} == job["charged"]
    assert installation.run("ledger", "verify").returncode == 0


def client_again(installation, client):
    """The same token at the new port."""
    client.url = installation.url
    return client
