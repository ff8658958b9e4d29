"""The whole way on a real installation: real processes, real measurements, people over HTTP."""

from __future__ import annotations

import json

import pytest

from installation import Installation, copy_home, processes_of, wait_for

pytestmark = pytest.mark.slow
KEYS = {"ok", "trial", "verdict", "evidence", "key", "charged", "refused", "seconds"}
JOURNEY_SECONDS_MAX = 240  # 60 on an idle machine; a test machine is not idle


@pytest.fixture(scope="module")
def attempt(template_home, tmp_path_factory):
    """One attempt of `bitgoeul journey --json` and the home it ran on."""
    found = Installation(copy_home(template_home, tmp_path_factory.mktemp("journey") / "home"))
    done = found.run("journey", "--json", timeout=JOURNEY_SECONDS_MAX)
    return found, done


def test_the_journey_holds_and_ends_with_one_object(attempt):
    found, done = attempt
    assert done.returncode == 0, done.stderr[-4000:] + found.log("worker")[-2000:] + found.log("follower")[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result) == KEYS
    assert result["ok"] is True
    assert result["verdict"] == "PASSED"
    assert result["refused"]["verdict"] == "FAILED"
    assert result["refused"]["reason"]
    assert result["charged"]
    assert all(isinstance(amount, int) and amount > 0 for amount in result["charged"].values())
    assert sum(result["seconds"].values()) < JOURNEY_SECONDS_MAX


def test_the_journey_stops_everything_it_started(attempt):
    found, _done = attempt
    assert found.state() is None
    assert processes_of(found.home) == []


def test_the_evidence_of_the_journey_checks_offline(attempt):
    found, done = attempt
    result = json.loads(done.stdout.splitlines()[-1])
    assert found.run("evidence", "verify", result["evidence"], "--key", result["key"]).returncode == 0


def test_a_second_attempt_is_a_new_one_on_the_same_home(attempt):
    found, done = attempt
    first = json.loads(done.stdout.splitlines()[-1])
    again = found.run("journey", "--json", timeout=JOURNEY_SECONDS_MAX)
    assert again.returncode == 0, again.stderr[-4000:]
    second = json.loads(again.stdout.splitlines()[-1])
    assert second["trial"] != first["trial"]
    assert second["evidence"] != first["evidence"]


def test_a_second_start_does_not_repeat_the_journey(attempt):
    found, _done = attempt
    found.start("--first-journey")
    try:
        wait_for(lambda: "Ready at" in found.said())
        assert "journey" not in found.state()["children"]
        assert "Evidence" in found.said()
    finally:
        found.close()


def test_a_journey_that_does_not_hold_says_where_and_is_exit_status_1(stopped_installation):
    """Without the models of set-up the founder has nothing in the backpack."""
    for path in (stopped_installation.home / "models").glob("*.onnx"):
        path.unlink()
    done = stopped_installation.run("journey", "--json", timeout=JOURNEY_SECONDS_MAX)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result) == KEYS
    assert result["ok"] is False
    assert result["trial"] is None
    assert "digits-int8.onnx is missing" in done.stderr
