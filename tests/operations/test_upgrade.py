"""What the code before this one left is brought to this code with everything in it.

``data/previous.tar.xz`` is a home of commit 1aaebda (leaf migrations: accounts, ledger and resources 0002, all
other rooms 0001): `migrate`, then `portal_world.build()` of that commit, sealed and with signed heads. Its private
keys are left out.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from databases import POSTGRESQL
from installation import Installation, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(POSTGRESQL, reason="the kept home is an SQLite one"),
]
KEPT = Path(__file__).with_name("data") / "previous.tar.xz"
COUNTED = ("audit_event", "ledger_posting", "ledger_transfer", "ledger_hold", "trials_trial", "trials_evidence",
           "resources_allocation", "compute_job", "accounts_user", "programmes_agreement")  # fmt: skip


# Its pages, as Ara sees them: the front page, her home, her project with its statement, and a trial.
PAGES = """
import django, json; django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
from bitgoeul.accounts.models import Project
from bitgoeul.trials.models import Trial
client = Client(HTTP_HOST="localhost")
ara = get_user_model().objects.get(email="ara@example.kr")
client.force_login(ara, "django.contrib.auth.backends.ModelBackend")
trial = Trial.objects.exclude(state="REQUESTED").first()
project = trial.project_id
place = f"/projects/{project}/"
paths = ["/", "/home/", place, f"{place}statement/", f"/trials/{trial.pk}/", "/figures/"]
print(json.dumps({path: client.get(path).status_code for path in paths}))
"""


@pytest.fixture
def previous(tmp_path):
    home = tmp_path / "home"
    with tarfile.open(KEPT) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(home)
    (home / "keys").chmod(0o700)
    found = Installation(home)
    yield found
    found.close()


def counts(home):
    with sqlite3.connect(home / "bitgoeul.sqlite3") as database:
        return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTED}


def test_an_older_home_is_backed_up_migrated_and_verifies(previous, tmp_path):
    before = counts(previous.home)
    assert all(before.values()), before
    refused = previous.run("upgrade")
    assert refused.returncode == 2
    assert "--backup FILE" in refused.stderr
    assert counts(previous.home) == before
    done = previous.run("upgrade", "--backup", str(tmp_path / "before.tar"), "--json")
    steps = {row["step"]: row for row in map(json.loads, done.stdout.splitlines()) if "step" in row}
    assert steps["migrate"]["applied"] > 0, done.stdout + done.stderr
    assert (tmp_path / "before.tar").exists()
    after = counts(previous.home)
    assert {name: after[name] for name in before if after[name] < before[name]} == {}
    for name in ("ledger", "audit"):
        verified = previous.run(name, "verify", "--json")
        assert verified.returncode == 0, verified.stdout
    seen = subprocess.run(
        [sys.executable, "-c", PAGES], env=environment(previous.home), capture_output=True, text=True, timeout=120
    )
    assert seen.returncode == 0, seen.stderr
    answers = json.loads(seen.stdout.splitlines()[-1])
    assert len(answers) >= 5
    assert set(answers.values()) == {200}, answers
