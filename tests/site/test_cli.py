"""The command line: exit status, JSON Lines alone on standard output, and no database where none is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import databases
from bitgoeul.kernel.signing import FileKey
from trials.evidence import samples

ROOT = Path(__file__).resolve().parents[2]


def bitgoeul(*arguments, **environ):
    """Run the command as a person would, without the test run's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BITGOEUL_")}
    return subprocess.run(
        [sys.executable, "-m", "bitgoeul.site.cli", *map(str, arguments)],
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """An evidence file and the key it was signed with."""
    folder = tmp_path_factory.mktemp("evidence")
    key = FileKey.load_or_create(folder)
    (folder / "evidence.json").write_bytes(samples.evidence_file(key))
    return folder / "evidence.json", folder / "centre.pub"


def test_valid_evidence_is_said_valid(evidence):
    file, key = evidence
    done = bitgoeul("evidence", "verify", file, "--key", key)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{file}: valid"


def test_changed_evidence_is_refused_by_name_also_in_json(evidence, tmp_path):
    file, key = evidence
    changed = bytearray(file.read_bytes())
    place = changed.index(b'"record"') + 40
    changed[place] ^= 1
    (tmp_path / "changed.json").write_bytes(changed)
    done = bitgoeul("evidence", "verify", tmp_path / "changed.json", "--key", key, "--json")
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 1
    assert lines[0]["valid"] is False
    assert lines[0]["failed"]
    text = bitgoeul("evidence", "verify", tmp_path / "changed.json", "--key", key)
    assert f"refused ({lines[0]['failed']})" in text.stdout


def test_several_files_are_checked_in_one_go_and_the_worst_status_wins(evidence, tmp_path):
    file, key = evidence
    changed = tmp_path / "changed.json"
    data = bytearray(file.read_bytes())
    data[data.index(b'"record"') + 40] ^= 1
    changed.write_bytes(data)
    good = bitgoeul("evidence", "verify", file, file, "--key", key)
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines().count(f"{file}: valid") == 2
    mixed = bitgoeul("evidence", "verify", file, changed, file, "--key", key, "--json")
    assert mixed.returncode == 1, mixed.stderr
    rows = [json.loads(line) for line in mixed.stdout.splitlines()]
    assert [(row["file"], row["valid"]) for row in rows] == [
        (str(file), True), (str(changed), False), (str(file), True)
    ]  # fmt: skip
    worst = bitgoeul("evidence", "verify", tmp_path / "none.json", file, "--key", key, "--json")
    assert worst.returncode == 2
    assert [json.loads(line)["valid"] for line in worst.stdout.splitlines()] == [False, True]
    assert "none.json cannot be read" in worst.stderr
    assert "Traceback" not in worst.stderr


@pytest.mark.parametrize("what", ["missing", "not evidence", "not a key", "no key"])
def test_what_cannot_be_read_is_exit_status_2(evidence, tmp_path, what):
    file, key = evidence
    if what == "missing":
        file = tmp_path / "missing.json"
    if what == "not evidence":
        file = tmp_path / "picture.png"
        file.write_bytes(b"\x89PNG\r\n")
    if what == "not a key":
        key = tmp_path / "key.pub"
        key.write_text("ssh-rsa AAAA")
    options = [] if what == "no key" else ["--key", key]
    done = bitgoeul("evidence", "verify", file, *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_evidence_verify_needs_no_django_no_settings_and_no_home(evidence, tmp_path):
    file, key = evidence
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('django', 'ninja', 'sqlite3', 'psycopg', 'httpx', 'numpy'):\n"
        "            raise ImportError('refused: ' + name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"sys.argv = ['bitgoeul', 'evidence', 'verify', {str(file)!r}, '--key', {str(key)!r}]\n"
        "from bitgoeul.site.cli import main\n"
        "main()\n"
    )
    nowhere = tmp_path / "no" / "home"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "BITGOEUL_HOME": str(nowhere)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not nowhere.exists()


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("up", "--port", "ten"), ("evidence",), ("ledger", "--wrong")]
)
def test_bad_input_is_exit_status_2_without_a_traceback(arguments):
    done = bitgoeul(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_is_refused_by_name(tmp_path):
    done = bitgoeul("up", BITGOEUL_HOME=str(tmp_path), BITGOEUL_PROT="8001")
    assert done.returncode == 2
    assert "BITGOEUL_PROT" in done.stderr
    assert "docs/reference/settings.md" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BITGOEUL_HOME": "/proc/nope"}, "BITGOEUL_HOME is /proc/nope; name a directory you may write to."),
        ({"BITGOEUL_SECRET_KEY_FILE": "/proc/nope"}, "name a readable file"),
        ({"BITGOEUL_PORT": "many"}, "BITGOEUL_PORT"),
    ],
)
def test_a_setting_that_cannot_be_used_is_exit_status_2(environ, said, tmp_path):
    done = bitgoeul("doctor", **({"BITGOEUL_HOME": str(tmp_path)} | environ))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_made_is_said_by_set_up():
    environ = {"PATH": os.environ["PATH"], "BITGOEUL_HOME": "/proc/nope", "PYTHON": sys.executable}
    done = subprocess.run([str(ROOT / "run"), "--setup"], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "/proc/nope" in done.stderr
    assert "BITGOEUL_HOME=/path/you/own ./run" in done.stderr
    assert "Traceback" not in done.stderr


def test_restart_without_anything_running_says_how_to_start(tmp_path):
    done = bitgoeul("restart", BITGOEUL_HOME=str(tmp_path))
    assert done.returncode == 2
    assert f"Nothing runs on {tmp_path}. Start it with ./run" in done.stderr


@pytest.mark.parametrize("command", ["doctor", "ledger verify", "audit verify"])
def test_a_fresh_example_has_no_findings(stopped_installation, command):
    done = stopped_installation.run(*command.split(), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1].get("ok") is True


def test_lost_triggers_are_found_and_exit_status_is_1(stopped_installation):
    with databases.opened(stopped_installation.home) as database:
        for name, table in database.execute(databases.TRIGGERS).fetchall():
            database.execute(f'DROP TRIGGER "{name}"' + (f' ON "{table}"' if databases.POSTGRESQL else ""))
    done = stopped_installation.run("doctor", "--json")
    assert done.returncode == 1
    wrong = [row for row in map(json.loads, done.stdout.splitlines()) if not row["ok"]]
    assert [row["check"] for row in wrong] == ["append-only triggers"]
    assert wrong[0]["remedy"]


def test_an_operator_is_added_by_hand_and_again_changes_nothing(stopped_installation):
    def grants():
        with databases.opened(stopped_installation.home) as database:
            return database.execute("SELECT id, role, source FROM accounts_operatorgrant ORDER BY id").fetchall()

    with databases.opened(stopped_installation.home) as database:
        email = database.execute(
            "SELECT email FROM accounts_user WHERE id NOT IN (SELECT user_id FROM accounts_operatorgrant)"
        ).fetchone()[0]
    before = grants()
    done = stopped_installation.run("operator", "add", email, "--role", "ENGINEER", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"email": email, "role": "ENGINEER"}
    added = [row for row in grants() if row not in before]
    assert [tuple(row)[1:] for row in added] == [("ENGINEER", "")]
    assert stopped_installation.run("operator", "add", email, "--role", "ENGINEER").returncode == 0
    assert len(grants()) == len(before) + 1


def test_an_operator_who_has_not_signed_up_is_named_with_what_to_do(stopped_installation):
    done = stopped_installation.run("operator", "add", "nobody@example.kr")
    assert done.returncode == 2
    assert "nobody@example.kr" in done.stderr
    assert "Sign up" in done.stderr
    assert "Traceback" not in done.stderr


def test_loading_the_example_again_changes_nothing(stopped_installation):
    def counts():
        with databases.opened(stopped_installation.home) as database:
            tables = database.execute(databases.TABLES).fetchall()
            return {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}

    before = counts()
    done = stopped_installation.run("example", "load", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["part"] for line in done.stdout.splitlines()]
    assert counts() == before
