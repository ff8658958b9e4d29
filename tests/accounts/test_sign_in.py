"""Signing in under attack and after a pause: waits that grow, sessions that end, forms that are not lost."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail as outbox
from django.core.cache import cache
from django.test import Client

from bitgoeul.accounts import attempts
from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.errors import TooManyFailures
from bitgoeul.accounts.models import FailedAttempts, SignIn, User
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotAllowed
from people import sign_in_by

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
WAITS = re.compile(r"(\d+)분 뒤")


@pytest.fixture
def later(monkeypatch):
    """Move the clock of the rules: ``later(minutes=61)``."""

    def move(**time):
        moment = now() + timedelta(**time)
        for module in ("attempts", "sign_ins"):
            monkeypatch.setattr(f"bitgoeul.accounts.{module}.now", lambda: moment)

    return move


@pytest.fixture(autouse=True)
def fresh_cache():
    """The sign-in pages' own limits count over the whole run; other tests' requests are none of ours."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def registered(ara):
    EmailAddress.objects.create(user_id=ara.user_id, email="ara@example.kr", verified=True, primary=True)
    return ara


def attempt(email="ara@example.kr", password="wrong wrong wrong", client=None):
    return (client or Client()).post("/accounts/login/", {"login": email, "password": password})


def fail(times, email="ara@example.kr"):
    return [attempt(email) for _ in range(times)][-1]


def test_the_wait_after_failures_grows_and_ends(registered, later):
    assert not WAITS.search(fail(attempts.FREE["account"] - 1).content.decode())
    fail(1)
    refused = attempt(password=PASSWORD)
    assert WAITS.search(refused.content.decode()).group(1) == "1"
    later(minutes=1, seconds=1)
    fail(1)
    assert WAITS.search(attempt(password=PASSWORD).content.decode()).group(1) == "2"
    later(minutes=4)
    client = Client()
    assert attempt(password=PASSWORD, client=client).status_code == 302
    assert not FailedAttempts.objects.filter(kind="account").exists()


def test_nobody_learns_who_has_an_account(registered):
    known, unknown = fail(6), fail(6, "nobody@example.kr")
    words = [WAITS.search(page.content.decode()).group() for page in (known, unknown)]
    assert words[0] == words[1]


def test_the_person_is_told_once_and_it_is_written_down(registered):
    fail(8)
    audit.dispatch_once()
    assert [message.to for message in outbox.outbox] == [["ara@example.kr"]]
    verbs = [one.verb for one in audit.history("user", str(registered.user_id)).items]
    assert verbs.count("accounts.lock_sign_in") == 1


def test_an_address_that_guesses_many_accounts_waits(registered, monkeypatch):
    monkeypatch.setitem(attempts.FREE, "address", 3)
    for n in range(3):
        attempt(f"person{n}@example.kr")
    assert WAITS.search(attempt(password=PASSWORD).content.decode())


def test_the_rows_are_few_and_hold_no_address(registered, monkeypatch, later):
    fail(1)
    assert "ara" not in str(list(FailedAttempts.objects.values()))
    monkeypatch.setattr(attempts, "ROWS_MAX", 1)
    attempts.failed("account", "b@example.kr")
    attempts.forget_old()
    assert FailedAttempts.objects.count() <= 1
    later(hours=25)
    attempts.forget_old()
    assert FailedAttempts.objects.count() == 0


def test_staff_lift_the_wait_and_others_do_not(registered, staff, chan, sign_in):
    fail(6)
    with pytest.raises(NotAllowed):
        attempts.lift(actor=chan, email="ara@example.kr")
    client = sign_in(staff)
    assert client.post("/operators/person/", {"email": "ara@example.kr", "act": "lift"}).status_code == 302
    assert attempt(password=PASSWORD).status_code == 302
    refused = client.post("/operators/person/", {"email": "ara@example.kr", "act": "end"})
    assert refused.status_code == 403
    assert "elevation_needed" in refused.content.decode()


def test_a_new_password_ends_the_wait_and_every_other_session(registered):
    own, other = Client(), Client()
    for client in (own, other):
        assert attempt(password=PASSWORD, client=client).status_code == 302
        client.get("/account/")
    fail(6)
    form = {"oldpassword": PASSWORD, "password1": "jeonla-namdo-2026", "password2": "jeonla-namdo-2026"}
    attempts.lift(actor=accounts.Actor.system("test"), email="ara@example.kr")
    assert own.post("/accounts/password/change/", form).status_code == 302
    assert own.get("/api/v1/me").status_code == 200
    assert other.get("/api/v1/me").status_code == 401
    assert [row.ended_why for row in SignIn.objects.exclude(ended_at=None)] == ["password"]


def test_wrong_codes_count_as_failures(registered):
    user = User.objects.get(pk=registered.user_id)
    Authenticator.objects.create(user=user, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    client = Client()
    assert "/2fa/" in attempt(password=PASSWORD, client=client)["Location"]
    for _ in range(attempts.FREE["account"]):
        client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert WAITS.search(client.post("/accounts/2fa/authenticate/", {"code": "000000"}).content.decode())
    assert WAITS.search(attempt(password=PASSWORD).content.decode()), "the right password forgets nothing"


def test_guessing_tokens_waits_and_a_right_token_never_does(ara, client, monkeypatch):
    monkeypatch.setitem(attempts.FREE, "token", 2)
    from bitgoeul.kernel.ids import new_id

    made = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1)

    def ask(secret):
        return client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

    assert [ask("bgt_wrong").status_code for _ in range(3)] == [401, 401, 429]
    assert ask("bgt_wrong").json()["detail"]["retry_after_seconds"] > 0
    assert ask(made.secret).status_code == 200


def test_the_wait_is_bounded(registered):
    row = FailedAttempts.objects.create(
        key=attempts._key("account", "x@example.kr"), kind="account", failures=500, last_at=now()
    )
    attempts.failed("account", "x@example.kr")
    row.refresh_from_db()
    assert row.until - row.last_at == attempts.WAIT_MAX
    with pytest.raises(TooManyFailures):
        attempts.check("account", " X@example.kr ")


# Sessions


@pytest.mark.parametrize(("name", "minutes"), [("staff", 31), ("ara", 241)])
def test_a_session_ends_when_it_stands_idle(name, minutes, staff, ara, later):
    actor = {"staff": staff, "ara": ara}[name]
    client = sign_in_by(Client(), actor.user_id)
    assert client.get("/account/").status_code == 200
    later(minutes=minutes - 2)
    assert client.get("/account/").status_code == 200
    later(minutes=2 * minutes)
    answer = client.get("/account/")
    assert answer.status_code == 302
    assert SignIn.objects.get().ended_why == "idle"
    assert "한동안" in client.get(answer["Location"]).content.decode()


def test_reading_goes_on_for_twelve_hours_at_most(ara, later):
    client = sign_in_by(Client(), ara.user_id)
    client.get("/account/")
    for hours in (3, 6, 9, 11.9):
        later(hours=hours)
        assert client.get("/account/").status_code == 200, hours
    later(hours=12.1)
    assert client.get("/account/").status_code == 302
    assert SignIn.objects.get().ended_why == "age"


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(ara, later):
    client = sign_in_by(Client(), ara.user_id)
    client.get("/account/")
    later(hours=3)
    client.get("/account/", headers={"HX-Request": "true"})
    later(hours=5)
    assert client.get("/account/").status_code == 302


def test_a_form_sent_too_late_is_not_lost(ara, later):
    client = sign_in_by(Client(), ara.user_id)
    client.get("/organisations/new/")
    later(hours=5)
    form = {"name": "가온칩 <b>새 기관</b>", "kind": "SME", "csrfmiddlewaretoken": "hidden", "password": "secret"}
    page = client.post("/organisations/new/", form, headers={"Referer": "http://testserver/organisations/new/"})
    text = page.content.decode()
    assert page.status_code == 401
    assert "가온칩 &lt;b&gt;새 기관&lt;/b&gt;" in text
    assert "/accounts/login/?next=%2Forganisations%2Fnew%2F" in text
    assert "secret" not in text
    assert client.get("/api/v1/me").status_code == 401


def test_one_sees_where_one_is_signed_in_and_ends_it(ara, bora):
    own, other, hers = (sign_in_by(Client(headers={"User-Agent": "Mozilla Firefox/1 Linux"}), who.user_id)
                        for who in (ara, ara, bora))  # fmt: skip
    for client in (own, other, hers):
        client.get("/account/")
    page = own.get("/account/").content.decode()
    assert page.count("Firefox · Linux") == 2
    row = SignIn.objects.get(user_id=bora.user_id)
    own.post(f"/account/sign-ins/{row.pk}/end/")
    assert hers.get("/api/v1/me").status_code == 200, "another's session is not one's own"
    own.post("/account/sign-ins/end/")
    assert other.get("/api/v1/me").status_code == 401
    assert own.get("/api/v1/me").status_code == 200


def test_a_session_without_its_row_is_over(ara):
    client = sign_in_by(Client(), ara.user_id)
    client.get("/account/")
    SignIn.objects.all().delete()
    assert client.get("/account/").status_code == 302
