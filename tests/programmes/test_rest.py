"""The same story over REST."""

from __future__ import annotations

import json

import pytest

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.ids import new_id
from bitgoeul.programmes.models import Application

from .conftest import ANSWERS, FIELDS, TITLE

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture
def as_person(client):
    def go(actor):
        token = accounts.issue_token(actor=actor, id=new_id(), name="test", days=1)
        headers = {"authorization": f"Bearer {token.secret}"}

        def send(method, address, body=None):
            data = json.dumps(body) if body is not None else ""
            return client.generic(method, API + address, data, content_type="application/json", headers=headers)

        return send

    return go


def application(company, **changes):
    content = {
        "id": str(new_id()),
        "call": "quick-start",
        "tier": "first",
        "organisation_id": str(company.id),
        "title": TITLE,
        "answers": ANSWERS,
        "fields": FIELDS,
    }
    return {**content, **changes}


def test_questions_plan_and_calls_are_open_to_everybody(client, loaded):
    questions = client.get(f"{API}/questions").json()["items"]
    assert len(questions) == 7
    made = client.post(f"{API}/plan", {"answers": ANSWERS}, content_type="application/json").json()
    assert (made["call"], made["tier"]) == ("quick-start", "first")
    assert made["steps"][0]["code"] == "apply"
    calls = client.get(f"{API}/calls").json()
    assert {one["code"] for one in calls["items"]} == {"quick-start", "campus"}
    assert client.get(f"{API}/calls/quick-start").json()["tiers"][0]["decision"] == "rule"


def test_a_bad_answer_names_the_question_and_the_choices(client, loaded):
    answer = client.post(f"{API}/plan", {"answers": {"based_in": "moon"}}, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_answer"
    assert answer.json()["detail"]["field"] == "based_in"
    assert "gwangju" in answer.json()["detail"]["remedy"]


def test_from_application_to_allocation(as_person, founder, staff, company, loaded):
    mine, theirs = as_person(founder), as_person(staff)
    body = application(company)
    made = mine("POST", "/applications", body).json()
    assert made["state"] == "SELECTED"
    assert all(reason["passed"] for reason in made["reasons"])
    assert mine("POST", "/applications", body).json() == made
    agreement = mine("GET", f"/agreements/{made['agreement_id']}").json()
    sign = f"/agreements/{agreement['id']}/sign"
    assert mine("POST", sign, {"side": "applicant", "digest": "0" * 64}).json()["code"] == "wrong_digest"
    assert not mine("POST", sign, {"side": "applicant", "digest": agreement["digest"]}).json()["complete"]
    assert [one["id"] for one in theirs("GET", "/agreements?waiting=true").json()["items"]] == [agreement["id"]]
    assert theirs("POST", sign, {"side": "operator", "digest": agreement["digest"]}).json()["complete"]
    done = mine("GET", f"/applications/{made['id']}").json()
    assert done["state"] == "ALLOCATED"
    assert mine("GET", f"/projects/{done['project_id']}").status_code == 200


def test_chan_gets_not_found_and_nobody_gets_in_without_a_token(as_person, client, founder, chan, company, loaded):
    made = as_person(founder)("POST", "/applications", application(company)).json()
    theirs = as_person(chan)
    for address in (f"/applications/{made['id']}", f"/agreements/{made['agreement_id']}"):
        assert theirs("GET", address).status_code == 404
        assert client.get(API + address).status_code == 401
    assert theirs("POST", f"/applications/{made['id']}/withdraw").status_code == 404
    assert theirs("GET", "/agreements?waiting=true").status_code == 403
    assert theirs("POST", "/applications", application(company)).status_code == 403


def test_a_read_only_token_applies_for_nothing(client, founder, company, loaded):
    token = accounts.issue_token(actor=founder, id=new_id(), name="reader", days=1, read_only=True)
    answer = client.post(
        f"{API}/applications",
        application(company),
        content_type="application/json",
        headers={"authorization": f"Bearer {token.secret}"},
    )
    assert answer.status_code == 403
    assert not Application.objects.exists()


def test_other_content_under_the_same_id_is_a_conflict(as_person, founder, company, loaded):
    mine = as_person(founder)
    body = application(company)
    mine("POST", "/applications", body)
    answer = mine("POST", "/applications", {**body, "title": "다른 과제"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_withdrawing(as_person, founder, company, loaded):
    mine = as_person(founder)
    made = mine("POST", "/applications", application(company)).json()
    assert mine("POST", f"/applications/{made['id']}/withdraw").json()["state"] == "WITHDRAWN"
    assert mine("GET", "/applications").json()["total"] == 1
