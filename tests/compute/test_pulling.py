"""The accounting is read in windows that leave nothing out, also after hours in which nobody could be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from bitgoeul.accounts.facade import Actor
from bitgoeul.compute import facade as compute
from bitgoeul.compute.models import Cluster, MeteredCluster, MeteredRecord
from bitgoeul.compute.ports import EngineUnavailable, account_name
from bitgoeul.compute.services import pulling
from bitgoeul.kernel.errors import BadInput, NotFound

SYSTEM = Actor.system("test")
# In the middle of a UTC day, so that an hour later is the same day.
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HEADER = "JobID|JobIDRaw|Account|User|Submit|Start|End|Elapsed|State|ReqTRES|AllocTRES|NodeList"
pytestmark = pytest.mark.django_db


class Accounting:
    """An engine that keeps an accounting: a job a window, and how it was asked; it may be away."""

    def __init__(self, project):
        self.account, self.windows, self.answers = account_name(project.number), [], 10**9

    def accounting(self, since, until):
        if not self.answers:
            raise EngineUnavailable
        self.answers -= 1
        self.windows.append((since, until))
        start = int(since.timestamp())
        return iter(
            (HEADER, f"{start}|{start}|{self.account}|a|{start}|{start}|{start + 60}|00:01:00|COMPLETED||cpu=1|n")
        )


@pytest.fixture
def clock(monkeypatch):
    """Noon, and later when a test says so."""
    times = [NOON]
    monkeypatch.setattr(pulling, "now", lambda: times[-1])
    return times


@pytest.fixture
def accounting(project, cores, clock, monkeypatch):
    made = Accounting(project)
    monkeypatch.setattr(pulling, "engine_of", lambda cluster: made)
    monkeypatch.setattr(pulling, "_not_before", {})
    return made


def pull(**options):
    return compute.pull(Cluster.objects.get().pk, actor=SYSTEM, **options)


def covered(windows):
    """First and last moment of windows that follow each other without a gap."""
    assert all(early[1] == late[0] for early, late in pairwise(windows))
    assert all(until - since <= pulling.WINDOW for since, until in windows)
    return windows[0][0], windows[-1][1]


def test_the_first_reading_goes_a_day_back_and_the_next_ones_overlap(accounting, clock):
    assert pull().until == NOON
    assert covered(accounting.windows) == (NOON - timedelta(days=1), NOON)
    clock.append(NOON + timedelta(hours=1))
    accounting.windows.clear()
    pull()
    assert covered(accounting.windows) == (NOON - pulling.OVERLAP, NOON + timedelta(hours=1))
    clock.append(NOON + timedelta(hours=13))
    accounting.windows.clear()
    pull()
    assert accounting.windows[0][0] == NOON + timedelta(hours=1) - pulling.DAILY_OVERLAP, "the first of a day"


def test_after_hours_in_which_it_was_down_nothing_is_left_out(accounting, clock):
    pull()
    clock.append(NOON + timedelta(hours=30))
    accounting.windows.clear()
    accounting.answers = 29
    with pytest.raises(EngineUnavailable):
        pull()
    reached = MeteredCluster.objects.get().pulled_until
    assert reached == accounting.windows[-1][1] < clock[-1], "what was read is kept"
    accounting.windows.clear()
    accounting.answers = 10**9
    assert pull().until == clock[-1]
    first, last = covered(accounting.windows)
    assert first <= reached - pulling.OVERLAP
    assert last == clock[-1]
    starts = set(MeteredRecord.objects.values_list("start", flat=True))
    assert {int(since.timestamp()) for since, _until in accounting.windows} <= starts


def test_a_follower_catches_up_in_steps_and_leaves_one_alone_that_is_away(accounting, clock):
    cluster = Cluster.objects.get()
    pull()
    pulling.pull_when_due(accounting, cluster, SYSTEM)
    clock.append(NOON + timedelta(days=4))
    accounting.windows.clear()
    pulling.pull_when_due(accounting, cluster, SYSTEM)
    until = MeteredCluster.objects.get().pulled_until
    assert NOON < until < clock[-1], "some windows at once, for it has other work"
    accounting.answers = 0
    pulling.pull_when_due(accounting, cluster, SYSTEM)
    assert cluster.pk in pulling._not_before
    accounting.answers = 10**9
    accounting.windows.clear()
    pulling.pull_when_due(accounting, cluster, SYSTEM)
    assert accounting.windows == [], "not again at once"


def test_what_cannot_be_read_is_refused_by_name(project, cores, accounting, monkeypatch):
    with pytest.raises(NotFound) as caught:
        compute.pull("nowhere", actor=SYSTEM)
    assert caught.value.field == "cluster"
    monkeypatch.setattr(pulling, "engine_of", lambda cluster: object())
    with pytest.raises(BadInput):
        pull()
