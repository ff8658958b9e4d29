"""The user commands against a real installation: sign in, submit, follow, cancel, try a model."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitgoeul.site.cli import cli, evidence
from installation import environment, wait_for

pytestmark = pytest.mark.slow
PREPARE = Path(__file__).resolve().parents[1] / "journeys" / "prepare.py"


@pytest.fixture(scope="module")
def at(shared_installation):
    """A running installation whose founder has one project and has signed in."""
    prepared = subprocess.run(
        [sys.executable, str(PREPARE)],
        env=environment(shared_installation.home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert prepared.returncode == 0, prepared.stderr
    shared_installation.project = prepared.stdout.strip()
    done = shared_installation.run("sign-in", "--as", "founder", "--json")
    assert done.returncode == 0, done.stderr
    return shared_installation


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_token_is_kept_for_this_user_alone(at):
    kept = at.home / "client.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["url"] == f"http://localhost:{at.state()['port']}"


def test_a_token_is_not_sent_to_another_address(at):
    done = at.run("job", "list", "--url", at.url, "--json")  # 127.0.0.1, not the localhost signed in to
    assert done.returncode == 2
    assert "Sign in first." in done.stderr
    assert done.stdout == ""


def test_a_job_is_submitted_followed_and_listed(at):
    done = at.run("job", "submit", "--json", "--name", "hello", sys.executable, "-c", "print('안녕')")
    assert done.returncode == 0, done.stderr
    job = rows(done)[0]
    assert job["name"] == "hello"
    assert job["held"] == {"core_ms": 60_000}
    logs = at.run("job", "logs", "--follow", job["id"])
    assert logs.stdout == "안녕\n"
    listed = wait_for(
        lambda: [row for row in rows(at.run("job", "list", "--json")) if row["state"] == "SUCCEEDED"]
    )
    assert job["id"] in {row["id"] for row in listed}


def test_a_sweep_is_waited_for_and_its_exit_status_says_how_it_went(at):
    limits = ("--wall-seconds", "20", "--grid", "code=0,1", "--grid", "word=안녕")
    done = at.run("sweep", "submit", "--json", *limits, "sh", "-c", "echo {word}; exit $code")
    assert done.returncode == 0, done.stderr
    (sweep,) = rows(done)
    waited = at.run("sweep", "show", sweep["id"], "--wait", "--json")
    assert waited.returncode == 1, waited.stderr
    assert rows(waited)[0]["states"] == {"SUCCEEDED": 1, "FAILED": 1}
    job = rows(at.run("sweep", "jobs", sweep["id"], "--json"))[0]
    assert at.run("job", "logs", job["id"]).stdout == "안녕\n"
    good = rows(at.run("sweep", "submit", "--json", "--grid", "n=1,2", "true"))[0]
    assert at.run("sweep", "show", good["id"], "--wait").returncode == 0


def test_a_job_is_cancelled(at):
    done = at.run("job", "submit", "--json", sys.executable, "-c", "import time; time.sleep(300)")
    job = rows(done)[0]
    assert at.run("job", "cancel", job["id"]).returncode == 0

    def ended():
        return next(row["state"] for row in rows(at.run("job", "list", "--json")) if row["id"] == job["id"])

    wait_for(lambda: ended() == "CANCELLED", 30)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("job", "submit", "--device", "x", "true"), "is not NAME=VALUE"),
        (("job", "submit", "--device", "x=y", "true"), "is not a whole number"),
        (("job", "submit", "--wall-seconds", "999999999", "true"), ""),
        (("job", "cancel", "01a00000-0000-7000-8000-000000000000"), ""),
        (("trial", "show", "01a00000-0000-7000-8000-000000000000"), ""),
        (("trial", "run", "/nowhere.onnx"), "does not exist"),
        (("sign-in", "--as", "nobody"), "There is nobody called “nobody”"),
        (("job", "list", "--url", "http://127.0.0.1:9"), "does not answer"),
    ],
)
def test_a_refusal_is_exit_status_2_in_the_platforms_own_words(at, arguments, said):
    done = at.run(*arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


@pytest.fixture
def letter(tmp_path):
    """A file that is no model: handed in and asked for, never waited for."""
    path = tmp_path / f"letter-{tmp_path.name}.onnx"
    path.write_bytes(b"this is not a model")
    return path


def names_of_subjects(at):
    headers = {"Authorization": f"Bearer {json.loads((at.home / 'client.json').read_text())['token']}"}
    answer = at.client(headers=headers).get(f"/api/v1/projects/{at.project}/subjects")
    return [row["name"] for row in answer.json()["items"]]


def test_a_job_takes_text_files_only_and_says_so(at, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\xff")
    done = at.run("job", "submit", "--file", str(tmp_path / "photo.png"), "true")
    assert done.returncode == 2, done.stderr
    assert "--file" in done.stderr
    assert "not text in UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_file_twice_is_one_version_and_another_file_the_next(at, letter):
    first, again = (at.run("trial", "run", str(letter), "--no-wait", "--json") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    one, two = rows(first)[-1], rows(again)[-1]
    assert one["id"] != two["id"]
    assert one["subject_version_id"] == two["subject_version_id"]
    letter.write_bytes(b"this is not a model either")
    changed = rows(at.run("trial", "run", str(letter), "--no-wait", "--json"))[-1]
    assert changed["subject_id"] == one["subject_id"]
    assert (one["version_number"], changed["version_number"]) == (1, 2)
    assert names_of_subjects(at).count(letter.stem) == 1


@pytest.mark.parametrize(
    ("wrong", "field", "remedy"),
    [
        (("--protocol", "alchemy"), "--protocol", "Known here: compatibility, inference"),
        (("--parameter", "speed=9"), "--parameter", "Use one of: batch"),
        (("--parameter", "seconds=2"), "--parameter seconds=2", "from 3 to 600"),
        (("--parameter", "seconds=many"), "many", "whole number"),
    ],
)
def test_a_wrong_wish_leaves_no_subject_behind(at, letter, wrong, field, remedy):
    done = at.run("trial", "run", str(letter), "--no-wait", *wrong)
    assert done.returncode == 2, done.stderr
    assert field in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert letter.stem not in names_of_subjects(at)


def test_an_empty_file_leaves_no_subject_behind(at, letter):
    letter.write_bytes(b"")
    done = at.run("trial", "run", str(letter), "--no-wait")
    assert done.returncode == 2
    assert "is empty" in done.stderr
    assert letter.stem not in names_of_subjects(at)


def test_evidence_that_cannot_be_kept_is_said(tmp_path, monkeypatch):
    """The file has come; only the place named with --to is wrong."""
    monkeypatch.setattr(evidence, "client_for", lambda _url: Answering(b"{}"))
    done = CliRunner().invoke(cli, ["evidence", "export", "ab" * 32, "--to", str(tmp_path / "no" / "dir" / "x")])
    assert done.exit_code == 2, done.exception
    assert "--to" in done.output
    assert "cannot be written: No such file or directory. Name a file in a directory" in done.output


class Answering:
    """A client that has one evidence file."""

    def __init__(self, data):
        self.data = data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def evidence_file(self, _digest):
        return self.data


def test_a_model_that_is_none_ends_with_a_named_verdict_and_exit_status_1(at, tmp_path):
    (tmp_path / "letter.onnx").write_bytes(b"this is not a model")
    done = at.run("trial", "run", str(tmp_path / "letter.onnx"), "--json", timeout=200)
    assert done.returncode == 1, done.stderr
    trial = rows(done)[-1]
    assert trial["outcome"] in ("FAILED", "INVALID")
    assert [reason["check"] for reason in trial["reasons"] if reason["passed"] is False]
    shown = at.run("trial", "show", trial["id"])
    assert shown.returncode == 1
    assert trial["outcome"] in shown.stdout
