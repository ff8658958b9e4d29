"""Who pays for a record, in which unit a resource is charged, whose an account is: data and its reading. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bitgoeul.kernel.quantity import divide_half_up

from ..ports import ACCOUNT_PREFIX
from .states import RecordState

DATA = Path(__file__).parent / "data"
PERMILLE = 1000
OWN_JOB = re.compile(
    r"\bbitgoeul:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:_\d{1,5})?)\b",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Rule:
    """Who pays: of what the project pays, ``factor_permille`` thousandths; the centre bears the rest."""

    payer: str
    factor_permille: int

    @property
    def projects_permille(self) -> int:
        """The project's part in thousandths: nothing when the centre pays."""
        return self.factor_permille if self.payer == "project" else 0


@dataclass(frozen=True)
class Version:
    """The rules for records that start on a day or later, until the next version."""

    since: int
    default: Rule
    states: Mapping[RecordState, Rule]


class Policy:
    """Versions of the rules, the newest first."""

    def __init__(self, data: list[Mapping[str, Any]]) -> None:
        versions = [
            Version(
                since=int(datetime.fromisoformat(row["from"]).replace(tzinfo=UTC).timestamp()),
                default=_rule(row),
                states={RecordState(state): _rule(rule) for state, rule in row.get("states", {}).items()},
            )
            for row in data
        ]
        self.versions = sorted(versions, key=lambda version: -version.since)

    def rule(self, state: RecordState, start: int) -> Rule:
        """Who pays for a record of that state that started then; before every version the first one holds."""
        for version in self.versions:
            if version.since <= start:
                break
        return version.states.get(state, version.default)


def _rule(row: Mapping[str, Any]) -> Rule:
    rule = Rule(row["payer"], row["factor_permille"])
    if rule.payer not in {"project", "centre"} or not 0 <= rule.factor_permille <= PERMILLE:
        raise ValueError(f"no rule of who pays: {row}")
    return rule


@cache
def policy() -> Policy:
    """The rules of this installation (``data/who_pays.json``)."""
    return Policy(json.loads((DATA / "who_pays.json").read_text(encoding="utf-8")))


@cache
def units() -> Mapping[str, str]:
    """The ledger unit of each resource that is charged (``data/units.json``); others are metered only."""
    return dict(json.loads((DATA / "units.json").read_text(encoding="utf-8")))


def charged(amount: int, permille: int, refunded_permille: int = 0) -> int:
    """What the project pays of ``amount``, rounded half up once."""
    return divide_half_up(amount * permille * (PERMILLE - refunded_permille), PERMILLE * PERMILLE)


@lru_cache(maxsize=4096)
def project_number(account: str) -> str:
    """The number, in lower case, of the project that an account may belong to; the bare number does too."""
    return account.lower().removeprefix(ACCOUNT_PREFIX)


def own_job(comment: str) -> str | None:
    """Which job of ours a comment names: ``bitgoeul:<uuid>``, or ``bitgoeul:<sweep's uuid>_<index>``."""
    found = OWN_JOB.search(comment)
    return found.group(1).lower() if found else None


def next_month(month: str) -> str:
    """``2026-12`` → ``2027-01``."""
    day = date.fromisoformat(f"{month}-01")
    return f"{day.year + day.month // 12}-{day.month % 12 + 1:02d}"
