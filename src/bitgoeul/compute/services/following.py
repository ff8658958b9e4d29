"""The follower's step: hand jobs over (see ``handing``), see where they stand, end them.

Whatever moment a follower is killed at, the next one finds the truth in the database and asks the engine again:
a claim is written before the engine is called, the engine takes a job once however often it is submitted, files
are stored by digest before the end is written, and the end is one transaction. No engine is called inside one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import DomainError, WrongState

from ..engines import engine_of
from ..models import Cluster, Job
from ..ports import Engine, Forgetter, Handle, Observation, Phase
from ..states import IN_ENGINE, LISTED, UNFINISHED, JobState
from .collecting import collect
from .ending import end_used, origin_json
from .handing import FOLLOWER, behind, hand_over
from .observing import observe
from .provisioning import look_when_due
from .pulling import pull_when_due

RETRY = timedelta(seconds=5)
UNLISTED = timedelta(seconds=10)
TIDY_SECONDS = 60.0
TIDY_MAX = 200
# A look asks the engine once for so many; what it has to say is written down some at a time.
LOOK_MAX = 20_000
NOTE_BATCH = 200

log = logging.getLogger(__name__)
_tidied: dict[str, float] = {}


def follow_once(limit: int = 500) -> int:
    """One step for every cluster; how much changed. At most ``limit`` jobs are handed over.

    Any number of processes may do it at the same time. A cluster that cannot be asked is left for the next step.
    """
    changed = 0
    for cluster in Cluster.objects.filter(enabled=True).order_by("code"):
        try:
            engine = engine_of(cluster)
            changed += hand_over(engine, cluster, limit)
            changed += look(engine, cluster)
            tidy(engine, cluster)
            observe(engine, cluster, actor=FOLLOWER)
            pull_when_due(engine, cluster, accounts.Actor.system("follower"))
            look_when_due(engine, cluster)
        except DomainError as error:
            log.warning("cluster %s: %s", cluster.code, error)
    return changed


# --- looking


class Watched(NamedTuple):
    """What a look needs of a job that the engine has; most looks find nothing new, and read no more of it."""

    pk: UUID
    handle: Handle
    state: str
    unlisted_since: datetime | None
    cancel_requested_at: datetime | None

    def is_news(self, seen: Observation | None) -> bool:
        """Whether what the engine says of it is anything to write down."""
        if seen is None:
            return self.state in LISTED
        if self.unlisted_since is not None or seen.phase == Phase.ENDED:
            return True
        return self.state != JobState.RUNNING if seen.phase == Phase.RUNNING else self.state == JobState.UNKNOWN


def look(engine: Engine, cluster: Cluster) -> int:
    """Ask the engine about every job it has, LOOK_MAX at once, and write down what changed."""
    changed, last = 0, None
    while watched := _watched(cluster, last):
        changed += _look_at(engine, watched)
        last = watched[-1].pk
    return changed


def _watched(cluster: Cluster, after: UUID | None) -> list[Watched]:
    rows = Job.objects.filter(cluster=cluster, state__in=[str(state) for state in IN_ENGINE])
    rows = rows.filter(Q(not_before=None) | Q(not_before__lte=now())).filter(handle__isnull=False)
    rows = rows.filter(pk__gt=after) if after else rows
    told = rows.order_by("pk").values_list(*Watched._fields)[:LOOK_MAX]
    return [Watched(pk, Handle.from_json(handle), *rest) for pk, handle, *rest in told]


def _look_at(engine: Engine, watched: Sequence[Watched]) -> int:
    unwanted = [each.handle for each in watched if each.cancel_requested_at]
    if unwanted:
        engine.cancel(unwanted)
    seen = {each.job_id: each for each in engine.poll([each.handle for each in watched])}
    news = [each for each in watched if each.is_news(seen.get(each.pk))]
    changed = 0
    for start in range(0, len(news), NOTE_BATCH):
        some = {each.pk: each.handle for each in news[start : start + NOTE_BATCH]}
        rows = Job.objects.filter(pk__in=some, state__in=[str(state) for state in IN_ENGINE])
        for row in rows.select_related("cluster").order_by("pk"):
            changed += _note_safely(engine, row, some[row.pk], seen.get(row.pk))
    return changed


def _note_safely(engine: Engine, row: Job, handle: Handle, seen: Observation | None) -> int:
    try:
        return note(engine, row, handle, seen)
    except WrongState:  # another follower was faster
        return 0
    except DomainError as error:  # a full disk, say: this job waits, the others go on
        log.warning("job not followed: %s", error, extra={"job": str(row.pk)})
        Job.objects.filter(pk=row.pk).update(not_before=now() + RETRY)
        return 0


def note(engine: Engine, row: Job, handle: Handle, seen: Observation | None) -> int:
    """Write down what the engine says of one job; 1 when something changed."""
    if seen is None:
        return _note_missing(row)
    if row.unlisted_since is not None:
        Job.objects.filter(pk=row.pk).update(unlisted_since=None)
    if seen.phase == Phase.ENDED:
        return _note_end(engine, row, handle, seen)
    if seen.phase == Phase.RUNNING and row.state != JobState.RUNNING:
        _move(row, "start", started_at=seen.started_at)
        return 1
    if seen.phase == Phase.PENDING and row.state == JobState.UNKNOWN:
        _move(row, "find")
        return 1
    return 0


def _move(row: Job, action: str, **changes: object) -> None:
    with behind(row):
        audit.advance(row, action, actor=FOLLOWER, changes=changes, payload={"origin": origin_json(row)})
        log.info("job moved", extra={"job": str(row.pk), "action": action})


def _note_missing(row: Job) -> int:
    """Not listed: perhaps only for a moment; after that UNKNOWN, and never done."""
    moment = now()
    if row.state not in LISTED:
        return 0
    if row.unlisted_since is None:
        return Job.objects.filter(pk=row.pk, unlisted_since=None).update(unlisted_since=moment)
    if moment - row.unlisted_since < UNLISTED:
        return 0
    _move(row, "lose")
    return 1


def _note_end(engine: Engine, row: Job, handle: Handle, seen: Observation) -> int:
    with behind(row):
        records = engine.usage([handle])
        kept = collect(engine, row, handle)
        end_used(row, seen, records[0] if records else None, kept, actor=FOLLOWER)
        log.info("job ended", extra={"job": str(row.pk), "state": row.state})
    if isinstance(engine, Forgetter):
        engine.forget([row.pk])
    return 1


# --- tidying


def tidy(engine: Engine, cluster: Cluster) -> None:
    """Once a minute: let the engine forget jobs that ended here but whose follower died before it could say so."""
    if not isinstance(engine, Forgetter) or time.monotonic() < _tidied.get(cluster.code, 0.0):
        return
    _tidied[cluster.code] = time.monotonic() + TIDY_SECONDS
    kept = engine.kept(TIDY_MAX)
    states = [str(state) for state in UNFINISHED]
    engine.forget(list(Job.objects.filter(pk__in=kept).exclude(state__in=states).values_list("pk", flat=True)))
