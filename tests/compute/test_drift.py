"""The last look at a cluster's accounts: who asks, who takes it, what is kept, what the page and REST say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bitgoeul.accounts.facade import Actor
from bitgoeul.compute import facade as compute
from bitgoeul.compute.models import Cluster, DriftLook
from bitgoeul.compute.ports import Drift, EngineUnavailable
from bitgoeul.compute.services.provisioning import KEPT_MAX, look_when_due
from bitgoeul.engines.local.engine import LocalEngine
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotAllowed, NotFound
from bitgoeul.kernel.text import N_, Text

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
ADVICE = Text(N_("Set the limit."))
GONE = EngineUnavailable(N_("Slurm does not answer in time. It is tried again."))


class Keeper(LocalEngine):
    """The local engine with accounts of its own, which differ as the test says."""

    differs: list[Drift] | Exception

    def drift(self, wishes):
        if isinstance(self.differs, Exception):
            raise self.differs
        return self.differs

    def mend(self, wishes):
        return self.drift(wishes)


@pytest.fixture
def cluster():
    return Cluster.objects.create(code="far", title="먼 클러스터", engine="local", config={}, device_units={})


@pytest.fixture
def keeper(cluster, monkeypatch, settings):
    from bitgoeul.compute import engines

    made = engines.engine_of(cluster)
    made.__class__ = Keeper
    made.differs = []
    return made


def differences(count, mendable=True):
    return [
        Drift(f"bg-prj-{n:05}", "GrpTRESMins", "cpu=10", "cpu=<9>", ADVICE, mendable) for n in range(count)
    ]  # fmt: skip


def test_nobody_looks_until_asked_or_an_hour_has_passed(keeper, cluster, engineer):
    keeper.differs = differences(2)
    look_when_due(keeper, cluster)
    assert DriftLook.objects.get().count == 2
    keeper.differs = differences(3)
    look_when_due(keeper, cluster)
    assert DriftLook.objects.get().count == 2
    compute.ask_to_look("far", actor=engineer)
    assert DriftLook.objects.get().asked_at
    look_when_due(keeper, cluster)
    row = DriftLook.objects.get()
    assert (row.count, row.asked_at) == (3, None)
    keeper.differs = []
    DriftLook.objects.update(tried_at=now() - timedelta(minutes=61))
    look_when_due(keeper, cluster)
    assert DriftLook.objects.get().count == 0


def test_a_cluster_that_does_not_answer_keeps_what_was_seen_and_is_not_asked_again_at_once(keeper, cluster):
    keeper.differs = differences(2)
    look_when_due(keeper, cluster)
    seen_at = DriftLook.objects.get().looked_at
    DriftLook.objects.update(asked_at=now())
    keeper.differs = GONE
    look_when_due(keeper, cluster)
    row = DriftLook.objects.get()
    assert (row.count, row.looked_at, row.asked_at) == (2, seen_at, None)
    assert row.problem
    keeper.differs = []
    look_when_due(keeper, cluster)
    assert DriftLook.objects.get().problem, "an hour has not passed"


def test_what_the_command_sees_is_kept_too(keeper):
    keeper.differs = [*differences(1), *differences(2, mendable=False)]
    compute.drift("far")
    assert DriftLook.objects.get().count == 3
    compute.provision("far", actor=SYSTEM)
    assert DriftLook.objects.get().count == 2, "what was mended differs no more"


def test_only_engineers_ask_and_only_for_a_cluster_with_accounts(keeper, cluster, ara, staff, engineer):
    for who in (ara, staff):
        with pytest.raises(NotAllowed):
            compute.ask_to_look("far", actor=who)
    with pytest.raises(NotFound):
        compute.ask_to_look("none", actor=engineer)
    Cluster.objects.create(code="plain", title="x", engine="local", config={}, device_units={})
    with pytest.raises(NotFound):
        compute.ask_to_look("plain", actor=engineer)


def test_the_page_tells_the_last_look_in_words_and_how_to_mend_it(keeper, cluster, auditor, engineer, sign_in):
    client = sign_in(engineer)
    assert "아직 아무도 확인하지 않았습니다" in client.get("/fleet/accounts/").content.decode()
    keeper.differs = [*differences(25), *differences(1, mendable=False)]
    asked = client.post("/fleet/accounts/", {"cluster": "far"})
    assert (asked.status_code, asked["Location"]) == (302, "/fleet/accounts/?cluster=far")
    assert "확인을 요청했습니다" in client.get("/fleet/accounts/").content.decode()
    look_when_due(keeper, cluster)
    page = client.get("/fleet/accounts/").content.decode()
    assert "bitgoeul cluster provision far --apply" in page
    assert "cpu=&lt;9&gt;" in page
    assert "bg-prj-00024" not in page
    last = sign_in(auditor).get("/fleet/accounts/?page=2").content.decode()
    assert "bg-prj-00024" in last
    assert 'name="cluster" value="far"' not in last, "an auditor asks for nothing"
    answer = sign_in(auditor).get("/api/v1/fleet/accounts").json()["items"]
    assert [(one["cluster"], one["count"], len(one["differences"])) for one in answer] == [("far", 26, 26)]
    assert answer[0]["differences"][-1]["mendable"] is False


def test_a_long_list_is_cut_and_says_so_but_the_count_is_whole(keeper, cluster, engineer, sign_in):
    keeper.differs = differences(KEPT_MAX + 7)
    look_when_due(keeper, cluster)
    page = sign_in(engineer).get("/fleet/accounts/").content.decode()
    assert f">{KEPT_MAX + 7}</dd>" in page
    assert "처음 500건" in page
    standing = compute.standing(now())
    assert standing.drift["far"][0] == KEPT_MAX + 7
