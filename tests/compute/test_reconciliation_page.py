"""The page of the last comparison with a cluster's own sums: empty, explained, unexplained; who may see it."""

from __future__ import annotations

from datetime import date

import pytest

from bitgoeul.accounts.facade import Actor
from bitgoeul.compute.metering import Cause, Line, Part
from bitgoeul.compute.models import Cluster, Reconciliation
from bitgoeul.compute.ports import RolledUp
from bitgoeul.compute.services.reconciling import KEPT_MAX, Reconciled, _keep
from bitgoeul.engines.local.engine import LocalEngine
from bitgoeul.kernel.clock import now

pytestmark = pytest.mark.django_db
PAGE, API = "/fleet/reconciliation/", "/api/v1/fleet/reconciliation"


class Summer(LocalEngine):
    """The local engine with sums of its own, which are never asked here."""

    def accounting(self, since, until):
        raise AssertionError

    def runaway(self):
        raise AssertionError

    def rolled_up(self, since, until) -> RolledUp:
        raise AssertionError


@pytest.fixture
def cluster():
    from bitgoeul.compute import engines

    row = Cluster.objects.create(code="far", title="먼 클러스터", engine="local", config={}, device_units={})
    engines.engine_of(row).__class__ = Summer
    return row


def found(*lines, **changes):
    told = {
        "cluster": "far", "since": date(2026, 11, 1), "until": date(2026, 12, 1), "rolled_until": now(),
        "read_until": None, "lines": list(lines), "records": 7, "nobodys": {"down": {"cpu": 7_200_000}},
    }  # fmt: skip
    _keep(Reconciled(**{**told, **changes}), Actor.system("test"))


EXPLAINED = Line("PRJ-2026-00001", "gpu:h100", 7_200_000, 3_600_000, 0, {Cause.CENTRE_PAYS: Part(7_200_000, 2)}, 0)


def test_without_a_cluster_and_without_a_comparison_the_page_says_what_to_do(engineer, sign_in):
    client = sign_in(engineer)
    assert "스스로 집계하는 클러스터가 없습니다" in client.get(PAGE).content.decode()
    assert client.get(API).json()["items"] == []


def test_nobody_has_compared_yet(cluster, engineer, sign_in):
    page = sign_in(engineer).get(PAGE).content.decode()
    assert "아직 아무도 대조하지 않았습니다" in page
    assert "bitgoeul cluster reconcile far" in page
    (one,) = sign_in(engineer).get(API).json()["items"]
    assert (one["made_at"], one["lines"]) == (None, [])


def test_a_difference_stands_with_its_cause_and_what_is_unexplained_first(cluster, auditor, sign_in):
    found(EXPLAINED, Line("", "fpga:u50", 1_000, 1_000, 0, {}, 1_000), left_out={"bad_tres": 3})
    client = sign_in(auditor)
    page = client.get(PAGE).content.decode()
    for said in ("PRJ-2026-00001", "2 H100·시간", "센터가 부담합니다", "기록 2건", "(과제가 아닌 계정)",
                 "1,000 fpga:u50·ms", "bad_tres", "설명되지 않은 차이 있음", "2행 중 1행",
                 "2026-11-30"):  # fmt: skip
        assert said in page, said
    assert '<th scope="col" class="ar">차감</th>' in page
    assert "사용 정산" not in page
    (one,) = client.get(API).json()["items"]
    assert (one["count"], one["unexplained"], one["last"]) == (2, 1, "2026-11-30")
    assert one["lines"][0]["causes"] == [{"cause": "centre_pays", "amount": "7200000", "records": 2}]
    assert one["lines"][1]["account"] is None
    found(EXPLAINED)
    assert "모두 설명됨" in client.get(PAGE).content.decode()
    assert Reconciliation.objects.count() == 1


def test_a_long_list_is_paged_and_cut_and_costs_the_same(
    cluster, engineer, sign_in, django_assert_max_num_queries
):
    many = [Line(f"PRJ-{n:05}", "cpu", n, n, n, {}, 0) for n in range(KEPT_MAX + 9)]
    found(*many)
    client = sign_in(engineer)
    client.get(PAGE)
    with django_assert_max_num_queries(12):
        page = client.get(PAGE).content.decode()
    assert "처음 500건" in page
    assert "509행 중 0행" in page
    assert page.count("<tr>") < 30
    assert len(client.get(API).json()["items"][0]["lines"]) == KEPT_MAX
