"""The journey: one company's way from registration to a public figure, by its people, over HTTP alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def result_path(home: Path) -> Path:
    """Where the last journey that held is noted."""
    return home / "journey" / "last.json"


def has_run(home: Path) -> bool:
    """Whether this home has seen a journey that held."""
    return bool(read_result(home).get("ok"))


def read_result(home: Path) -> dict[str, Any]:
    """The last result; empty before the first."""
    try:
        result: dict[str, Any] = json.loads(result_path(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return result


def command_line(home: Path, *, as_json: bool = False) -> list[str]:
    """How the supervisor starts a journey; it adds ``--url``."""
    arguments = [sys.executable, "-m", "bitgoeul.site.journey", "--home", str(home)]
    return [*arguments, "--json"] if as_json else arguments
