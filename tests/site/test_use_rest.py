"""What was used and what comes of allocations, over REST: the same as the pages, the same rights, bounded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.accounts.facade import actor_for
from bitgoeul.compute import facade as compute
from bitgoeul.compute.metering import RecordState
from bitgoeul.compute.models import MeteredCluster
from bitgoeul.kernel.clock import now
from bitgoeul.resources import facade as resources

from .test_use import HOUR, MONTH, SYSTEM, TODAY, allocation, read, use

__all__ = ["allocation"]
pytestmark = pytest.mark.django_db


def test_the_rows_are_those_of_the_page_with_their_names_and_what_nobody_pays(
    allocation, project, auditor, sign_in
):
    MeteredCluster.objects.create(pk="far")
    use(allocation, 10, now())
    records = [read(project, 1), read(project, 2, RecordState.NODE_FAIL), read(project, 3, account="somebody")]
    compute.ingest(actor=SYSTEM, cluster="far", records=records)
    client = sign_in(auditor)
    told = client.get("/api/v1/use", headers={"accept-language": "ko"}).json()
    (row,) = told["items"]
    assert (row["key"], row["name"], row["unit"], row["total"]) == (
        "staff",
        "담당자 직접 배정",
        "core_ms",
        str(14 * HOUR),
    )
    assert len(row["months"]) == 6
    assert row["months"][MONTH] == str(14 * HOUR)
    assert told["totals"] == [{**row, "key": "", "name": "", "note": ""}]
    assert {(one["of_projects"], one["amount"], one["month"]) for one in told["uncharged"]} == {
        (True, str(4 * HOUR), MONTH), (False, str(4 * HOUR), MONTH),
    }  # fmt: skip
    assert client.get("/api/v1/use?kind=START_UP").json()["uncharged"] is None
    english = client.get("/api/v1/use", headers={"accept-language": "en"}).json()["items"][0]["name"]
    assert english == "Granted by staff"
    (of_project,) = client.get(f"/api/v1/use?by=project&since={MONTH}&until={MONTH}&unit=core_ms").json()["items"]
    assert (of_project["key"], of_project["name"]) == (str(project.id), project.title)
    assert project.number in of_project["note"]
    assert client.get("/api/v1/use?unit=npu_atom_ms").json()["items"] == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("since=2026-13", 422), ("by=colour", 422), ("kind=x", 422), ("unit=parsec", 400), ("page=0", 422),
        ("since=2025-01&until=2026-01", 400), ("since=2026-03&until=2026-02", 400),
        ("since=2025-02&until=2026-01", 200), ("programme=%00", 200), ("page=99999", 200),
        ("since=20٢٦-11", 422), ("until=2026-١١", 422),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_its_field(allocation, staff, sign_in, asked, status):
    answer = sign_in(staff).get(f"/api/v1/use?{asked}")
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["detail"]["field"] == asked.partition("=")[0]


def test_an_allocations_burn_down_and_forecast_are_its_projects_to_see(
    allocation, project, ara, chan, staff, sign_in
):
    for day in range(1, 21):
        use(allocation, 100, now() - timedelta(days=day))
    owner = sign_in(actor_for(user_id=ara.user_id))
    told = owner.get(f"/api/v1/allocations/{allocation.id}/outlook").json()
    assert (told["granted"], told["used"], told["left"]) == (
        str(10_000 * HOUR),
        str(2_000 * HOUR),
        str(8_000 * HOUR),
    )
    (one,) = resources.outlooks(resources.allocations(project_ids=[project.id])[project.id]).values()
    assert (told["forecast"], told["left_at_end"]) == (str(one.forecast.ahead), str(one.forecast.left_at_end))
    assert (told["recent"], told["used_days"], told["idle"]) == (str(2_000 * HOUR), 20, False)
    days = [TODAY - timedelta(days=ago) for ago in range(20, 0, -1)]
    ends = [day - timedelta(days=day.weekday()) + timedelta(days=7) for day in days]
    used = {min(end, TODAY).isoformat(): str(100 * number * HOUR) for number, end in enumerate(ends, 1)}
    assert told["points"] == [{"day": day, "used": amount} for day, amount in used.items()]
    assert sign_in(chan).get(f"/api/v1/allocations/{allocation.id}/outlook").status_code == 404
    client = sign_in(staff)
    (of_all,) = client.get("/api/v1/use/allocations").json()["items"]
    assert {key: of_all[key] for key in of_all if key != "points"} == {
        key: told[key] for key in told if key != "points"
    }
    assert client.get("/api/v1/use/allocations?flag=idle").json()["items"] == []
    for asked in ("flag=x", "order=x", "unit=x"):
        refused = client.get(f"/api/v1/use/allocations?{asked}")
        assert (refused.status_code, refused.json()["detail"]["field"]) == (400, asked.partition("=")[0])


def test_of_an_allocation_that_is_over_nothing_is_said(allocation, staff, sign_in):
    resources.recall(actor=SYSTEM, allocation_id=allocation.id, reason="x")
    answer = sign_in(staff).get(f"/api/v1/allocations/{allocation.id}/outlook")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_the_count_of_queries_does_not_grow(allocation, project, staff, sign_in):
    client, counts = sign_in(staff), []
    paths = ("/api/v1/use?by=project", "/api/v1/use/allocations")
    for more in (1, 1, 8):  # the first time warms what is kept
        for _n in range(more):
            use(allocation, 1, now())
        for path in paths:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(path).status_code == 200
            counts.append(len(seen))
    assert counts[2:4] == counts[4:]
    assert max(counts) <= 15
