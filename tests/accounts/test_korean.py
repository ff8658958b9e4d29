"""The pages of django-allauth speak the portal's Korean: formal throughout, from the room's own catalogue."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils.translation import gettext, ngettext, override

pytestmark = pytest.mark.django_db
# The polite endings that a formal text does not use; addresses and names hold none of them.
INFORMAL = re.compile(r"(?:세요|나요|까요|어요|아요|해요|예요|에요)(?=[\s.?!<,]|$)")


def words_of(answer) -> str:
    html = answer.content.decode()
    assert 'lang="ko"' in html
    return re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.S)


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password",
                                  "account_reset_password_done", "account_email_verification_sent"])  # fmt: skip
def test_pages_before_sign_in_are_formal(client, name):
    client.cookies["django_language"] = "ko"
    assert INFORMAL.findall(words_of(client.get(reverse(name)))) == []


@pytest.mark.parametrize("path", ["/accounts/confirm-email/no-such-key/", "/accounts/password/reset/key/0-none/"])
def test_links_that_lead_nowhere_are_formal(client, path):
    client.cookies["django_language"] = "ko"
    assert INFORMAL.findall(words_of(client.get(path))) == []


def test_refused_sign_in_is_formal(client):
    client.cookies["django_language"] = "ko"
    words = words_of(client.post(reverse("account_login"), {"login": "no@one.example", "password": "wrong"}))
    assert "올바르지 않습니다" in words
    assert INFORMAL.findall(words) == []


@pytest.mark.parametrize("name", ["mfa_index", "mfa_activate_totp", "account_logout", "account_email",
                                  "account_change_password", "account_reauthenticate"])  # fmt: skip
def test_pages_of_ones_own_account_are_formal(sign_in, ara, name):
    visitor = sign_in(ara)
    visitor.cookies["django_language"] = "ko"
    answer = visitor.get(reverse(name), follow=True)
    assert answer.status_code == 200
    assert INFORMAL.findall(words_of(answer)) == []


def test_the_rooms_catalogue_stands_before_allauths_own():
    with override("ko"):
        assert gettext("Forgot your password?") == "비밀번호를 잊으셨습니까?"
        left = ngettext(
            "There is %(unused_count)s out of %(total_count)s recovery codes available.",
            "There are %(unused_count)s out of %(total_count)s recovery codes available.",
            2,
        )
    assert left % {"unused_count": 8, "total_count": 10} == "복구 코드 10개 가운데 8개가 남아 있습니다."
