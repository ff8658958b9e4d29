"""The pages over HTTP, as people use them: plain GET and POST."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bitgoeul.kernel import clock
from bitgoeul.kernel.ids import new_id
from bitgoeul.programmes import facade
from bitgoeul.programmes.models import Application, Signature
from bitgoeul.programmes.questions import QUESTIONS

from .conftest import ANSWERS, FIELDS, TITLE

pytestmark = pytest.mark.django_db


def text_of(response):
    return response.content.decode()


def answer_all(client, answers=ANSWERS):
    for number, question in enumerate(QUESTIONS, 1):
        address = reverse("programmes:question", args=[number])
        response = client.post(address, {"answer": str(answers[question.code])})
        assert response.status_code == 302
    return response


def form_of(client, tier="first", call="quick-start"):
    """What the browser would send: the values that the form shows."""
    page = text_of(client.get(reverse("programmes:apply", args=[call]), {"tier": tier}))
    values = {}
    for tag in re.findall(r"<input[^>]*>", page):
        found = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if found and value and 'type="radio"' not in tag:
            values[found[1]] = value[1]
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        first = re.search(r'value="([^"]*)"', options)
        values[name] = (chosen or first)[1]
    values.pop("csrfmiddlewaretoken", None)
    return {**values, "title": TITLE, **FIELDS}


def queries_of(client, address, **params):
    client.get(address, params)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address, params).status_code == 200
    return len(captured)


class TestStart:
    def test_seven_questions_one_at_a_time_lead_to_the_plan(self, client, loaded):
        assert client.get("/start/").url == reverse("programmes:question", args=[1])
        assert answer_all(client).url == reverse("programmes:plan")
        page = text_of(client.get("/plan/"))
        assert "첫걸음" in page
        assert f"{reverse('programmes:apply', args=['quick-start'])}?tier=first" in page

    def test_a_question_shows_where_one_is_and_the_kept_answer(self, client, loaded):
        client.post("/start/1/", {"answer": "SME"})
        page = text_of(client.get("/start/1/"))
        assert re.search(r'value="SME" required checked', page)
        assert "질문 1 / 7" in page
        assert 'aria-current="step"' in page
        assert client.get("/start/").url == "/start/2/"

    def test_no_answer_is_said_beside_the_question(self, client):
        response = client.post("/start/3/", {})
        assert response.status_code == 400
        assert "답을 하나 골라 주십시오." in text_of(response)

    def test_there_is_no_eighth_question(self, client):
        assert client.get("/start/8/").status_code == 404

    def test_all_questions_on_one_page_do_the_same(self, client, loaded):
        missing = client.post("/start/all/", {"organisation_kind": "SME"})
        assert missing.status_code == 400
        assert client.get("/start/").url == "/start/2/"
        full = client.post("/start/all/", {code: str(value) for code, value in ANSWERS.items()})
        assert full.url == "/plan/"

    def test_starting_again_forgets(self, client, loaded):
        answer_all(client)
        client.post("/start/again/")
        assert client.get("/start/").url == "/start/1/"

    def test_a_plan_can_be_sent_on_as_an_address(self, client, loaded):
        page = text_of(client.get("/plan/", ANSWERS))
        assert "첫걸음" in page
        assert client.get("/plan/", {"based_in": "moon"}).status_code == 400

    def test_in_english(self, client, loaded):
        page = text_of(client.get("/plan/", ANSWERS, headers={"accept-language": "en"}))
        assert "“First step” fits you" in page or "&quot;First step" in page
        assert "첫걸음" not in page


class TestCalls:
    def test_open_calls_with_their_working_days(self, client, loaded):
        page = text_of(client.get("/calls/"))
        assert "기업 바로 쓰기" in page
        assert "대학·연구기관 바로 쓰기" in page
        assert str(loaded[0].working_days_left) in page

    def test_without_calls_the_page_says_what_to_do(self, client):
        page = text_of(client.get("/calls/"))
        assert "지금 접수 중인 공모가 없습니다" in page
        assert reverse("programmes:start") in page

    def test_one_call_shows_tiers_rules_and_an_apply_link_for_each(self, client, loaded):
        page = text_of(client.get("/calls/quick-start/"))
        for tier in ("first", "series"):
            assert f"?tier={tier}" in page
        assert "사업자등록번호(또는 고유번호)가 있는 기관입니다." in page

    def test_an_unknown_call_is_a_page_with_a_remedy(self, client, loaded):
        response = client.get("/calls/nothing/")
        assert response.status_code == 404
        assert "공모 목록을 확인해 주십시오." in text_of(response)


class TestApplying:
    def test_the_form_is_prefilled_from_the_plan_and_a_rule_decides_at_once(self, sign_in, founder, loaded):
        client = sign_in(founder)
        answer_all(client)
        values = form_of(client)
        assert values["based_in"] == "gwangju"
        assert values["requested_cpu-core"] == "2"
        response = client.post("/calls/quick-start/apply/?tier=first", values)
        view = facade.applications(actor=founder).items[0]
        assert response.url == reverse("programmes:application", args=[view.id])
        page = text_of(client.get(response.url))
        assert "선정" in page
        assert "기업입니다." in page
        assert "· 규칙에 따라 결정" in page
        assert reverse("programmes:agreement", args=[view.agreement_id]) in page

    def test_sending_the_form_twice_makes_one_application(self, sign_in, founder, loaded):
        client = sign_in(founder)
        answer_all(client)
        values = form_of(client)
        first, second = (client.post("/calls/quick-start/apply/?tier=first", values) for _ in range(2))
        assert first.url == second.url
        assert Application.objects.count() == 1

    def test_an_error_stands_beside_its_field_and_nothing_is_lost(self, sign_in, founder, loaded):
        client = sign_in(founder)
        answer_all(client)
        response = client.post("/calls/quick-start/apply/?tier=first", {**form_of(client), "purpose": ""})
        assert response.status_code == 400
        page = text_of(response)
        assert 'id="id_purpose-error"' in page
        assert TITLE in page
        assert not Application.objects.exists()

    def test_a_draft_is_kept_and_gone_on_with(self, sign_in, founder, loaded):
        client = sign_in(founder)
        values = {**form_of(client), "purpose": "", "action": "save"}
        response = client.post("/calls/quick-start/apply/?tier=first", values)
        view = facade.applications(actor=founder).items[0]
        assert response.url == reverse("programmes:application", args=[view.id])
        page = text_of(client.get(reverse("programmes:apply", args=["quick-start"]), {"draft": str(view.id)}))
        assert TITLE in page
        assert str(view.id) in page

    def test_without_an_organisation_one_is_told_to_register_it(self, sign_in, chan, loaded):
        page = text_of(sign_in(chan).get("/calls/quick-start/apply/"))
        assert "먼저 기관을 등록해 주십시오" in page

    def test_chan_cannot_apply_for_aras_company(self, sign_in, chan, loaded, company, person):
        client = sign_in(chan)
        values = {"id": str(new_id()), "organisation": str(company.id), "title": TITLE}
        client.post("/calls/quick-start/apply/?tier=first", values)
        assert not Application.objects.exists()

    def test_nobody_applies_without_signing_in(self, client, loaded):
        assert "/accounts/login/" in client.get("/calls/quick-start/apply/").url

    def test_a_rejection_says_what_was_not_met(self, sign_in, founder, handed_in):
        view = handed_in(fields={**FIELDS, "model_licence": "research-only"})
        page = text_of(sign_in(founder).get(reverse("programmes:application", args=[view.id])))
        assert "연구용으로만 쓸 수 있는 모델" in page
        assert "다시 신청하기" in page

    def test_others_applications_do_not_exist(self, sign_in, chan, handed_in):
        view = handed_in()
        client = sign_in(chan)
        for name, key in (
            ("application", view.id),
            ("agreement", view.agreement_id),
            ("agreement_text", view.agreement_id),
        ):
            assert client.get(reverse(f"programmes:{name}", args=[key])).status_code == 404
        assert client.post(reverse("programmes:withdraw", args=[view.id])).status_code == 404

    def test_the_applicant_withdraws(self, sign_in, founder, handed_in):
        view = handed_in()
        sign_in(founder).post(reverse("programmes:withdraw", args=[view.id]), {"reason": "다음에"})
        assert facade.application(actor=founder, application_id=view.id).state == "WITHDRAWN"


class TestSigning:
    def sign(self, client, view, side, **changes):
        agreement = facade.agreement(actor=facade_system(), agreement_id=view.agreement_id)
        data = {"side": side, "digest": agreement.digest, "agree": "yes", **changes}
        return client.post(reverse("programmes:sign", args=[agreement.id]), data)

    def test_both_sides_sign_in_the_portal_and_the_project_opens(self, sign_in, founder, staff, handed_in):
        view = handed_in()
        client = sign_in(founder)
        page = text_of(client.get(reverse("programmes:agreement", args=[view.agreement_id])))
        assert 'name="agree"' in page
        first = self.sign(client, view, "applicant")
        assert first.url == reverse("programmes:agreement", args=[view.agreement_id])
        client = sign_in(staff)
        listed = text_of(client.get("/agreements/?waiting"))
        assert reverse("programmes:agreement", args=[view.agreement_id]) in listed
        done = self.sign(client, view, "operator")
        assert done.url == reverse("programmes:application", args=[view.id])
        page = text_of(client.get(done.url))
        assert "배정 완료" in page
        assert reverse("programmes:agreement", args=[view.agreement_id]) not in text_of(
            client.get("/agreements/?waiting")
        )

    def test_a_double_click_signs_once(self, sign_in, founder, handed_in):
        view = handed_in()
        client = sign_in(founder)
        assert [self.sign(client, view, "applicant").status_code for _ in range(2)] == [302, 302]
        assert Signature.objects.count() == 1

    def test_unread_or_another_text_is_not_signed(self, sign_in, founder, handed_in):
        view = handed_in()
        client = sign_in(founder)
        assert self.sign(client, view, "applicant", agree="").status_code == 400
        assert self.sign(client, view, "nobody").status_code == 400
        wrong = self.sign(client, view, "applicant", digest="0" * 64)
        assert wrong.status_code == 409
        assert "협약서를 다시 열어" in text_of(wrong)
        assert not Signature.objects.exists()

    def test_a_member_sees_why_she_cannot_sign(self, sign_in, colleague, handed_in):
        view = handed_in()
        page = text_of(sign_in(colleague).get(reverse("programmes:agreement", args=[view.agreement_id])))
        assert 'name="agree"' not in page
        assert "서명 전" in page

    def test_the_file_is_what_was_signed(self, sign_in, founder, handed_in):
        view = handed_in()
        response = sign_in(founder).get(reverse("programmes:agreement_text", args=[view.agreement_id]))
        agreement = facade.agreement(actor=founder, agreement_id=view.agreement_id)
        assert hashlib.sha256(response.content).hexdigest() == agreement.digest
        assert response["Cache-Control"] == "no-store"

    def test_the_list_of_waiting_agreements_is_for_staff(self, sign_in, founder, handed_in):
        handed_in()
        client = sign_in(founder)
        assert client.get("/agreements/?waiting").status_code == 403
        assert TITLE in text_of(client.get("/agreements/"))


def facade_system():
    from bitgoeul.accounts.facade import Actor

    return Actor.system("test")


class TestQueries:
    def test_no_page_grows_with_its_rows(self, sign_in, founder, staff, handed_in):
        handed_in()
        addresses = {
            "/applications/": founder,
            "/agreements/": founder,
            "/agreements/?waiting": staff,
            "/calls/": founder,
        }
        few = {address: queries_of(sign_in(actor), address) for address, actor in addresses.items()}
        for _ in range(6):
            handed_in()
        many = {address: queries_of(sign_in(actor), address) for address, actor in addresses.items()}
        assert few == many
        assert max(many.values()) <= 30

    def test_single_pages_stay_within_thirty_queries(self, sign_in, founder, staff, handed_in):
        view = handed_in()
        client = sign_in(founder)
        answer_all(client)
        agreement = reverse("programmes:agreement", args=[view.agreement_id])
        pages = [
            "/start/1/", "/start/all/", "/plan/", "/calls/quick-start/", "/calls/quick-start/apply/", agreement,
            reverse("programmes:application", args=[view.id]),
        ]  # fmt: skip
        assert max(queries_of(client, page) for page in pages) <= 30


def test_a_closed_call_stands_under_closed_calls(client, loaded, monkeypatch):
    later = clock.now() + timedelta(days=400)
    monkeypatch.setattr("bitgoeul.programmes.views.calls.now", lambda: later)
    assert "기업 바로 쓰기" not in text_of(client.get("/calls/"))
    assert "기업 바로 쓰기" in text_of(client.get("/calls/?past=1"))
