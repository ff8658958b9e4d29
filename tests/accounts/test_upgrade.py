"""Tokens made before scopes keep what they could do, but for rights at the operator."""

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
def test_tokens_keep_what_they_could_do_and_no_operator_rights(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "accounts.upgrade"],
            env=environment(home, PYTHONPATH=str(TESTS)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        resting = {"roles": [], "resting": ["STAFF"]}
        assert json.loads(done.stdout.splitlines()[-1]) == {
            "reads": {"reads": True, "writes": False, **resting},
            "writes": {"reads": True, "writes": True, **resting},
            "example": {"reads": True, "writes": True, "roles": ["STAFF"], "resting": []},
            "revoked": None,
        }
    finally:
        databases.drop(home)
