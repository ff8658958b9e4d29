"""Probes tell the truth, the log of a whole journey holds no secret, and the figures are those of the page."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

import databases
from bitgoeul.site import health
from bitgoeul.site.supervisor import beat, beat_path


@pytest.fixture
def lively(tmp_path, monkeypatch):
    """A home with loops that came round just now."""
    monkeypatch.setattr(settings, "HOME", tmp_path)
    monkeypatch.setattr(settings, "KEYS", tmp_path / "keys")
    monkeypatch.setattr(health, "KEPT", health._Kept())
    for name in health.LOOPS:
        beat(tmp_path, name)
    return tmp_path


def ready(**headers):
    return Client().get("/readyz", **headers)


def test_a_process_that_lives_says_so_without_the_database():
    # No database mark: a query would fail this test.
    assert Client().get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_names_every_check(lively):
    answer = ready()
    assert answer.status_code == 200, answer.json()
    assert set(answer.json()["checks"]) == {"database", "migrations", "worker", "follower", "disk", "keys"}
    assert set(answer.json()["checks"].values()) == {"ok"}


@pytest.mark.django_db
def test_a_silent_and_an_unseen_loop_are_not_ready(lively):
    beat_path(lively, "worker").unlink()
    old = time.time() - 300
    os.utime(beat_path(lively, "follower"), (old, old))
    answer = ready()
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker"] == "has not been seen"
    assert answer.json()["checks"]["follower"].startswith("silent for 30")


@pytest.mark.django_db
def test_a_database_of_another_form_is_not_ready(lively):
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="audit", name="0002_message_request").delete()
    MigrationRecorder.Migration.objects.create(app="audit", name="9999_from_the_future")
    answer = ready()
    assert answer.status_code == 503
    assert "newer than this code: it has audit.9999_from_the_future" in answer.json()["checks"]["migrations"]
    MigrationRecorder.Migration.objects.filter(name="9999_from_the_future").delete()
    health.KEPT = health._Kept()
    assert "older than this code: it lacks audit.0002_message_request" in ready().json()["checks"]["migrations"]


@pytest.mark.django_db
def test_probes_asked_often_ask_the_database_once(lively, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(health, "KEPT_SECONDS", 600.0)
    ready()
    with django_assert_num_queries(0):
        for _ in range(20):
            assert ready().status_code == 200


# --- on real processes


def drop_a_migration(home: Path, name: str = "0002_message_request") -> None:
    with databases.opened(home) as database:
        gone = database.execute(f"DELETE FROM django_migrations WHERE app='audit' AND name='{name}'")
        assert gone.rowcount == 1


@pytest.mark.slow
@pytest.mark.parametrize("newer", [False, True])
def test_nothing_starts_on_a_database_of_another_form(stopped_installation, newer):
    if newer:
        with databases.opened(stopped_installation.home) as database:
            row = "('audit', '9999_later', '2026-01-01T00:00:00Z')"
            database.execute(f"INSERT INTO django_migrations (app, name, applied) VALUES {row}")
    else:
        drop_a_migration(stopped_installation.home)
    stopped_installation.start(ready=False)
    assert stopped_installation.process.wait(timeout=60) == 2
    said = stopped_installation.said()
    assert "does not start. The database is " + ("newer" if newer else "older") in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_restart_before_the_migration_is_refused_and_nothing_stops(installation):
    web = installation.child("web")
    drop_a_migration(installation.home)
    done = installation.run("restart")
    assert done.returncode != 0
    assert (
        "Nothing was restarted: the new code does not start. The database is older than this code" in done.stderr
    )
    assert "bitgoeul upgrade" in done.stderr
    assert installation.child("web") == web


ID = re.compile(r'"request_id": "planted-request"')


@pytest.mark.slow
def test_no_secret_reaches_the_logs_and_one_id_goes_through_all_of_them(installation):
    secrets = {
        "password": "planted-pass-word-1",
        "token": "bgt_planted" + "t" * 32,
        "query": "planted-query-value",
        "cookie": "planted-cookie-value",
        "mail": "planted.person@example.kr",
    }
    with installation.client(headers={"X-Request-Id": "planted-request"}) as client:
        page = client.get("/accounts/signup/").text
        form = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        passwords = dict.fromkeys(("password", "password1", "password2"), secrets["password"])
        body = {
            "csrfmiddlewaretoken": form.group(1),
            "email": secrets["mail"],
            "display_name": "Plant",
        } | passwords
        assert client.post("/accounts/signup/", data=body).status_code == 200
        client.post("/accounts/login/", data={"login": secrets["mail"], "password": secrets["password"]})
        client.get(f"/accounts/login/?next=/home/&token={secrets['query']}")
        client.get("/api/v1/me", headers={"Authorization": f"Bearer {secrets['token']}"})
        client.get("/healthz/none", headers={"Cookie": f"sessionid={secrets['cookie']}"})
        client.get(f"/accounts/confirm-email/{secrets['query']}/")
        client.post("/nowhere/", content=secrets["password"].encode())
    time.sleep(1.5)
    logs = {name: installation.log(name) for name in ("web", "worker", "follower")}
    assert len(ID.findall(logs["web"])) >= 5
    assert ID.search(logs["worker"]), logs["worker"][-2000:]  # the mail that the sign-up wrote
    whole = "".join(logs.values())
    assert [name for name, secret in secrets.items() if secret in whole] == []
