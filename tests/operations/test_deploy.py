"""An installation for the public is refused while it holds what an example may."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

import pytest
from django.conf import settings

from bitgoeul.site import deploy_checks
from bitgoeul.site.env import networks
from installation import command

DOCS = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "production.md"


@pytest.fixture
def fit(monkeypatch, tmp_path, db):
    """Settings as production asks for them; each test spoils one."""
    env = settings.ENV.model_copy(
        update={"mode": "production", "secret_key": "kept elsewhere", "mail_host": "mail.example.kr",
                "mail_from": "portal@example.kr", "metrics_token": secrets.token_urlsafe(32)}
    )  # fmt: skip
    keys = tmp_path / "keys"
    keys.mkdir()
    spoiled = {
        "ENV": env, "HOME": tmp_path, "KEYS": keys, "DEBUG": False, "SECRET_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": ["portal.example.kr"], "PUBLIC_URL": "https://portal.example.kr",
        "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True, "SECURE_HSTS_SECONDS": 31536000,
        "TRUSTED_PROXIES": networks("127.0.0.1"), "EMAIL_USE_TLS": True,
    }  # fmt: skip
    for name, value in spoiled.items():
        monkeypatch.setattr(settings, name, value)

    def spoil(**changes):
        for name, value in changes.items():
            if name in type(env).model_fields:
                monkeypatch.setattr(env, name, value)
            else:
                monkeypatch.setattr(settings, name, value)
        return {message.id for message in deploy_checks.deploy()}

    return spoil


def test_a_fit_installation_has_no_error(fit):
    assert {one for one in fit() if ".E" in one} == set()


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ({"mode": "example"}, "bitgoeul.E001"),
        ({"DEBUG": True}, "bitgoeul.E002"),
        ({"SECRET_KEY": "short"}, "bitgoeul.E003"),
        ({"SECRET_KEY": "a" * 80}, "bitgoeul.E003"),
        ({"SECRET_KEY": "django-insecure-" + "x7Kq2mPz9wLr4vTn" * 4}, "bitgoeul.E003"),
        ({"ALLOWED_HOSTS": ["*"]}, "bitgoeul.E005"),
        ({"ALLOWED_HOSTS": ["localhost"]}, "bitgoeul.E006"),
        ({"PUBLIC_URL": "http://portal.example.kr"}, "bitgoeul.E007"),
        ({"SESSION_COOKIE_SECURE": False}, "bitgoeul.E008"),
        ({"SECURE_HSTS_SECONDS": 3600}, "bitgoeul.W009"),
        ({"TRUSTED_PROXIES": ()}, "bitgoeul.E010"),
        ({"mail_host": ""}, "bitgoeul.W013"),
        ({"EMAIL_USE_TLS": False}, "bitgoeul.E014"),
        ({"mail_from": "bitgoeul@localhost"}, "bitgoeul.E015"),
        ({"metrics_token": "short"}, "bitgoeul.E017"),
    ],
)
def test_each_spoiled_setting_is_named(fit, spoiled, said):
    assert said in fit(**spoiled)


def test_a_secret_key_made_for_an_example_is_not_taken_over(fit, tmp_path):
    (tmp_path / "journey").mkdir()
    assert "bitgoeul.E004" in fit(secret_key="")


def test_a_key_that_others_may_read_and_example_people_are_named(fit, tmp_path):
    (tmp_path / "keys" / "centre.key").touch(mode=0o644)
    from bitgoeul.accounts.models import User

    User.objects.create(email="gaon@backpack.example", is_example=True)
    assert {"bitgoeul.E016", "bitgoeul.E018"} <= fit()


@pytest.mark.parametrize(
    ("host", "password", "refused"), [("db.example.kr", "postgres", True), ("db.example.kr", "x7Kq2mPz9w", False),
                                      ("", "", False), ("/var/run/postgresql", "", False)],
)  # fmt: skip
def test_a_database_password_that_everybody_tries_is_refused(fit, monkeypatch, host, password, refused):
    class Server:
        vendor = "postgresql"
        settings_dict = {"HOST": host, "PASSWORD": password}

    monkeypatch.setattr(deploy_checks, "connection", Server())
    assert ("bitgoeul.E012" in {message.id for message in deploy_checks.database()}) is refused


@pytest.mark.slow
def test_production_does_not_start_with_development_settings(stopped_installation):
    done = stopped_installation.run("check", "--deploy", "--json", environ={"BITGOEUL_MODE": "production"})
    assert done.returncode == 1
    found = {row.get("id") for row in map(json.loads, done.stdout.splitlines())}
    assert {"bitgoeul.E007", "bitgoeul.E010", "bitgoeul.E018"} <= found
    done = command(stopped_installation.home, "up", "--port", "0", environ={"BITGOEUL_MODE": "production"})
    assert done.returncode == 2
    assert "Not started: this installation is not fit for the public." in done.stderr
    assert "bitgoeul.E018" in done.stderr


def test_every_check_has_its_line_in_the_how_to():
    source = Path(deploy_checks.__file__).read_text(encoding="utf-8")
    numbers = {
        f"{kind[0].upper()}{int(number):03}" for kind, number in re.findall(r"(error|warning)\(\s*(\d+),", source)
    }
    assert numbers == set(re.findall(r"^\| `([EW]\d{3})`", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
