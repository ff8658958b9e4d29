"""A loop that does small steps for ever: bounded sleep, heartbeat, and an end on SIGTERM between two steps."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import InterfaceError, OperationalError, close_old_connections

from .supervisor import beat

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.2
LOCKED_SECONDS = 1.0


@dataclass
class Step:
    """One thing a loop does: ``act`` tells how much it did; it runs when ``every_seconds`` have gone by.

    A step that did something runs again at once, so that a full queue empties without pauses.
    """

    name: str
    act: Callable[[], int]
    every_seconds: float = 0.0
    due: float = 0.0

    def run(self, now: float) -> int:
        """Act when due; 0 when not."""
        if now < self.due:
            return 0
        done = self.act()
        self.due = now + self.every_seconds
        return done


def run_loop(name: str, home: Path, steps: Sequence[Step]) -> None:
    """Run ``steps`` until SIGTERM or SIGINT.

    A database that is busy or away is waited for; any other error ends the process, and the supervisor starts it
    afresh: what a step had begun is taken up again from the database, never from memory.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        beat(home, name)
        stop.wait(0.0 if once(steps, stop) else IDLE_SECONDS)


def once(steps: Sequence[Step], stop: threading.Event) -> int:
    """Every due step once; how much they did together."""
    done = 0
    for step in steps:
        if stop.is_set():
            break
        try:
            done += step.run(time.monotonic())
        except (OperationalError, InterfaceError) as error:
            if "no such" in str(error):  # a missing table is a missing migration; waiting does not bring it
                raise
            log.warning("%s waits for the database: %s", step.name, error)
            close_old_connections()
            stop.wait(LOCKED_SECONDS)
    return done
