"""The example's calls, read as data, with a fixed period."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from bitgoeul.programmes import rules
from bitgoeul.programmes.types import CallBody, OpenCall

CALLS = Path(__file__).resolve().parents[2] / "examples" / "gwangju" / "calls"
NOON = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)  # a Tuesday, noon in Seoul


def call_data(code: str = "quick-start") -> dict[str, object]:
    data = json.loads((CALLS / f"{code}.json").read_text())
    del data["window"]
    return {**data, "opens_at": "2026-11-02T00:00:00Z", "closes_at": "2026-12-31T09:00:00Z"}


def standing(code: str = "quick-start") -> OpenCall:
    body = rules.parse_call(call_data(code))
    return OpenCall(UUID(int=1), 1, "0" * 64, body, True, 20)


@pytest.fixture
def body() -> CallBody:
    return rules.parse_call(call_data())


@pytest.fixture
def calls() -> list[OpenCall]:
    return [standing("quick-start"), standing("campus")]


@pytest.fixture
def answers() -> dict[str, str | int]:
    return {
        "organisation_kind": "START_UP",
        "based_in": "gwangju",
        "subject_kind": "chip",
        "have_now": "model_file",
        "core_hours": 2,
        "needed_within_days": 7,
        "result_for": "public",
    }
