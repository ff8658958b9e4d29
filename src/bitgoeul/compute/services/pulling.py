"""Asking clusters for their own accounting, in windows that overlap; what was read before changes nothing.

A record appears in the accounting seconds after its job ended, and hours after where a controller could not reach
it. So each pull reads again what is younger than OVERLAP, and the first of a day what is younger than
DAILY_OVERLAP.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.text import N_

from .. import metering
from ..engines import engine_of
from ..metering_models import MeteredCluster
from ..models import Cluster
from ..ports import AccountingReader, Engine, EngineUnavailable
from .metering import Ingested, ingest

EVERY = timedelta(minutes=5)
WINDOW = timedelta(hours=6)
OVERLAP = timedelta(hours=2)
DAILY_OVERLAP = timedelta(days=7)
FIRST = timedelta(days=1)
# A follower has other work: what is behind is caught up with in steps; what is read again is not counted.
WINDOWS_A_STEP = 4
RETRY_SECONDS = 60.0

log = logging.getLogger(__name__)
_not_before: dict[str, float] = {}


@dataclass
class Pulled:
    """What a pull brought: records by what became of them, and up to when the cluster was asked."""

    until: datetime
    done: Ingested = field(default_factory=Ingested)
    left_out: Counter[metering.LeftOut] = field(default_factory=Counter)


def pull(
    code: str, *, actor: accounts.Actor, since: datetime | None = None, windows_max: int | None = None
) -> Pulled:
    """Read a cluster's accounting since the last time, or ``since``, and take it into the books.

    Raises NotFound for no such cluster, BadInput for one without an accounting, EngineUnavailable when it cannot
    be asked: then the next pull begins where this one ended.
    """
    cluster = Cluster.objects.filter(pk=code).first()
    if cluster is None:
        raise NotFound(N_("There is no cluster “{name}”."), field="cluster", name=code)
    engine = engine_of(cluster)
    if not isinstance(engine, AccountingReader):
        raise BadInput(N_("The cluster “{name}” keeps no accounting of its own."), field="cluster", name=code)
    row, _made = MeteredCluster.objects.get_or_create(pk=code)
    moment = now()
    begin, pulled = since or _begin(row.pulled_until, moment), Pulled(row.pulled_until or moment)
    new = 0
    while begin < moment and (windows_max is None or new < windows_max):
        end = min(begin + WINDOW, moment)
        reader = metering.Reader(cluster=code, source_zone=ZoneInfo("UTC"), needs=("Account",))
        lines = engine.accounting(begin, end)
        pulled.done.add(ingest(actor=actor, cluster=code, records=reader.records(lines)))
        pulled.left_out += reader.left_out
        begin = pulled.until = end
        if row.pulled_until is None or end > row.pulled_until:
            row.pulled_until, new = end, new + 1
            MeteredCluster.objects.filter(pk=code).update(pulled_until=end)
    return pulled


def _begin(until: datetime | None, moment: datetime) -> datetime:
    if until is None:
        return moment - FIRST
    new_day = until.astimezone(UTC).date() != moment.astimezone(UTC).date()
    return until - (DAILY_OVERLAP if new_day else OVERLAP)


def pull_when_due(engine: Engine, cluster: Cluster, actor: accounts.Actor) -> None:
    """A follower's step: pull if the last time is EVERY ago, a few windows at once.

    An accounting that cannot be asked is left alone for RETRY_SECONDS; jobs go on without it.
    """
    if not isinstance(engine, AccountingReader) or time.monotonic() < _not_before.get(cluster.pk, 0.0):
        return
    until = MeteredCluster.objects.filter(pk=cluster.pk).values_list("pulled_until", flat=True).first()
    if until is not None and now() - until < EVERY:
        return
    try:
        pull(cluster.pk, actor=actor, windows_max=WINDOWS_A_STEP)
    except EngineUnavailable as error:
        _not_before[cluster.pk] = time.monotonic() + RETRY_SECONDS
        log.warning("cluster %s: its accounting cannot be read: %s", cluster.pk, error)
