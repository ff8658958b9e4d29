"""Eight processes want the same rows: the database decides, and nothing is lost or done twice.

``SOAK=1`` runs the full counts, otherwise about a tenth.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installation import command, copy_home, environment

pytestmark = pytest.mark.slow
SOAK = os.environ.get("SOAK") == "1"
TESTS = Path(__file__).resolve().parents[1]

PREPARE_ACCOUNT = """
import django; django.setup()
import sys
from ledger.book import open_book
book = open_book(); book.award(int(sys.argv[1])); print(book.account, book.used)
"""
BALANCES = """
import django; django.setup()
import sys
from uuid import UUID
from bitgoeul.ledger import facade as ledger
for view in (ledger.accounts([UUID(id)])[UUID(id)] for id in sys.argv[1:]):
    print(view.balance, view.held)
"""
PREPARE_NEWS = """
import django; django.setup()
import sys
from bitgoeul.audit import facade as audit
for n in range(int(sys.argv[1])):
    audit.emit(topic="race.news", key=str(n), payload={"n": n})
"""
COUNT_EFFECTS = """
import django; django.setup()
from bitgoeul.audit.models import Event
effects = list(Event.objects.filter(verb="race.effect").values_list("subject_id", flat=True))
print(len(effects), len(set(effects)))
"""


PREPARE_PROJECT = """
import sys
sys.path.insert(0, sys.argv[1])
sys.argv = ["act"]
import act
print(act.prepare_project())
"""
COUNT_JOBS = """
import django; django.setup()
from bitgoeul.audit.models import Move
from bitgoeul.compute.models import Job, JobHold
moves = Move.objects.filter(subject_kind="job")
print(Job.objects.count(), JobHold.objects.count(), moves.count(), moves.values("subject_id").distinct().count())
"""


@pytest.fixture
def home(template_home, tmp_path) -> Path:
    return copy_home(template_home, tmp_path / "home")


def python(home: Path, *arguments: str) -> subprocess.Popen[str]:
    env = environment(home, PYTHONPATH=str(TESTS))
    return subprocess.Popen([sys.executable, *arguments], env=env, stdout=subprocess.PIPE, text=True)


def say(home: Path, code: str, *arguments: str) -> str:
    process = python(home, "-c", code, *arguments)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.strip()


def race(home: Path, action: str, *, workers: int, count: int) -> list[dict[str, int]]:
    racers = [
        python(home, "-m", "races.runner", action, str(home), str(n), str(workers), str(count))
        for n in range(workers)
    ]
    try:
        results = [racer.communicate(timeout=900)[0] for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
    assert [racer.returncode for racer in racers] == [0] * workers
    return [json.loads(result.splitlines()[-1]) for result in results]


def assert_books_are_clean(home: Path) -> None:
    for book in ("ledger", "audit"):
        checked = command(home, book, "verify")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_holds_never_exceed_the_room(home, record_property):
    workers, tries = 8, 1_000 if SOAK else 100
    room = tries  # an eighth of what is wanted
    ids = say(home, PREPARE_ACCOUNT, str(room))
    (home / "account").write_text(ids)
    results = race(home, "hold", workers=workers, count=tries)
    won = sum(result["won"] for result in results)
    assert won == room
    assert sum(result["refused"] for result in results) == workers * tries - room
    assert say(home, BALANCES, ids.split()[0]) == f"{room} {room}"
    assert_books_are_clean(home)
    record_property("result", f"{workers} × {tries} tries, room for {room}: {won} won, 0 overdrawn, books clean")


def test_the_same_ids_from_everybody_are_posted_once(home, record_property):
    count = 200 if SOAK else 20
    ids = say(home, PREPARE_ACCOUNT, str(2 * count))
    (home / "account").write_text(ids)
    results = race(home, "same", workers=8, count=count)
    assert [result["answered"] for result in results] == [count] * 8
    assert say(home, BALANCES, *ids.split()).splitlines() == [f"{count} 0", f"{count} 0"]
    assert_books_are_clean(home)
    record_property("result", f"8 × the same {count} holds and uses: each posted once, 0 double, books clean")


def test_sealers_make_one_chain(home, record_property):
    results = race(home, "seal", workers=4, count=100 if SOAK else 20)
    assert sum(result["recorded"] for result in results) == 4 * (100 if SOAK else 20)
    assert_books_are_clean(home)
    record_property("result", f"4 sealers, {4 * (100 if SOAK else 20)} events: one chain, clean")


def test_every_message_has_one_effect(home, record_property):
    messages = 400 if SOAK else 60
    say(home, PREPARE_NEWS, str(messages))
    race(home, "deliver", workers=4, count=messages // 4)
    assert say(home, COUNT_EFFECTS) == f"{messages} {messages}"
    assert_books_are_clean(home)
    record_property("result", f"4 dispatchers, {messages} messages: {messages} effects, 0 lost, 0 double")


def test_the_same_batch_at_once_is_one_and_each_job_is_claimed_once(home, record_property):
    count = 1_000 if SOAK else 60
    (home / "project").write_text(say(home, PREPARE_PROJECT, str(TESTS / "faults")))
    answers = race(home, "batch", workers=4, count=count)
    assert [answer["answered"] for answer in answers] == [count] * 4
    assert say(home, COUNT_JOBS) == f"{count} {count} 0 0"
    for ready in home.glob("ready-*"):
        ready.unlink()
    claims = race(home, "claim", workers=4, count=40)
    assert sum(claim["won"] for claim in claims) == sum(claim["different"] for claim in claims) == count
    assert say(home, COUNT_JOBS) == f"{count} {count} {count} {count}"
    assert_books_are_clean(home)
    record_property("result", f"4 × the same batch of {count}, 4 followers: each job held and claimed once")
