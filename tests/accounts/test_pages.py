"""Signing in, the example's people, organisations and members, over HTTP."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core import mail as outbox
from django.core.mail import EmailMessage
from django.test import Client

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts import mail
from bitgoeul.accounts.facade import Actor
from bitgoeul.audit import facade as audit

pytestmark = pytest.mark.django_db


@pytest.fixture
def example():
    accounts.load_example(Actor.system("example"), Path(django_settings.EXAMPLES))
    return accounts.load_example(Actor.system("example"), Path(django_settings.EXAMPLES))


def test_one_click_signs_in_as_a_named_person(client, example):
    page = client.get("/example/sign-in/")
    assert page.status_code == 200
    assert "한가온 (예시)" in page.content.decode()
    response = client.post("/example/sign-in/", {"person": "founder", "next": "/organisations/new/"})
    assert response["Location"] == "/organisations/new/"
    assert client.get("/api/v1/me").json()["name"] == "한가온 (예시)"


@pytest.mark.parametrize(
    "extra",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_FORWARDED_HOST": "localhost"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
    ],
)
def test_one_click_is_for_this_machine_only(client, example, extra):
    assert client.get("/example/sign-in/", **extra).status_code == 404
    assert client.post("/example/sign-in/", {"person": "staff"}, **extra).status_code == 404
    assert client.get("/mail/", **extra).status_code == 404
    assert "_auth_user_id" not in client.session


def test_one_click_is_never_for_production(client, example, monkeypatch):
    monkeypatch.setattr(django_settings.ENV, "mode", "production")
    assert client.post("/example/sign-in/", {"person": "staff"}).status_code == 404


def test_one_click_is_never_for_an_installation_with_an_address_elsewhere(client, example, settings):
    settings.PUBLIC_URL = "https://ai.example.kr"
    assert client.post("/example/sign-in/", {"person": "staff"}).status_code == 404
    settings.PUBLIC_URL = "http://[::1]:8000"
    assert client.post("/example/sign-in/", {"person": "staff"}).status_code == 302


def test_the_rate_limits_are_settings(settings):
    assert settings.ACCOUNT_RATE_LIMITS["login_failed"] == "", "accounts.attempts counts instead"
    assert settings.ACCOUNT_RATE_LIMITS["signup"] == "20/m/ip"
    assert settings.ACCOUNT_RATE_LIMITS["reset_password"] == "20/m/ip,5/m/key"
    assert settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory"


def test_one_click_needs_the_example(client):
    assert client.get("/example/sign-in/").status_code == 404


def test_no_redirect_leaves_the_portal(client, example):
    response = client.post("/example/sign-in/", {"person": "founder", "next": "https://evil.example/"})
    assert response["Location"] == "/home/"


def test_sign_up_confirms_by_mail_and_signs_in(client, settings):
    form = {
        "display_name": "도라지",
        "email": "doraji@example.kr",
        "password1": "jeonla-namdo-2026",
        "password2": "jeonla-namdo-2026",
    }
    response = client.post("/accounts/signup/", form)
    assert response.status_code == 302, response.content.decode()[:2000]
    assert outbox.outbox == [], "the request itself sends nothing"
    assert audit.dispatch_once() == 1
    assert outbox.outbox[-1].extra_headers["Message-ID"]
    link = re.search(r"^http://testserver(/accounts/confirm-email/\S+)$", outbox.outbox[-1].body, re.M).group(1)
    assert client.post(link).status_code == 302
    assert client.get("/api/v1/me").json()["name"] == "도라지"


@pytest.mark.parametrize("path", ["login/", "signup/", "password/reset/"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_sign_in_pages_stand_in_the_portal(client, path, language):
    client.cookies["django_language"] = language
    page = client.get(f"/accounts/{path}")
    text = page.content.decode()
    assert page.status_code == 200
    assert f'lang="{language}"' in text
    assert 'id="krds-header"' in text
    assert text.count("<h1") == 1


def test_the_mail_page_shows_what_was_sent(client, example, tmp_path, settings):
    settings.EMAIL_FILE_PATH = tmp_path
    message = EmailMessage("제목 하나", "본문", "a@b.example", ["c@d.example"], headers={"Message-ID": "<1@x>"})
    backend = mail.FileBackend()
    backend.send_messages([message])
    backend.send_messages([message])
    assert mail.count() == 1, "the same Message-ID is the same mail"
    page = client.get("/mail/").content.decode()
    assert "제목 하나" in page
    shown = client.get(re.search(r"/mail/[\w-]+/", page).group()).content.decode()
    assert "본문" in shown
    assert client.get("/mail/unknown/").status_code == 404


def test_an_organisation_with_a_wrong_number_is_refused_beside_the_field(ara, sign_in):
    client = sign_in(ara)
    from bitgoeul.kernel.ids import new_id

    form = {"id": new_id(), "name": "가 (예시)", "kind": "SME", "registration_number": "000-00-00001"}
    page = client.post("/organisations/new/", form)
    assert page.status_code == 422
    assert 'id="id_registration_number-error"' in page.content.decode()
    assert 'value="000-00-00001"' in page.content.decode(), "what was typed is kept"
    assert client.post("/organisations/new/", {**form, "registration_number": "000-00-00034"}).status_code == 302


def test_members_page(project, ara, bora, chan, sign_in, django_assert_max_num_queries):
    path = f"/projects/{project.id}/members/"
    client = sign_in(ara)
    client.get(path)  # the first page of a session writes its row
    with django_assert_max_num_queries(24):
        assert client.get(path).status_code == 200
    page = sign_in(ara).post(path, {"email": "nobody@example.kr", "role": "MEMBER"})
    assert page.status_code == 422
    assert sign_in(ara).post(path, {"email": "chan@example.kr", "role": "VIEWER"}).status_code == 302
    # Who may not add people learns nothing about who has an account.
    for email in ("chan@example.kr", "nobody@example.kr"):
        assert sign_in(bora).post(path, {"email": email, "role": "MEMBER"}).status_code == 403
    removed = sign_in(ara).post(f"{path}{chan.user_id}/remove/")
    assert removed.status_code == 302
    assert sign_in(chan).get(path).status_code == 404
    assert Client().get(path).status_code == 302


def test_a_mail_that_cannot_be_sent_is_tried_again_under_the_same_id(monkeypatch):
    from datetime import timedelta

    from bitgoeul.audit.models import Message
    from bitgoeul.kernel.clock import now

    tried = []

    def send(self, fail_silently=False):
        tried.append(self.extra_headers["Message-ID"])
        if len(tried) == 1:
            raise ConnectionRefusedError("no server")
        return 1

    monkeypatch.setattr(EmailMessage, "send", send)
    accounts.write_mail(EmailMessage("제목", "본문", "a@b.example", ["c@d.example"]))
    assert audit.dispatch_once() == 0
    Message.objects.update(available_at=now() - timedelta(seconds=1))
    assert audit.dispatch_once() == 1
    assert len(tried) == 2
    assert len(set(tried)) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_bad_token_is_told_as_such(client, method):
    answer = getattr(client, method)(
        "/api/v1/tokens" if method == "post" else "/api/v1/me", headers={"Authorization": "Bearer x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


def test_rest_needs_somebody(client, ara, project):
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")
    from bitgoeul.kernel.ids import new_id

    made = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1)
    headers = {"Authorization": f"Bearer {made.secret}"}
    assert client.get("/api/v1/projects", headers=headers).json()["total"] == 1
    assert client.get(f"/api/v1/projects/{new_id()}", headers=headers).status_code == 404
