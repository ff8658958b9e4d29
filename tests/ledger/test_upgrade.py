"""Books written before a posting could share its audit event stay verifiable, and their ids stay taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import databases
from installation import environment

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_an_older_ledger_is_verifiable_after_the_upgrade(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ledger.upgrade"],
            env=environment(home, PYTHONPATH=str(TESTS)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {
            "transfers": 2,
            "again": [100],
            "settled": 30,
            "other award refused": True,
            "other use refused": True,
            "missing triggers": [],
            "findings": [],
            "named": True,
        }
    finally:
        databases.drop(home)
