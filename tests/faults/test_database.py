"""The database goes away amid a write, by a restart, by kill -9: nothing is lost, left half done or done twice.

Each test has a real PostgreSQL; what stops or kills one starts it itself. SOAK_ROUNDS is the number of rounds.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

import databases
from bitgoeul.site.client import Client
from bitgoeul.site.sign_in import token_by_person
from installation import Installation, copy_home, environment, processes_of, wait_for
from journeys.jobs import ENDED, charged_once, insist, project_of, submit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import postgres  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not databases.POSTGRESQL, reason="a file does not go away; runs on PostgreSQL"),
]
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "3"))
JOBS_PER_ROUND = 3
CUT = str(Path(__file__).with_name("cut.py"))
TERMINATE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
)


@pytest.mark.parametrize("write", ["hold", "settle", "submit", "cancel", "ingest"])
def test_a_write_that_is_cut_off_at_any_statement_is_undone_and_can_be_repeated(
    stopped_installation, write, record_property
):
    done = subprocess.run(
        [sys.executable, CUT, write],
        env=environment(stopped_installation.home, PYTHONPATH=str(ROOT / "tests")),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["faults"] == []
    assert found["cuts"] >= 10
    record_property("result", f"{write}: {found['cuts']} cuts, 0 left anything, 0 could not be repeated")
    for book in ("ledger", "audit"):
        assert stopped_installation.run(book, "verify").returncode == 0


@pytest.fixture
def server():
    """A server for one test, which may stop and kill it."""
    with postgres.throwaway() as found:
        yield found


@pytest.fixture
def apart(template_home, tmp_path, server):
    """An installation whose database is on that server."""
    home = copy_home(template_home, tmp_path / "apart")
    dump = subprocess.run(
        [server.bin / "pg_dump", "--format=custom", databases.url_of(template_home)],
        stdout=subprocess.PIPE, check=True, timeout=60,
    )  # fmt: skip
    restore = [server.bin / "pg_restore", "--exit-on-error", f"--dbname={server.url()}"]
    subprocess.run(restore, input=dump.stdout, check=True, timeout=60)
    databases.drop(home)
    databases.use(home, server.url())
    found = Installation(home)
    yield found
    found.close()


def cut_all_connections(server: postgres.Server, _pause: float) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(TERMINATE, ["postgres"])


def restart(server: postgres.Server, pause: float) -> None:
    server.stop()
    time.sleep(pause)
    server.start()


def kill_and_start(server: postgres.Server, pause: float) -> None:
    server.kill()
    time.sleep(pause)
    server.start()


TROUBLES: tuple[Callable[[postgres.Server, float], None], ...] = (cut_all_connections, restart, kill_and_start)


def test_jobs_end_once_and_are_charged_once_while_the_database_comes_and_goes(apart, server, record_property):
    project = project_of(apart)
    installation = apart.start()
    before = {name: installation.child(name) for name in ("web", "worker", "follower")}
    client = Client(installation.url, token_by_person(installation.url, "founder", 1))
    seed = random.SystemRandom().getrandbits(32)
    chance, jobs = random.Random(seed), []
    for number in range(ROUNDS):
        fresh = [submit(client, project, chance) for _ in range(JOBS_PER_ROUND)]
        time.sleep(chance.uniform(0, 1.5))
        TROUBLES[number % len(TROUBLES)](server, chance.uniform(0, 2))
        jobs += fresh
        for job_id in fresh:
            wait_for(lambda job_id=job_id: insist(lambda: client.job(job_id))["state"] in ENDED, 90)
    found = [insist(lambda job_id=job_id: client.job(job_id)) for job_id in jobs]
    assert {job["state"] for job in found} == {"SUCCEEDED"}, (seed, found, installation.said())
    charged_once(client, project, found, seed)
    after = {name: installation.child(name) for name in before}
    assert after == before, "a process ended instead of waiting for the database"
    for book in ("ledger", "audit"):
        done = installation.run(book, "verify", "--json")
        assert done.returncode == 0, (seed, done.stdout)
    assert installation.stop() == 0
    assert processes_of(installation.home) == []
    record_property(
        "result", f"{ROUNDS} rounds, {len(jobs)} jobs: 0 lost, 0 charged twice, books clean, no process ended"
    )


def test_the_portal_says_that_it_cannot_answer_and_answers_again_by_itself(apart, server):
    installation = apart.start()
    with httpx.Client(base_url=installation.url, timeout=30.0) as visitor:
        assert visitor.get("/").status_code == 200
        server.stop()
        page, answer = visitor.get("/"), visitor.get("/api/v1/figures")
        assert (page.status_code, answer.status_code) == (503, 503)
        assert page.headers["Retry-After"] == answer.headers["Retry-After"] == "5"
        assert "이제 할 일" in page.text
        assert "do the same again" in page.text
        assert answer.json()["code"] == "database_away"
        assert "same id" in answer.json()["detail"]["remedy"]
        assert visitor.get("/healthz").status_code == 200
        ready = visitor.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "does not answer")
        server.start()
        assert visitor.get("/").status_code == 200
        assert visitor.get("/api/v1/figures").status_code == 200
        wait_for(lambda: visitor.get("/readyz").status_code == 200, 20)


def test_a_start_before_its_database_waits_for_it(apart, server):
    server.stop()
    installation = apart.start()
    wait_for(lambda: "waits for the database" in installation.log("worker"), 30)
    server.start()
    with httpx.Client(base_url=installation.url, timeout=30.0) as visitor:
        wait_for(lambda: visitor.get("/readyz").status_code == 200, 30)


def test_a_lock_that_somebody_keeps_is_not_waited_for_without_end(apart, server):
    """Somebody at the server's own prompt holds a table: the portal refuses in time and goes on afterwards."""
    project = project_of(apart)
    installation = apart.start()
    client = Client(installation.url, token_by_person(installation.url, "founder", 1))
    with psycopg.connect(server.url()) as somebody:
        somebody.execute("LOCK TABLE ledger_account IN ACCESS EXCLUSIVE MODE")
        refused = httpx.post(
            f"{installation.url}/api/v1/jobs", headers=client.headers, timeout=60.0,
            json={"id": "0198a000-0000-7000-8000-000000000001", "project_id": project, "name": "waits",
                  "argv": ["true"], "limits": {"cores": 1, "memory_mib": 64, "wall_seconds": 10}},
        )  # fmt: skip
        assert (refused.status_code, refused.json()["code"]) == (503, "database_away")
    chance = random.Random(1)
    job_id = submit(client, project, chance)
    wait_for(lambda: insist(lambda: client.job(job_id))["state"] == "SUCCEEDED", 60)
