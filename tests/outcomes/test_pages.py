"""The public figures as pages and open data, for anybody."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.trials import facade as trials

pytestmark = pytest.mark.django_db


def text_of(response):
    return response.content.decode()


def test_both_registers_stand_side_by_side(client, loaded, issue, deliver):
    issue()
    deliver()
    page = text_of(client.get("/figures/"))
    assert "약 2,200 건" in page
    assert "470 개사 이상" in page
    assert "이 설치에서 검증된 값" in page
    assert "세는 규칙 없음" in page


def test_without_figures_the_page_says_so(client):
    assert "아직 올린 지표가 없습니다" in text_of(client.get("/figures/"))


def test_a_figure_leads_down_to_the_check_of_each_digest(client, loaded, issue, deliver):
    evidence = issue()
    deliver()
    page = text_of(client.get("/figures/chip-trials/"))
    assert f"/verify/{evidence.digest}/" in page
    assert "같은 파일(SHA-256)은 여러 번 통과해도 하나로 셉니다." in page
    assert "소프트웨어 타깃 포함" in page
    for other in ("/figures/", "/"):
        assert "소프트웨어 타깃 포함" in text_of(client.get(other))
    assert "2023/2024" in page


def test_a_digest_that_is_private_again_is_not_told(client, loaded, issue, deliver, owner):
    evidence = issue()
    deliver()
    trials.withdraw(actor=owner, digest=evidence.digest)
    deliver()
    page = text_of(client.get("/figures/chip-trials/"))
    assert evidence.digest not in page
    assert "한때 셈에 들었다가 빠진 주장이 1건" in page
    assert evidence.digest not in text_of(client.get("/api/v1/figures/chip-trials/claims"))


def test_in_english(client, loaded):
    page = text_of(client.get("/figures/chip-trials/", headers={"accept-language": "en"}))
    assert "AI chip demonstration" in page
    assert "Nothing counts yet" in page
    assert "software targets included" in page


def test_an_unknown_figure_is_not_found(client, loaded):
    assert client.get("/figures/nothing/").status_code == 404
    assert client.get("/api/v1/figures/nothing").json()["code"] == "not_found"


def test_the_figures_are_open_data(client, loaded, issue, deliver):
    evidence = issue()
    deliver()
    figures = {one["code"]: one for one in client.get("/api/v1/figures").json()["items"]}
    assert figures["chip-trials"]["verified"]["value"] == 1
    assert figures["compute"]["verified"] is None
    assert [one["value"] for one in figures["budget-phase-1"]["reported"]] == ["4,269", "4,116", "4,119"]
    (claim,) = client.get("/api/v1/figures/chip-trials/claims").json()["items"]
    assert claim["evidence_digest"] == evidence.digest


def test_no_page_grows_with_its_claims(client, loaded, issue, deliver):
    def count(address):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    addresses = ("/figures/", "/figures/chip-trials/", "/api/v1/figures")
    issue()
    deliver()
    few = [count(address) for address in addresses]
    for _ in range(5):
        issue()
    deliver()
    assert [count(address) for address in addresses] == few
    assert max(few) <= 10


def test_the_figures_as_a_workbook_keep_the_registers_apart(client, loaded, issue, deliver):
    from io import BytesIO

    import openpyxl

    issue()
    deliver()
    sheet = openpyxl.load_workbook(BytesIO(client.get("/figures.xlsx").content)).active
    rows = [row for row in sheet.values if row[0] == "AI 반도체 실증"]
    assert len(rows) == 3
    assert [row[5] for row in rows] == [1, None, None]
    assert rows[0][1] == "10 개사"
