"""The pages of what was used: the whole of it, once; figures that lead down; the same in the workbook."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from bitgoeul.accounts.facade import Actor
from bitgoeul.compute import facade as compute
from bitgoeul.compute.metering import Record, RecordState, Tres
from bitgoeul.compute.models import MeteredCluster
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources
from bitgoeul.site.burn import HEIGHT, WIDTH, burn

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
HOUR = 3_600_000
TODAY = now().astimezone(SEOUL).date()
MONTH = f"{TODAY:%Y-%m}"


@pytest.fixture
def allocation(project):
    resources.load_example(SYSTEM, Path(settings.EXAMPLES))
    return resources.grant(
        actor=SYSTEM, id=new_id(), project_id=project.id, resource_code="cpu-core", amount=10_000 * HOUR,
        starts_at=now() - timedelta(days=60), ends_at=now() + timedelta(days=60),
        origin=resources.Origin("staff", "1", "사유"),
    )  # fmt: skip


def use(allocation, hours, ended):
    line = resources.UseLine(allocation.id, hours * HOUR, f"k:{new_id()}", ended, ended)
    resources.settle_use(lines=[line], actor="system:test")


def read(project, number, state=RecordState.COMPLETED, account=None):
    """An hour on four cores, as a cluster's accounting tells it."""
    start = int(datetime(TODAY.year, TODAY.month, 1, 0, 0, 5, tzinfo=SEOUL).timestamp())
    return Record(
        cluster="far", raw_id=str(number), job_id=str(number), account=account or project.number, user="u",
        state=state, submit=start - 5, start=start, end=start + 3_600, elapsed=3_600, final=True,
        allocated=Tres(4_000, 1_024, 1, {}), requested=Tres(4_000, 1_024, 1, {}),
    )  # fmt: skip


def sheet(response):
    return [list(row) for row in load_workbook(BytesIO(response.content)).active.iter_rows(values_only=True)]


def test_both_sources_are_counted_once_and_what_nobody_pays_is_told_apart(allocation, project, auditor, sign_in):
    MeteredCluster.objects.create(pk="far")
    use(allocation, 10, now())
    records = [
        read(project, 1), read(project, 2, RecordState.NODE_FAIL), read(project, 3, account="somebody")
    ]  # fmt: skip
    for _again in range(2):
        compute.ingest(actor=SYSTEM, cluster="far", records=records)
    client = sign_in(auditor)
    rows = sheet(client.get(f"/use.xlsx?since={MONTH}&until={MONTH}"))
    assert rows[1:] == [["담당자 직접 배정", None, "core_ms", 14 * HOUR, 14 * HOUR]]
    page = client.get("/use/").content.decode()
    assert "14 코어·시간" in page
    free = {(each.of_projects, each.amount) for each in compute.free_use(since=date.fromisoformat(f"{MONTH}-01"),
                                                                        until=TODAY)}  # fmt: skip
    assert free == {(True, 4 * HOUR), (False, 4 * HOUR)}
    assert page.count(">4 코어·시간<") == 2
    assert "과제가 아닌 계정의 사용" in page
    assert "과제가 아닌 계정의 사용" not in client.get("/use/?kind=START_UP").content.decode()


def test_every_figure_leads_down_to_its_projects_and_statements(allocation, project, staff, sign_in):
    use(allocation, 3, now())
    client = sign_in(staff)
    page = client.get("/use/").content.decode()
    links = {each.replace("&amp;", "&") for each in re.findall(r'href="(/use/\?[^"]+)"', page)}
    assert links
    assert all("by=project" in each and "unit=core_ms" in each for each in links)
    down = client.get(next(each for each in links if "programme=staff" in each)).content.decode()
    assert project.number in down
    statement = next(each for each in re.findall(r'href="(/projects/[^"]+/statement/[^"]+)"', down))
    shown = client.get(statement.replace("&amp;", "&"))
    assert shown.status_code == 200
    assert "3 코어·시간" in shown.content.decode()


@pytest.mark.parametrize(
    "asked",
    ["since=x&until=9999-99", "since=0001-01", "by=%00&unit=krw&kind=x&programme=%00", "page=99999999"],
)
def test_what_cannot_be_asked_counts_as_not_asked(allocation, staff, sign_in, asked):
    use(allocation, 1, now())
    client = sign_in(staff)
    for path in ("/use/", "/use.xlsx", "/use/allocations/", "/use/allocations.xlsx"):
        assert client.get(f"{path}?{asked}").status_code == 200


def test_the_months_are_at_most_twelve(allocation, staff, sign_in):
    use(allocation, 1, now())
    rows = sheet(sign_in(staff).get("/use.xlsx?since=2020-01&until=2026-10"))
    assert rows[0][3:-1] == [f"2025-{month}" for month in (11, 12)] + [
        f"2026-{month:02}" for month in range(1, 11)
    ]


def test_an_allocation_tells_its_pace_on_list_workbook_and_project_page(allocation, project, bora, staff, sign_in):
    for day in range(1, 29):
        use(allocation, 80, now() - timedelta(days=day))
    client = sign_in(staff)
    page = client.get("/use/allocations/?flag=left").content.decode()
    assert "남을 예상" in page
    assert project.number in page
    assert "조건에 맞는 배정이 없습니다" in client.get("/use/allocations/?flag=out").content.decode()
    (row,) = sheet(client.get("/use/allocations.xlsx"))[1:]
    assert row[1] == project.number
    assert row[10:13] == [50, 22, 2_240 * HOUR]
    assert row[16] == 7_760 * HOUR - 80 * HOUR * 60
    own = sign_in(bora).get(f"/projects/{project.id}/").content.decode()
    assert "최근 28일 속도로는 종료 때 2,960 코어·시간" in own
    assert "burn-ahead" in own


def test_queries_do_not_grow_with_projects(allocation, project, staff, sign_in):
    client = sign_in(staff)
    paths = ("/use/?by=project", "/use/?by=programme", "/use/allocations/", "/use.xlsx?by=project")
    use(allocation, 1, now())

    def counted():
        found = []
        for path in paths:
            with CaptureQueriesContext(
                connection,
            ) as seen:
                assert client.get(path).status_code == 200
            found.append(len(seen))
        return found

    counted()
    before = counted()
    for number in range(25):
        one = resources.grant(
            actor=SYSTEM, id=new_id(), project_id=project.id, resource_code="gpu-h100", amount=HOUR * 100,
            starts_at=now() - timedelta(days=60), ends_at=now() + timedelta(days=60),
            origin=resources.Origin("staff", str(number), "사유", f"group-{number}"),
        )  # fmt: skip
        use(one, 1, now())
    assert counted() == before


def test_the_drawing_begins_full_and_stays_inside(allocation, auditor):
    for day in range(1, 29):
        use(allocation, 300, now() - timedelta(days=day))
    (one,) = resources.outlook_page(actor=auditor).items
    drawn = burn(one)
    points = [tuple(map(int, each.split())) for each in drawn.left[1:].split("L")]
    assert points[0] == (0, 0)
    assert points == sorted(points)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert drawn.ahead.endswith(f" {HEIGHT}")
    assert one.forecast.runs_out_on == TODAY + timedelta(days=(10_000 - 28 * 300) // 300)
