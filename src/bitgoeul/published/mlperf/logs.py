"""The two logs of a LoadGen run: the summary for people, and the detail log, which says the same in JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFIX = ":::MLLOG "
FOUND = re.compile(r"([0-9]{1,18}|No) (error|warning)s? encountered", re.IGNORECASE)
# 90th and 90.0th percentile latency are the headline of one and the same thing, rounds apart.
HEADLINE_PERCENTILE = re.compile(r"(\d+)(?:\.0+)?th percentile latency \(ns\)")
PRINTED = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
# The largest number in a log is a seed of 64 bits; what is beyond it is no measurement, and overflows.
NUMBER_MAX, DIGITS_MAX = 2**64, 40
Value = str | int | float | bool


def known(value: object) -> Value | None:
    """A value of a log as it is; None for what no log has: not finite, beyond NUMBER_MAX, or no single value."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int | float) and abs(value) > NUMBER_MAX:
        return None
    return value if isinstance(value, Value) else None


def number_of(text: str) -> float | None:
    """A printed number; None for what is none that a log has."""
    if len(text) > DIGITS_MAX or not PRINTED.fullmatch(text):
        return None
    found = known(float(text))
    return found if isinstance(found, float) else None


@dataclass(frozen=True)
class Summary:
    """``fields`` by their label as printed, ``errors`` as counted there; ``twice`` are labels of two values."""

    fields: Mapping[str, str]
    errors: int
    twice: frozenset[str] = frozenset()

    def number(self, label: str) -> float | None:
        """A field as a number; None where it is none or not there."""
        return number_of(self.fields.get(label, ""))


@dataclass
class Detail:
    """Single values by key; of a key that is logged several times the last, if that is a ``known`` one.

    ``errors`` are the lines marked as such.
    """

    values: dict[str, Value] = field(default_factory=dict)
    errors: int = 0
    lines: int = 0

    def number(self, key: str) -> float | None:
        """A value as a number; a truth value is none."""
        value = self.values.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_summary(text: str) -> Summary:
    """Every ``label : value`` of the file; of two the first, for the headline stands above what repeats it."""
    fields: dict[str, str] = {}
    errors, twice = 0, set()
    for line in text.splitlines():
        if found := FOUND.search(line):
            errors += int(found[1]) if found[2].lower() == "error" and found[1].isdecimal() else 0
        label, colon, value = line.rpartition(":")
        if colon and label.strip():
            name, said = _label(label.strip().removeprefix("* ")), value.strip()
            if fields.setdefault(name, said) != said:
                twice.add(name)
    return Summary(fields, errors, frozenset(twice))


def _label(text: str) -> str:
    found = HEADLINE_PERCENTILE.fullmatch(text)
    return f"{found[1]}th percentile latency (ns)" if found else text


def read_detail(lines: Iterable[str]) -> Detail:
    """The lines that LoadGen 1.0 and later write; others are passed over, so an older log has no lines."""
    detail = Detail()
    for line in lines:
        if not line.startswith(PREFIX):
            continue
        try:
            entry = json.loads(line[len(PREFIX) :])
            key, value, marks = str(entry["key"]), known(entry["value"]), entry.get("metadata") or {}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        detail.lines += 1
        if value is None:
            detail.values.pop(key, None)
        else:
            detail.values[key] = value
        detail.errors += bool(isinstance(marks, dict) and marks.get("is_error"))
    return detail
