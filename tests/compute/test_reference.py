"""The reference page says what the code does."""

from __future__ import annotations

from pathlib import Path

from bitgoeul.compute.rules import RANGES
from bitgoeul.compute.states import MACHINE, JobState

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "jobs.md"


def test_the_diagram_is_the_table():
    assert f"```mermaid\n{MACHINE.mermaid()}\n```" in PAGE.read_text(encoding="utf-8")


def test_every_state_and_limit_is_explained():
    text = PAGE.read_text(encoding="utf-8")
    assert [state for state in JobState if f"| {state} |" not in text] == []
    assert [name for name in RANGES if f"| `{name}` |" not in text] == []
