"""Which published results may stand in one comparison, by MLCommons' rules; its table is ``compatible.json``.

Results are compatible when they are of the same benchmark and scenario, from versions of it that MLCommons lists
as compatible; runs whose power was measured are compared only with such. An MLPerf result is never compared with
another number. What the table does not tell counts as not compatible.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .flags import Flag
from .results import FINDINGS, Result


@cache
def table() -> Mapping[str, Any]:
    """The table as shipped, with where it comes from."""
    text = resources.files(__package__).joinpath("compatible.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@dataclass(frozen=True)
class Kind:
    """What two results must share to be compared; ``era`` separates versions that are not compatible.

    ``benchmark`` is the code that all rounds' spellings share. Of a benchmark or round that the table does not
    know the era is the round itself, so it is compared within its round alone.
    """

    benchmark: str
    scenario: str
    era: str
    division: str
    power: bool


def kind_of(result: Result) -> Kind:
    """The kind of a result: results of one kind may be compared, others may not."""
    return Kind(
        benchmark_code(result.benchmark),
        result.scenario,
        _era(result),
        result.division,
        Flag.POWER in result.flags,
    )


def benchmark_code(name: str) -> str:
    """The code that all rounds' spellings of a benchmark share; the name itself where it is not known."""
    known = _benchmark(name)
    return str(known["code"]) if known else name


def _benchmark(name: str) -> Mapping[str, Any] | None:
    return next((each for each in table()["benchmarks"] if name in each["names"]), None)


def _era(result: Result) -> str:
    known = _benchmark(result.benchmark)
    rounds: list[str] = table()["rounds"]
    if known is None or result.round not in rounds:
        return result.round
    at = rounds.index(result.round)
    if not rounds.index(known["from"]) <= at <= rounds.index(known["until"]):
        return result.round
    era = str(known["from"])
    for each in table()["breaks"]:
        if each["scenario"] == result.scenario and at >= rounds.index(each["at"]):
            era = str(each["at"])
    return era


def is_fit(result: Result) -> bool:
    """Whether a result may be compared at all: nothing about it has to be looked at first."""
    return FINDINGS.isdisjoint(result.flags)


def figure(result: Result) -> tuple[float | None, str]:
    """The number to compare with its unit: what the rules infer for the folder's scenario, or the headline."""
    if result.inferred:
        return result.inferred_value, "samples/s" if result.scenario == "Offline" else "ns"
    return result.value, result.unit
