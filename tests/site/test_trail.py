"""The audit trail of a thing, through HTTP: every kind, what each reader sees of people, chain, workbook."""

from __future__ import annotations

import ast
import re
from io import BytesIO
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from portal_world import call

SOURCE = Path(__file__).resolve().parents[2] / "src" / "bitgoeul"
KINDS = {
    "project": "{project}",
    "organisation": "{company}",
    "application": "{application}",
    "agreement": "{agreement}",
    "allocation": "{allocation}",
    "job": "{job}",
    "subject": "{subject}",
    "trial": "{trial}",
    "evidence": "{private}",
}


def read(client, kind, ids, **query):
    address = f"/api/v1/trail/{kind}/{KINDS[kind].format(**ids)}"
    answer = client.get(address, query, headers={"accept-language": "ko"})
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_tells_who_did_what_oldest_first(enter, ids, kind):
    path = f"/trail/{kind}/{KINDS[kind]}/"
    page = call(enter("ara"), "GET", path, ids)
    assert page.status_code == 200
    assert 'class="trail"' in page.text_seen
    items = read(enter("ara"), kind, ids)["items"]
    assert items
    assert [one["at"] for one in items] == sorted(one["at"] for one in items)
    for one in items:
        assert one["who"]
        assert one["what"] != one["verb"], f"{one['verb']} has no words"


@pytest.mark.parametrize("kind", KINDS)
def test_an_outsider_learns_nothing_of_any_kind(enter, ids, kind):
    for path in (f"/trail/{kind}/{KINDS[kind]}/", f"/api/v1/trail/{kind}/{KINDS[kind]}"):
        assert call(enter("chan"), "GET", path, ids).status_code == 404
    assert call(enter("anonymous"), "GET", f"/api/v1/trail/{kind}/{KINDS[kind]}", ids).status_code == 401


def test_public_evidence_does_not_show_who_decided_about_it(enter, ids):
    assert call(enter("chan"), "GET", "/trail/evidence/{public}/", ids).status_code == 404
    assert call(enter("ara"), "GET", "/trail/evidence/{public}/", ids).status_code == 200


@pytest.mark.parametrize(
    "path", ["/trail/nonsense/{project}/", "/trail/project/nonsense/", "/trail/job/{project}/"]
)
def test_what_is_no_thing_is_not_found(enter, ids, path):
    assert call(enter("staff"), "GET", path, ids).status_code == 404


def test_people_of_the_team_read_names_of_the_team_and_roles_of_the_operator(enter, ids, world):
    agreement = accounts.Actor.system("test")
    signed = read(enter("ara"), "application", ids)["items"]
    who = {one["who"] for one in signed if one["verb"] == "agreement.sign"}
    assert agreement.is_system
    assert "Ara 가온칩" in who
    assert "Staff" not in who, "an applicant reads that the operator's staff signed, not who"
    assert "사업단 담당자" in who
    seen = {one["who"] for one in read(enter("staff"), "application", ids)["items"]}
    assert {"Ara 가온칩", "Staff"} <= seen


def test_an_engineer_reads_what_people_are_not_who(enter, ids):
    text = call(enter("engineer"), "GET", "/trail/project/{project}/", ids).text_seen
    main = re.search(r'<ol class="trail">.*</ol>', text, re.DOTALL)[0]
    assert "Bora" not in main
    assert "과제나 기관의 사람" in main


def test_an_operator_who_reads_names_leaves_an_access_record(enter, ids, world):
    from bitgoeul.audit.models import AccessRecord

    def records():
        return list(
            AccessRecord.objects.filter(what=f"trail of project {world.project.id}").values_list("person", "actor")
        )

    before = len(records())
    enter("ara").get(f"/trail/project/{world.project.id}/")
    assert len(records()) == before
    enter("auditor").get(f"/trail/project/{world.project.id}/")
    new = records()[before:]
    assert (f"user:{world.people['bora']}", f"user:{world.people['auditor']}") in new


def test_the_request_id_is_for_operators_only(enter, ids, world):
    with audit.request_context("a-request-of-a-test"):
        accounts.add_member(
            actor=accounts.Actor.system("test"), project_id=world.project.id,
            user_id=world.people["dami"], role=accounts.ProjectRole.VIEWER,
        )  # fmt: skip
    assert read(enter("staff"), "project", ids)["items"][-1]["request_id"] == "a-request-of-a-test"
    assert read(enter("ara"), "project", ids)["items"][-1]["request_id"] == ""
    assert "a-request-of-a-test" not in enter("ara").get(f"/trail/project/{world.project.id}/").content.decode()


def test_an_event_has_no_position_before_it_is_sealed(enter, ids):
    assert {one["sequence"] for one in read(enter("ara"), "trial", ids)["items"]} == {None}
    audit.seal_all()
    numbers = [one["sequence"] for one in read(enter("ara"), "trial", ids)["items"]]
    assert None not in numbers
    assert len(set(numbers)) == len(numbers)


def test_values_before_and_after_are_words(enter, ids, world):
    accounts.add_member(
        actor=accounts.Actor.system("test"), project_id=world.project.id,
        user_id=world.people["bora"], role=accounts.ProjectRole.VIEWER,
    )  # fmt: skip
    changes = {one["field"]: one for one in read(enter("ara"), "project", ids)["items"][-1]["changes"]}
    assert changes["사람"]["after"] == "Bora 가온칩"
    assert (changes["역할"]["before"], changes["역할"]["after"]) == ("MEMBER", "VIEWER")
    moves = [one for one in read(enter("ara"), "application", ids)["items"] if one["verb"] == "application.submit"]
    assert {one["field"]: one["after"] for one in moves[0]["changes"]} == {"상태": "접수"}


def test_only_an_auditor_reads_personal_values_and_erased_ones_are_told(enter, ids, world, person):
    from bitgoeul.site.pages import trail

    audit.record(
        verb="accounts.add_member", subject_kind="project", subject_id=str(world.project.id), actor="system:test",
        personal={"email": "secret@example.kr"},
    )  # fmt: skip
    path = f"/trail/project/{world.project.id}/"
    assert "secret@example.kr" in enter("auditor").get(path).content.decode()
    for name in ("ara", "staff", "engineer"):
        assert "secret@example.kr" not in enter(name).get(path).content.decode()
    audit.erase_personal(subject_kind="project", subject_id=str(world.project.id), actor="system:test")
    html = enter("auditor").get(path).content.decode()
    assert "secret@example.kr" not in html
    assert "지워졌습니다" in html
    assert trail.READERS


def test_the_trail_comes_in_pages_and_does_not_grow_in_queries(enter, ids, world):
    client, path = enter("ara"), f"/trail/project/{world.project.id}/"
    client.get(path)  # the session's own first writes
    with CaptureQueriesContext(connection) as few:
        client.get(path)
    for number in range(60):
        audit.record(
            verb="accounts.add_member", subject_kind="project", subject_id=str(world.project.id),
            actor=f"user:{world.people['bora']}", after={"user": str(world.people["bora"]), "role": str(number)},
        )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        html = client.get(path).content.decode()
    assert len(many) == len(few) <= 20
    assert html.count('class="trail-head"') == 50
    assert client.get(f"{path}?page=2").content.decode().count('class="trail-head"') >= 10


def test_the_workbook_holds_what_the_page_shows(enter, ids):
    sheet = enter("ara").get(f"/trail/application/{ids['application']}/?format=xlsx")
    rows = list(load_workbook(BytesIO(sheet.content)).active.values)
    items = read(enter("ara"), "application", ids)["items"]
    assert [(row[1], row[2], row[7]) for row in rows[1:]] == [
        (one["who"], one["what"], one["id"]) for one in items
    ]
    assert "Staff" not in {row[1] for row in rows}


def test_pages_lead_to_their_trails(enter, ids):
    for path, link in (
        ("/projects/{project}/", "/trail/project/{project}/"),
        ("/organisations/{company}/", "/trail/organisation/{company}/"),
        ("/applications/{application}/", "/trail/application/{application}/"),
        ("/agreements/{agreement}/", "/trail/agreement/{agreement}/"),
        ("/projects/{project}/statement/?allocation={allocation}", "/trail/allocation/{allocation}/"),
        ("/jobs/{job}/", "/trail/job/{job}/"),
        ("/subjects/{subject}/", "/trail/subject/{subject}/"),
        ("/trials/{trial}/", "/trail/trial/{trial}/"),
        ("/evidence/{private}/", "/trail/evidence/{private}/"),
    ):
        assert f'href="{link.format(**ids)}"' in call(enter("ara"), "GET", path, ids).text_seen, path


def recorded_verbs():
    """Every verb that a service writes down literally about a thing with a trail."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            values = {one.arg: one.value for one in node.keywords}
            kind, verb = values.get("subject_kind"), values.get("verb")
            if isinstance(kind, ast.Constant) and kind.value in KINDS:
                for one in ast.walk(verb) if verb else ():
                    if isinstance(one, ast.Constant) and "." in str(one.value):
                        yield one.value


def test_every_verb_that_is_written_down_has_words():
    from bitgoeul.site.pages.trail_words import what

    verbs = sorted(set(recorded_verbs()))
    assert len(verbs) > 15
    assert [verb for verb in verbs if what(verb) == verb] == []
