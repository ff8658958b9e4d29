"""The database URL: what is read from it, what is refused, and that a refusal never shows the password."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bitgoeul.site.database import BadUrl, django_database, parse_url

SECRET = "s3cret"


def test_everything_that_a_url_may_say_is_read():
    url = parse_url("postgresql://bit%40goeul:p%2F%3A%40w@db.example.kr:6432/portal?sslmode=require")
    assert (url.user, url.password, url.host, url.port, url.name) == (
        "bit@goeul", "p/:@w", "db.example.kr", 6432, "portal",
    )  # fmt: skip
    assert url.tls == {"sslmode": "require"}


def test_a_server_elsewhere_must_prove_who_it_is_unless_the_url_says_otherwise():
    assert parse_url("postgresql://a:b@db.example.kr/x").tls == {"sslmode": "verify-full", "sslrootcert": "system"}
    assert parse_url("postgresql://a:b@db.example.kr/x?sslmode=disable").tls == {"sslmode": "disable"}
    assert parse_url("postgresql://a:b@127.0.0.1/x").tls == {}
    socket = parse_url("postgresql://a@/x?host=/run/postgresql")
    assert (socket.host, socket.port, socket.tls) == ("/run/postgresql", 5432, {})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"mysql://a:{SECRET}@h/x", "must begin with postgresql://"),
        (f"postgresql://a:{SECRET}@h:99999/x", "port as a number"),
        (f"postgresql://a:{SECRET}/more@h/x", "%XX for"),
        (f"postgresql://a:{SECRET}#more@h/x", "%XX for"),
        (f"postgresql://a:{SECRET}@h/x#more", "%23"),
        (f"postgresql://:{SECRET}@h/x", "names no user"),
        (f"postgresql://a:{SECRET}@h/", "names no database"),
        (f"postgresql://a:{SECRET}@h", "names no database"),
        (f"postgresql://a:{SECRET}@/x", "names no host"),
        (f"postgresql://a:{SECRET}@h/x?sslmode=maybe", "there are disable, allow, prefer"),
        (f"postgresql://a:{SECRET}@h/x?sslmod=require", "unknown parameters: sslmod"),
        (f"postgresql://a:{SECRET}@h/x?sslrootcert=/no/such", "name a readable file"),
    ],
)
def test_what_cannot_be_used_is_refused_without_the_password(url, said):
    with pytest.raises(BadUrl) as refused:
        parse_url(url)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def doctor(home, **environ):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BITGOEUL_")}
    return subprocess.run(
        [sys.executable, "-m", "bitgoeul.site.cli", "doctor"],
        env=kept | {"BITGOEUL_HOME": str(home)} | environ,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_url_may_stand_in_a_file_and_a_fault_in_it_names_the_setting(tmp_path):
    (tmp_path / "url").write_text(f"postgresql://a:{SECRET}@h/x?sslmode=maybe\n")
    done = doctor(tmp_path / "home", BITGOEUL_DATABASE_URL_FILE=str(tmp_path / "url"))
    assert done.returncode == 2
    assert "BITGOEUL_DATABASE_URL has sslmode=maybe" in done.stderr
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_that_a_server_does_not_answer_and_what_to_do(tmp_path):
    done = doctor(tmp_path / "home", BITGOEUL_DATABASE_URL=f"postgresql://a:{SECRET}@127.0.0.1:9/x")
    assert done.returncode == 1
    assert "WRONG  database: The database does not answer" in done.stdout
    assert "BITGOEUL_DATABASE_URL" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_every_wait_on_a_server_has_an_end(tmp_path):
    options = django_database("postgresql://a:b@127.0.0.1/x", tmp_path)["OPTIONS"]
    assert options["connect_timeout"] > 0
    limits = dict(word.split("=") for word in options["options"].split() if "=" in word)
    assert set(limits) == {"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"}
    assert all(int(value) > 0 for value in limits.values())
