"""Loads the example: each room's own loader, from low to high, every one of them idempotent.

The full example adds a year of work on top. It goes in by parts, each one transaction; a part that is there is
passed over, so a load that was killed half way goes on where it stopped, and again changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor
from bitgoeul.kernel.clock import now, parse_rfc3339, rfc3339

# Low rooms first: a call names resources, a trial names protocols.
ROOMS = ("accounts", "resources", "compute", "trials", "programmes", "outcomes")
WITH_SIZES = frozenset({"resources", "compute"})
PROJECTS_AT_ONCE = 50
HOLD_DAYS = 30
Loader = Callable[..., object]


@dataclass(frozen=True)
class Progress:
    """A part of the load: ``done`` of ``total`` after ``seconds``; ``left`` is the expected rest."""

    part: str
    done: int
    total: int
    seconds: float
    left: float | None = None


def loaders() -> Iterator[tuple[str, Loader]]:
    """Every room that brings an example, with its loader ``load_example(actor=, directory=)``."""
    for room in ROOMS:
        if find_spec(f"bitgoeul.{room}.facade"):
            loader = getattr(import_module(f"bitgoeul.{room}.facade"), "load_example", None)
            if loader is not None:
                yield room, loader


def load(directory: Path | None = None, *, full: bool = False, share: int = 1) -> Iterator[Progress]:
    """Load room by room and, with ``full``, a year of work; tells each part as it is done.

    ``share`` makes the year smaller: one part in ``share`` of its projects and usages, for tests.
    """
    actor, place = Actor.system("example"), directory or Path(settings.EXAMPLES)
    for room, loader in loaders():
        started = time.monotonic()
        sizes = {"full": full} if room in WITH_SIZES else {}
        loader(actor=actor, directory=place, **sizes)
        yield Progress(room, 1, 1, time.monotonic() - started)
    if full:
        yield from _history(actor, place, share)


def _history(actor: Actor, directory: Path, share: int) -> Iterator[Progress]:
    from bitgoeul.compute import facade as compute
    from bitgoeul.programmes import facade as programmes

    from .example_history import CLUSTER, ORIGIN, History

    data = json.loads((directory / "full" / "history.json").read_text(encoding="utf-8"))
    for name in ("projects", "uses"):
        data[name] = data[name] // share
    kept = compute.define_cluster(
        actor=actor,
        code=CLUSTER,
        title="Example history (예시 이력)",
        engine="local",
        # The year ends when it is first loaded: a load that goes on later repeats the same one.
        config={"history_until": rfc3339(now().replace(microsecond=0)), "share": share},
        device_units={"h100": "gpu_h100_ms", "software-target": "target_ms"},
        enabled=False,
    )
    history = History(data, parse_rfc3339(kept["history_until"]))
    started = time.monotonic()
    with transaction.atomic():
        _people(actor, history)
        accounts.create_organisations(actor=actor, lines=list(history.organisations()))
        programmes.record_partnerships(actor=actor, lines=list(history.partnerships()), is_example=True)
    yield Progress("organisations", data["organisations"], data["organisations"], time.monotonic() - started)
    yield from _work(actor, history, ORIGIN.label)
    started = time.monotonic()
    jobs = list(history.open_jobs())
    until = history.until + timedelta(days=HOLD_DAYS)
    compute.import_jobs(actor=actor, cluster=CLUSTER, jobs=jobs, label=ORIGIN.label, holds_until=until)
    yield Progress("queue", len(jobs), len(jobs), time.monotonic() - started)


def _people(actor: Actor, history: Any) -> None:
    for number, name in enumerate(history.data["people"]):
        accounts.create_user(
            actor=actor,
            id=history.person_id(number),
            email=f"person-{number:02d}@history.example",
            display_name=f"{name} (예시)",
            is_example=True,
        )


def _work(actor: Actor, history: Any, label: str) -> Iterator[Progress]:
    """Projects with their grants, jobs and uses, so many at once, each part one transaction."""
    started, fresh, total = time.monotonic(), 0, history.data["projects"]
    for first in range(0, total, PROJECTS_AT_ONCE):
        numbers = range(first, min(first + PROJECTS_AT_ONCE, total))
        if not _part(actor, history, numbers, label):
            continue
        fresh += len(numbers)
        seconds = time.monotonic() - started
        yield Progress("projects", numbers.stop, total, seconds, seconds / fresh * (total - numbers.stop))
    if not fresh:
        yield Progress("projects", total, total, time.monotonic() - started, 0.0)


@transaction.atomic
def _part(actor: Actor, history: Any, numbers: range, label: str) -> bool:
    """One part, all of it or none; False when it is there already."""
    from bitgoeul.compute import facade as compute
    from bitgoeul.resources import facade as resources

    from .example_history import CLUSTER

    first = accounts.example_id("project", f"history-{numbers[0]}")
    if first in accounts.projects([first]):
        return False
    parts = [history.past(number) for number in numbers]
    accounts.create_projects(actor=actor, lines=[one.project for one in parts])
    resources.grant_many(actor=actor, grants=[grant for one in parts for grant in one.grants])
    jobs = [job for one in parts for job in one.jobs]
    compute.import_jobs(actor=actor, cluster=CLUSTER, jobs=jobs, label=label)
    return True
