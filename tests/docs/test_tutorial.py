"""The first tutorial: both languages have the same commands, and every command does what the text says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from installation import environment, wait_for

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
BLOCK = re.compile(r"^```sh ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")
PREPARE = ROOT / "tests" / "journeys" / "prepare.py"
PAGES = [
    "README.md",
    "README.ko.md",
    "docs/README.md",
    *(f"docs/tutorials/first-hour.{one}.md" for one in ("en", "ko")),
]


def blocks(language: str) -> list[tuple[str, str]]:
    """(kind, commands) of the tutorial, in order."""
    return BLOCK.findall((TUTORIALS / f"first-hour.{language}.md").read_text(encoding="utf-8"))


def test_both_languages_give_the_same_commands():
    assert blocks("ko") == blocks("en")
    assert [kind for kind, _ in blocks("en")].count("setup") == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_of_the_repository(page):
    path = ROOT / page
    broken = [
        target
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not target.startswith("http") and not (path.parent / target).exists()
    ]
    assert broken == []


def test_the_two_readmes_lead_to_each_other():
    assert "](README.ko.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](README.md)" in (ROOT / "README.ko.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_it_says(shared_installation, tmp_path):
    """What is done by hand in the portal before (applying, signing) is done by `prepare.py` here."""
    home = shared_installation.home
    made = subprocess.run(
        [sys.executable, str(PREPARE)],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert made.stdout.strip()
    wait_for(lambda: (home / "models" / "digits-int8.onnx").exists())
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "var").symlink_to(home)
    script, refused = ["set -eu"], ""
    for kind, text in blocks("en"):
        if kind == "refused":
            refused = text
        elif kind != "setup":
            script.append(text)
    done = _shell("\n".join(script), tmp_path, home)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "first-job" in done.stdout
    forged = _shell(refused, tmp_path, home)
    assert (tmp_path / "forged.json").read_bytes() != (tmp_path / "evidence.json").read_bytes()
    assert forged.returncode == 1, forged.stdout + forged.stderr


def _shell(script: str, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(home), capture_output=True, text=True, timeout=400,
        check=False,
    )  # fmt: skip
