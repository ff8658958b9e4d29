"""The record's letters and sums, for the harness that writes and the judge that reads it. Pure.

A group is ``[part, operator, opset, letters]``: one letter a case, the cases in the order of their names. Groups
stand in the order of part, operator and opset, so the letters of all groups follow the case list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

SCHEMA = "bitgoeul.compatibility.record/1"


class Result(StrEnum):
    """What came of one case."""

    PASSED = "P"
    ADAPTED = "A"  # passed once NumPy scalars, which the suite has for some inputs, were given as tensors
    WRONG = "W"  # an answer, and not the suite's
    REFUSED = "R"  # the target said no, at loading or running
    CRASHED = "C"
    TIMED_OUT = "T"


GOOD = frozenset({Result.PASSED, Result.ADAPTED})

# [part, operator, opset, name]
CaseKey = tuple[str, str, int, str]


def grouped(cases: Sequence[CaseKey], letters: Sequence[str]) -> list[list[Any]]:
    """Groups of sorted cases with their letters."""
    groups: list[list[Any]] = []
    for (part, operator, opset, _name), letter in zip(cases, letters, strict=True):
        if groups and groups[-1][:3] == [part, operator, opset]:
            groups[-1][3] += letter
        else:
            groups.append([part, operator, opset, letter])
    return groups


def counted(letters: Iterable[str]) -> dict[str, int]:
    """How many of each result, zeros too."""
    found = Counter(letters)
    return {str(result): found[str(result)] for result in Result}
