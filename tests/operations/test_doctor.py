"""Every fault is produced for real, and doctor names it, says why it matters and what mends it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.site import doctor, faults, findings
from bitgoeul.site.supervisor import beat_path
from installation import environment, wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A home of our own for what stands in files."""
    for name, path in {"HOME": tmp_path, "KEYS": tmp_path / "keys", "HEADS": tmp_path / "heads"}.items():
        monkeypatch.setattr(settings, name, path)
    return tmp_path


def event(**values):
    return audit.record(verb="test.do", subject_kind="test", subject_id="1", actor="system:test", **values)


def wrong(finding, *words):
    assert not finding.ok
    for word in words:
        assert word in finding.text, finding.text
    assert finding.remedy
    assert finding.why


def test_everything_that_is_looked_at_says_why_it_matters(place):
    seen = {finding.check for finding in doctor.examine()}
    assert seen <= set(findings.WHY)
    assert len(seen) >= 18


def test_a_message_that_fails_again_and_again_is_named_without_its_secrets():
    from bitgoeul.audit.models import Message

    Message.objects.create(
        topic="mail.written",
        key="k",
        payload={},
        attempts=5,
        last_error="x: SMTP: password=PLANTED ara@example.kr",
    )
    found = faults.outbox()
    wrong(found, "mail.written (5 attempts)")
    assert "PLANTED" not in found.text
    assert "ara@" not in found.text


def test_events_that_wait_to_be_sealed_for_long():
    from bitgoeul.audit.models import Event, Unsealed

    old = Event.objects.create(
        at=now() - timedelta(hours=1), actor="system:test", verb="t", subject_kind="t", subject_id="1"
    )
    Unsealed.objects.create(event=old)
    wrong(faults.sealing(), "waiting since")
    audit.seal_all()
    assert faults.sealing().ok


def test_a_head_that_the_chain_no_longer_has(place):
    event()
    audit.seal_all()
    audit.write_head()
    assert faults.heads().ok
    path = place / "heads" / "audit.jsonl"
    head = json.loads(path.read_text())
    path.write_text(json.dumps({**head, "hash": "0" * 64}) + "\n")
    wrong(faults.heads(), "#")


def test_a_hold_past_its_time():
    from bitgoeul.ledger.models import OpenHold
    from ledger.book import open_book

    book = open_book()
    book.award(100)
    book.hold(10)
    assert faults.holds().ok
    OpenHold.objects.update(expires_at=now() - timedelta(hours=1))
    wrong(faults.holds(), "1 past their time")


def test_a_clock_that_went_back():
    from bitgoeul.audit.models import Event
    from bitgoeul.kernel.ids import new_id

    ahead = "ffffffff" + str(new_id())[8:]
    Event.objects.create(
        id=ahead, at=now() + timedelta(hours=1), actor="s", verb="t", subject_kind="t", subject_id="1"
    )
    wrong(faults.clock(), "ahead of this clock")


def test_example_people_in_production(monkeypatch, person):
    from bitgoeul.accounts.models import User

    person("ara")
    User.objects.update(is_example=True)
    assert faults.example_people().ok
    monkeypatch.setattr(settings, "PRODUCTION", True)
    wrong(faults.example_people(), "1 here")


def test_a_port_that_somebody_else_has(place, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(settings.ENV, "port", taken.getsockname()[1])
        wrong(faults.port(), "Address already in use")
    assert faults.port().ok


def test_a_mail_server_that_does_not_answer(monkeypatch):
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        number = gone.getsockname()[1]
    monkeypatch.setattr(settings.ENV, "mail_host", "127.0.0.1")
    monkeypatch.setattr(settings.ENV, "mail_port", number)
    for name, value in {
        "EMAIL_BACKEND": settings.SMTP, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": number,
    }.items():  # fmt: skip
        monkeypatch.setattr(settings, name, value)
    wrong(faults.mail(), f"127.0.0.1:{number}: ConnectionRefusedError")


def test_static_files_that_were_not_collected(place, monkeypatch):
    assert faults.static_files().ok
    monkeypatch.setattr(settings, "PRODUCTION", True)
    monkeypatch.setattr(settings, "STATIC_ROOT", place / "static")
    wrong(faults.static_files(), ".css")
    shutil.copytree(Path(settings.SITE) / "static" / "site", place / "static" / "site")
    assert faults.static_files().ok


def test_a_key_that_others_may_read(place):
    (place / "keys").mkdir()
    (place / "keys" / "centre.key").touch(mode=0o640)
    wrong(doctor.keys(), "centre.key")


def test_a_missing_migration(place):
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="audit", name="0002_message_request").delete()
    wrong(doctor.migrations(), "older than this code: it lacks audit.0002_message_request")


# --- on real processes and real disks


@pytest.mark.slow
@pytest.mark.django_db(transaction=False)
def test_a_dead_follower(installation):
    import os
    import signal

    child = installation.child("follower")
    os.kill(child.pid, signal.SIGSTOP)
    try:
        old = time.time() - 120  # long silent for doctor, not yet for the supervisor, which would end it
        os.utime(beat_path(installation.home, "follower"), (old, old))
        done = wait_for(lambda: (d := installation.run("doctor", "--json")).returncode == 1 and d, 60)
    finally:
        os.kill(child.pid, signal.SIGCONT)
    found = {row["check"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert "follower is silent" in found["processes"]["text"]


def unshared(script):
    """Run a shell script as root of a namespace of its own; skipped where the system does not allow that."""
    try_it = ["unshare", "--mount", "true"]
    if shutil.which("unshare") is None or subprocess.run(try_it, capture_output=True, check=False).returncode:
        pytest.skip("this system gives no mount namespace")
    return subprocess.run(
        ["unshare", "--mount", "sh", "-euc", script], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_a_full_disk_and_a_home_that_cannot_be_written(stopped_installation, tmp_path):
    home, small = stopped_installation.home, tmp_path / "small"
    small.mkdir()
    variables = " ".join(
        f"{name}={value}" for name, value in environment(home).items() if name.startswith("BITGOEUL")
    )
    doctor_line = f"env {variables} BITGOEUL_HOME={small} {sys.executable} -m bitgoeul.site.cli doctor --json"
    done = unshared(f"mount -t tmpfs -o size=40m tmpfs {small}; cp -r {home}/. {small}/; {doctor_line} || true")
    found = {row["check"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert not found["disk"]["ok"], done.stderr
    assert "MiB free" in found["disk"]["text"]
    read_only = f"mount --bind {small} {small}; mount -o remount,ro,bind {small}"
    done = unshared(f"cp -r {home}/. {small}/; {read_only}; {doctor_line} || true")
    found = {row["check"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert not found["home"]["ok"], done.stderr
    assert "Read-only file system" in found["home"]["text"]
    assert "chown" in found["home"]["remedy"]
