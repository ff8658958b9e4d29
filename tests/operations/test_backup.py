"""A running installation is backed up under load and comes back elsewhere, whole and verified."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from bitgoeul.kernel.ids import new_id
from bitgoeul.site.client import Client
from bitgoeul.site.sign_in import token_by_person
from installation import Installation, command, environment, wait_for

pytestmark = pytest.mark.slow
SECONDS_MAX = 400


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def prepared(installation):
    """A project with resources for the founder; its id."""
    program = Path(__file__).resolve().parents[1] / "journeys" / "prepare.py"
    done = subprocess.run(
        [sys.executable, str(program)],
        env=environment(installation.home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Load(threading.Thread):
    """Submits short jobs until told to stop; counts what was taken."""

    def __init__(self, installation, project):
        super().__init__(daemon=True)
        self.client = Client(installation.url, token_by_person(installation.url, "founder", 1))
        self.project = project
        self.stopped, self.taken = threading.Event(), []

    def run(self):
        while not self.stopped.is_set():
            body = {
                "id": str(new_id()), "project_id": self.project, "name": "load",
                "argv": [sys.executable, "-c", "print(1)"],
                "limits": {"cores": 1, "memory_mib": 128, "wall_seconds": 5},
            }  # fmt: skip
            self.taken.append(self.client.call("POST", "/api/v1/jobs", json=body)["id"])
            self.stopped.wait(0.2)


def test_a_backup_made_under_load_comes_back_with_everything(stopped_installation, tmp_path):
    installation = stopped_installation.start()
    done = installation.run("journey", "--json", timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr[-3000:]
    told = rows(done)[-1]
    evidence = Path(told["evidence"]).read_bytes()
    load = Load(installation, prepared(installation))
    load.start()
    wait_for(lambda: len(load.taken) >= 3, 60)
    file = tmp_path / "backup.tar"
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse battery\n")
    done = installation.run("backup", str(file), "--passphrase-file", str(phrase), "--json", timeout=SECONDS_MAX)
    load.stopped.set()
    load.join(60)
    assert done.returncode == 0, done.stderr
    assert rows(done)[-1]["keys"] == "sealed"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".backup.tar*")) == []
    key = installation.home / "keys" / "centre.pub"
    checked = installation.run("backup", "--check", str(file), "--key", str(key), "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert rows(checked)[0]["signed_by"]
    installation.stop()

    elsewhere = tmp_path / "elsewhere"
    refused = command(elsewhere, "restore", str(file))
    assert refused.returncode == 2
    assert "--passphrase-file" in refused.stderr
    done = command(
        elsewhere, "restore", str(file), "--passphrase-file", str(phrase), "--json", timeout=SECONDS_MAX
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {row["step"]: row for row in rows(done)[-1]["steps"]}
    assert all(row["ok"] for row in steps.values())
    assert steps["evidence"]["text"].endswith(" valid")
    assert stat.S_IMODE((elsewhere / "keys" / "centre.key").stat().st_mode) == 0o600
    assert (elsewhere / "keys" / "centre.key").read_bytes() == (
        installation.home / "keys" / "centre.key"
    ).read_bytes()

    again = Installation(elsewhere)
    try:
        again.start()
        client = Client(again.url, token_by_person(again.url, "founder", 1))
        trial = client.trial(told["trial"])
        assert client.evidence_file(trial["evidence_digest"]) == evidence
        # What ran at that moment is nowhere now: it is UNKNOWN, never done; what had ended is as it was.
        states = {job["state"] for job in client.rows("/api/v1/jobs", project_id=load.project)}
        assert states <= {"SUCCEEDED", "UNKNOWN", "QUEUED", "SUBMITTED", "RUNNING"}
        for name in ("ledger", "audit"):
            done = again.run(name, "verify", "--json")
            assert done.returncode == 0, done.stdout
    finally:
        again.close()


@pytest.fixture(scope="module")
def saved(template_home, tmp_path_factory):
    """A backup of the example at rest, keys as they are."""
    file = tmp_path_factory.mktemp("saved") / "backup.tar"
    done = command(template_home, "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert "WARNING: the private keys stand in this file as they are" in done.stderr
    return file


def test_a_home_or_a_file_that_holds_something_is_not_overwritten(template_home, saved, tmp_path):
    before = saved.read_bytes()
    done = command(template_home, "backup", str(saved))
    assert done.returncode == 2
    assert "exists; a backup is never overwritten" in done.stderr
    assert saved.read_bytes() == before
    done = command(template_home, "restore", str(saved))
    assert done.returncode == 2
    assert "is not empty: it has" in done.stderr
    assert "Name an empty directory in BITGOEUL_HOME" in done.stderr


def test_a_damaged_backup_leaves_nothing_in_the_home(saved, tmp_path):
    broken = tmp_path / "broken.tar"
    data = bytearray(saved.read_bytes())
    with tarfile.open(saved) as tar:
        part = next(info for info in tar if info.name.startswith("database."))
    data[part.offset_data + part.size // 2] ^= 1
    broken.write_bytes(data)
    done = command(tmp_path / "home", "restore", str(broken))
    assert done.returncode == 2
    assert f"{part.name}: is not what was written" in done.stderr
    assert [path.name for path in (tmp_path / "home").iterdir() if path.name != "run"] == []


def test_a_restore_killed_half_way_leaves_a_home_that_nothing_starts_on_and_runs_again(saved, tmp_path):
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "bitgoeul.site.cli", "restore", str(saved)],
        env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    wait_for((home / ".restore" / "keys").is_dir, 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=20)
    assert not (home / "bitgoeul.sqlite3").exists()
    refused = command(home, "doctor")
    assert refused.returncode == 2
    assert "a restore into" in refused.stderr
    assert "begins anew" in refused.stderr
    done = command(home, "restore", str(saved))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (home / ".restore").exists()
    assert command(home, "doctor").returncode == 0


def test_a_content_that_is_damaged_is_named_and_the_rest_is_saved(stopped_installation, tmp_path):
    home = stopped_installation.home
    blob = next(path for path in (home / "content").rglob("*") if path.is_file() and len(path.name) == 64)
    Path(blob).chmod(0o600)
    with blob.open("r+b") as file:
        file.write(b"planted")
    done = stopped_installation.run("backup", str(tmp_path / "b.tar"), "--without-keys", "--json")
    assert done.returncode == 1, done.stderr
    assert rows(done)[0] == {"damaged": blob.name}
    assert (tmp_path / "b.tar").exists()
    no_keys = command(tmp_path / "target", "restore", str(tmp_path / "b.tar"))
    assert "--keys DIRECTORY" in no_keys.stderr
    keys = ("--keys", str(home / "keys"))
    refused = command(tmp_path / "target", "restore", str(tmp_path / "b.tar"), *keys)
    assert refused.returncode == 2
    assert "does not verify; nothing was kept" in refused.stderr
    assert not (tmp_path / "target" / "bitgoeul.sqlite3").exists()
    kept = command(tmp_path / "target", "restore", str(tmp_path / "b.tar"), *keys, "--accept-findings")
    assert kept.returncode == 1, kept.stderr
    assert "kept with findings" in kept.stdout
