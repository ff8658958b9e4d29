"""The staff's decisions, through HTTP: inbox, preview, report of each row, and the decision by a person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.programmes import facade as programmes
from portal_world import ANSWERS, EXAMPLES, FIELDS

REASON = "심사표의 모든 항목을 확인했습니다."


@pytest.fixture
def waiting(world, db):
    """Two applications of Ara's company to a tier that a person decides; the second breaks a rule."""
    data = json.loads((EXAMPLES / "calls" / "quick-start.json").read_text(encoding="utf-8"))
    moment = now()
    del data["window"]
    data["code"] = "by-hand"
    data |= {"opens_at": moment - timedelta(days=1), "closes_at": moment + timedelta(days=9)}
    for tier in data["tiers"]:
        tier["decision"] = "staff"
    programmes.load_call(actor=accounts.Actor.system("test"), data=data)
    made = []
    for title in ("첫째 (예시)", "둘째 (예시)"):
        made.append(
            programmes.apply(
                actor=accounts.actor_for(user_id=world.people["ara"]), id=new_id(), call_code="by-hand",
                tier_code="first", organisation_id=world.company.id, title=title, answers=ANSWERS, fields=FIELDS,
            )
        )  # fmt: skip
    return made


def key(view):
    return f"application:{view.id}"


def state(view):
    return programmes.application(actor=accounts.Actor.system("test"), application_id=view.id).state


def decide(client, *views, action="select", reason=REASON):
    return client.post(
        "/decisions/report/", {"item": [key(one) for one in views], "action": action, "reason": reason}
    )


def test_a_tier_of_the_operator_waits_for_a_person(waiting):
    assert {state(one) for one in waiting} == {programmes.ApplicationState.SUBMITTED}


def test_the_inbox_shows_what_waits_with_a_preview_and_its_actions(enter, waiting, world):
    html = enter("staff").get("/decisions/").content.decode()
    for one in waiting:
        assert f'value="{key(one)}|select"' in html
    assert f"agreement:{world.selected.agreement_id}:" in html
    assert "충족" in html


def test_an_auditor_reads_and_cannot_act_and_others_do_not_get_in(enter, waiting):
    html = enter("auditor").get("/decisions/").content.decode()
    assert 'name="only"' not in html
    assert "사업단 담당자만 할 수 있습니다" in html
    for name in ("engineer", "ara", "chan"):
        assert enter(name).get("/decisions/").status_code == 403
        assert decide(enter(name), waiting[0]).status_code == 403
    assert "거부됨" in decide(enter("auditor"), waiting[0]).content.decode()
    assert state(waiting[0]) == programmes.ApplicationState.SUBMITTED


def test_a_preview_tells_what_would_happen_and_writes_nothing(enter, waiting, world):
    keys = [
        key(waiting[0]),
        f"agreement:{world.selected.agreement_id}:{world.agreement_digest}",
        "application:nonsense",
    ]
    html = enter("staff").post("/decisions/preview/", {"item": keys, "action": "select"}).content.decode()
    assert "협약 문안이 확정되고" in html
    assert "이 종류의 행에는 할 수 없는 일입니다" in html
    assert "더는 기다리지 않거나" in html
    assert html.count('<input type="hidden" name="item"') == 1
    assert state(waiting[0]) == programmes.ApplicationState.SUBMITTED


def test_rows_are_decided_one_by_one_and_a_refused_one_takes_none_with_it(enter, waiting, world):
    client = enter("staff")
    programmes.withdraw(actor=accounts.actor_for(user_id=world.people["ara"]), application_id=waiting[1].id)
    html = decide(client, *waiting).content.decode()
    assert state(waiting[0]) == programmes.ApplicationState.SELECTED
    assert state(waiting[1]) == programmes.ApplicationState.WITHDRAWN
    assert html.count("거부됨") == 1
    again = decide(client, waiting[0]).content.decode()
    assert "거부됨" not in again, "the same decision again changes nothing"
    other = decide(client, waiting[0], action="refuse").content.decode()
    assert "이미 결정된 신청입니다" in other
    assert state(waiting[0]) == programmes.ApplicationState.SELECTED


def test_a_refusal_needs_a_reason_that_the_applicant_reads(enter, waiting):
    client = enter("staff")
    assert "이유를" in decide(client, waiting[0], action="refuse", reason=" ").content.decode()
    assert state(waiting[0]) == programmes.ApplicationState.SUBMITTED
    decide(client, waiting[0], action="refuse", reason="예산이 소진되었습니다.")
    assert state(waiting[0]) == programmes.ApplicationState.REJECTED
    html = enter("ara").get(f"/applications/{waiting[0].id}/").content.decode()
    assert "예산이 소진되었습니다." in html
    assert "운영기관이 규칙에 따라 결정" in html


def test_nobody_decides_about_their_own_organisation(waiting, world):
    staff = accounts.actor_for(user_id=world.people["staff"])
    kin = replace(staff, organisation_roles={world.company.id: accounts.OrganisationRole.MEMBER})
    with pytest.raises(Exception, match="organisation of their own"):
        programmes.decide(actor=kin, application_id=waiting[0].id, selected=True, reason=REASON)


def test_signing_in_bulk_needs_the_statement_and_signs_the_text_that_was_shown(enter, world):
    client, item = enter("staff"), f"agreement:{world.selected.agreement_id}:{world.agreement_digest}"
    assert client.post("/decisions/report/", {"item": item, "action": "sign"}).status_code == 400
    stale = client.post("/decisions/report/", {"item": item[:-4] + "0000", "action": "sign", "agree": "yes"})
    assert "거부됨" in stale.content.decode()
    done = client.post("/decisions/report/", {"item": item, "action": "sign", "agree": "yes"})
    assert "운영자로 서명했습니다" in done.content.decode()
    again = client.post("/decisions/report/", {"item": item, "action": "sign", "agree": "yes"})
    assert "거부됨" not in again.content.decode()


@pytest.mark.parametrize("body", [{}, {"action": "select"}, {"action": "nonsense", "item": "x"}])
def test_a_form_without_rows_or_action_says_what_to_do(enter, body):
    page = enter("staff").post("/decisions/preview/", body)
    assert page.status_code == 400
    assert "돌아가서" in page.content.decode()


def test_the_interface_lists_and_decides(enter, waiting):
    client = enter("staff")
    items = client.get("/api/v1/decisions").json()["items"]
    assert [one["due"] for one in items] == sorted(one["due"] for one in items)
    answer = client.post(
        f"/api/v1/applications/{waiting[0].id}/decide", {"selected": True, "reason": REASON},
        content_type="application/json",
    )  # fmt: skip
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "SELECTED"
    assert enter("engineer").get("/api/v1/decisions").status_code == 403
