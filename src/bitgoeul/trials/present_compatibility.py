"""What the trial page shows of a compatibility record. Plain data; reads records that it cannot trust."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext

from bitgoeul.kernel.text import N_

from . import present

SCHEMA = "bitgoeul.compatibility.record/1"
CHART_OPERATORS_MAX = 24
DETAILS_MAX = 100
# What a letter of the record means, in the order of the columns.
RESULTS: Mapping[str, str] = {
    "P": N_("passed"),
    "A": N_("passed with scalars as tensors"),
    "W": N_("wrong"),
    "R": N_("refused"),
    "C": N_("crashed"),
    "T": N_("timed out"),
}
GOOD = frozenset("PA")
PARTS: Mapping[str, str] = {
    "node": N_("Operators"),
    "expanded": N_("Operators, as their function bodies"),
    "simple": N_("Small models"),
    "pytorch-converted": N_("Converted PyTorch models"),
    "pytorch-operator": N_("PyTorch operators"),
    "light": N_("Light models"),
}


@dataclass(frozen=True)
class Line:
    """One line of a table: its title, its cases by result in the order of ``RESULTS``, and all of them."""

    title: str
    counts: Sequence[int]
    total: int
    good: bool


@dataclass(frozen=True)
class Detail:
    """One case that did not pass."""

    name: str
    result: str
    detail: str


def shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the page shows of the record, beside its verdict."""
    groups = record.get("groups", [])
    operators = _lines(groups, lambda group: group[1] if group[0] == "node" else None)
    return {
        "scenarios": [],
        "environment": present.environment(record),
        "statements": present.statements(record),
        "compatibility": {
            "results": [gettext(text) for text in RESULTS.values()],
            "parts": _lines(groups, lambda group: gettext(PARTS.get(group[0], group[0]))),
            "opsets": [replace(line, title=str(int(line.title))) for line in _lines(groups, _opset)],
            "operators": operators,
            "complete": sum(line.good for line in operators),
            "chart": _chart(operators),
            "reading": _reading(operators),
            "light": _light(groups),
            "models": [
                _detail([None, one["name"], one["result"], one["detail"]]) for one in record.get("models", [])
            ],
            "details": [_detail(line) for line in record.get("details", [])[:DETAILS_MAX]],
            "bad": len(record.get("details", [])) + record.get("details_left_out", 0),
            "more": max(0, len(record.get("details", [])) - DETAILS_MAX) + record.get("details_left_out", 0),
        }
        if groups
        else None,
    }


def _opset(group: Sequence[Any]) -> str | None:
    if group[0] != "node" or ":" in group[1]:
        return None
    return f"{group[2]:03d}"


def _lines(groups: Sequence[Sequence[Any]], title: Any) -> list[Line]:
    """The groups of one title in one line, in the order of the titles; groups without a title are left out."""
    found: dict[str, Counter[str]] = {}
    for group in groups:
        name = title(group)
        if name is not None:
            found.setdefault(name, Counter()).update(group[3])
    return [
        Line(name, [counts[letter] for letter in RESULTS], sum(counts.values()), set(counts) <= GOOD)
        for name, counts in sorted(found.items())
    ]


def _light(groups: Sequence[Sequence[Any]]) -> list[Detail]:
    return [_detail([None, group[1], group[3], ""]) for group in groups if group[0] == "light"]


def _detail(line: Sequence[Any]) -> Detail:
    return Detail(str(line[1]), gettext(RESULTS.get(line[2], line[2])), str(line[3]))


def _chart(operators: Sequence[Line]) -> dict[str, Any] | None:
    """The operators with most cases that do not pass; None when every one passes in full."""
    letters = list(RESULTS)
    part = _part(operators)
    if not part:
        return None
    chosen = part[:CHART_OPERATORS_MAX]
    series = [
        {"name": gettext(RESULTS[letter]), "values": [line.counts[number] for line in chosen]}
        for number, letter in enumerate(letters)
        if any(line.counts[number] for line in chosen)
    ]
    return {
        "kind": "stacked",
        "labels": [line.title for line in chosen],
        "series": series,
        "x_label": gettext("ONNX operator"),
        "y_label": gettext("Cases"),
    }


def _reading(operators: Sequence[Line]) -> str:
    """The chart in one sentence; empty where there is no chart."""
    part = _part(operators)
    if not part:
        return ""
    return gettext("{operator} has most of them: {count} of its {total} cases do not pass.").format(
        operator=part[0].title, count=part[0].total - _good(part[0]), total=part[0].total
    )


def _part(operators: Sequence[Line]) -> list[Line]:
    """The operators that do not pass every case, the worst first."""
    part = [line for line in operators if not line.good]
    return sorted(part, key=lambda line: (_good(line) - line.total, line.title))


def _good(line: Line) -> int:
    return sum(count for letter, count in zip(RESULTS, line.counts, strict=True) if letter in GOOD)
