"""The loops of worker and follower: due steps, a busy database, an end between two steps."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError

from bitgoeul.site import loops
from bitgoeul.site.loops import Step, once


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(loops, "LOCKED_SECONDS", 0.0)


def test_a_step_runs_when_it_is_due_and_not_before():
    ran = []
    step = Step("seal", lambda: ran.append(1) or 1, every_seconds=10)
    assert [step.run(100), step.run(105), step.run(110)] == [1, 0, 1]
    assert len(ran) == 2


@pytest.mark.django_db
def test_a_busy_database_is_waited_for_and_the_next_step_still_runs():
    def busy():
        raise OperationalError("database is locked")

    assert once([Step("dispatch", busy), Step("seal", lambda: 3)], threading.Event()) == 3


@pytest.mark.parametrize("error", [OperationalError("no such table: x"), ValueError("a bug")])
def test_any_other_error_ends_the_process(error):
    def broken():
        raise error

    with pytest.raises(type(error)):
        once([Step("dispatch", broken)], threading.Event())


def test_after_the_stop_no_further_step_begins():
    stop, ran = threading.Event(), []

    def first():
        stop.set()
        return 1

    assert once([Step("first", first), Step("second", lambda: ran.append(1) or 1)], stop) == 1
    assert ran == []


def test_the_loop_tells_that_it_lives_and_ends_on_sigterm(tmp_path):
    import os
    import signal

    from bitgoeul.site.supervisor import beat_age

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def act():
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    try:
        loops.run_loop("worker", tmp_path, [Step("end", act)])
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert beat_age(tmp_path, "worker") < 5
