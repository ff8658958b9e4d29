"""The statement page, its XLSX, and REST."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from openpyxl import load_workbook

from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


@pytest.fixture
def allocation(project):
    resources.load_example(SYSTEM, Path(settings.EXAMPLES))
    return resources.grant(
        actor=SYSTEM,
        id=new_id(),
        project_id=project.id,
        resource_code="cpu-core",
        amount=10_000_000,
        starts_at=now() - timedelta(days=1),
        ends_at=now() + timedelta(days=30),
        origin=resources.Origin("agreement", "1", "=협약 (예시)"),
    )


def use(allocation, count):
    lines = [
        resources.UseLine(allocation.id, 1_000 + n, f"local:{n}", now(), now(), detail={"name": f"작업 {n}"})
        for n in range(count)
    ]
    resources.settle_use(lines=lines, actor="system:test")


def test_a_project_without_allocation_says_what_to_do(project, bora, sign_in):
    page = sign_in(bora).get(f"/projects/{project.id}/statement/")
    assert page.status_code == 200
    assert "서명하면" in page.content.decode()


def test_the_statement_shows_opening_lines_and_closing(allocation, project, bora, chan, sign_in):
    use(allocation, 2)
    path = f"/projects/{project.id}/statement/"
    page = sign_in(bora).get(path).content.decode()
    assert "기초 잔액" in page
    assert "작업 1" in page
    assert sign_in(chan).get(path).status_code == 404
    assert sign_in(bora).get(f"{path}?allocation={new_id()}").status_code == 404
    assert sign_in(bora).get(f"{path}?since=2026-99-99&until=x&page=-4").status_code == 200


def test_the_page_does_not_cost_more_with_more_lines(
    allocation, project, bora, sign_in, django_assert_max_num_queries
):
    client, path = sign_in(bora), f"/projects/{project.id}/statement/"
    use(allocation, 1)
    with django_assert_max_num_queries(30) as few:
        client.get(path)
    use(allocation, 80)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get(path)


def test_the_sheet_holds_every_line(allocation, project, bora, sign_in):
    use(allocation, 120)
    answer = sign_in(bora).get(f"/projects/{project.id}/statement/?format=xlsx")
    sheet = load_workbook(BytesIO(answer.content)).active
    assert sheet.max_row == 1 + 1 + 120
    assert sheet.cell(2, 4).data_type == "s", "a memo that looks like a formula stays text"
    assert sheet.cell(sheet.max_row, 6).value == 10_000_000 - sum(1_000 + n for n in range(120))


def test_a_long_list_is_downloaded_whole_at_a_fixed_cost(
    allocation, project, bora, sign_in, django_assert_max_num_queries
):
    use(allocation, 450)
    client = sign_in(bora)
    with django_assert_max_num_queries(25):
        answer = client.get(f"/projects/{project.id}/statement/?format=xlsx")
    assert load_workbook(BytesIO(answer.content)).active.max_row == 1 + 1 + 450


def test_a_line_leads_to_what_used_it(allocation, project, bora, sign_in):
    job = new_id()
    line = resources.UseLine(
        allocation.id, 1, "local:1", now(), now(), detail={"job": str(job), "name": "<b>작업</b>"}
    )
    resources.settle_use(lines=[line], actor="system:test")
    page = sign_in(bora).get(f"/projects/{project.id}/statement/").content.decode()
    assert f'<a href="/jobs/{job}/">&lt;b&gt;작업&lt;/b&gt;</a>' in page


def test_rest_gives_amounts_as_strings(allocation, project, bora, chan, sign_in):
    use(allocation, 1)
    path = f"/api/v1/projects/{project.id}/allocations"
    (item,) = sign_in(bora).get(path).json()["items"]
    assert (item["used"], item["available"], item["state"]) == ("1000", "9999000", "ACTIVE")
    assert sign_in(chan).get(path).status_code == 404
    assert sign_in(chan).get(f"/api/v1/allocations/{allocation.id}").status_code == 404
    assert sign_in(chan).get("/api/v1/resources").json()["total"] >= 6
