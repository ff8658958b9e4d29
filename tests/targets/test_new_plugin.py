"""From nothing to a plug-in that is fit: the package that `target new` writes is installed and passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 300
BIN = Path(sys.executable).parent


def run(*arguments, folder, site=None, status=0):
    environment = {**os.environ, "PYTHONPATH": str(site) if site else ""}
    done = subprocess.run(
        list(map(str, arguments)), cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_plugin_is_installed_and_passes_the_kit_and_its_own_test(tmp_path):
    run(BIN / "bitgoeul", "target", "new", "acme-one", folder=tmp_path)
    package, site = tmp_path / "bitgoeul-target-acme-one", tmp_path / "site"
    install = ("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable)
    run(BIN / "uv", *install, "--target", site, package, folder=tmp_path)
    rows = [
        json.loads(line)
        for line in run(BIN / "bitgoeul", "target", "check", "acme-one", "--json", folder=tmp_path, site=site)
        .splitlines()
    ]  # fmt: skip
    assert {row["status"] for row in rows if row["required"]} == {"passed"}
    assert "1 passed" in run(BIN / "pytest", "-q", folder=package, site=site)
    run(BIN / "bitgoeul", "target", "stack", "acme-one", "--to", "stack.json", folder=tmp_path, site=site)
    stack = json.loads((tmp_path / "stack.json").read_text(encoding="utf-8"))
    assert stack["packages"] == {"bitgoeul-target-acme-one": "0.1.0"}


@pytest.mark.parametrize("name", ["Acme", "acme_one", "-acme", "acme--one", "a" * 41, "../acme", "onnxruntime"])
def test_a_name_that_does_not_do_is_refused(name, tmp_path):
    run(BIN / "bitgoeul", "target", "new", "--", name, folder=tmp_path, status=2)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "bitgoeul-target-acme").mkdir()
    (tmp_path / "bitgoeul-target-acme" / "mine.txt").write_text("mine", encoding="utf-8")
    run(BIN / "bitgoeul", "target", "new", "acme", folder=tmp_path, status=2)
    assert [path.name for path in (tmp_path / "bitgoeul-target-acme").iterdir()] == ["mine.txt"]
