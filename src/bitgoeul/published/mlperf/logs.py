"""The two logs of a LoadGen run: the summary for people, and the detail log, which says the same in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = ":::MLLOG "
FOUND = re.compile(r"(\d+|No) (error|warning)s? encountered", re.IGNORECASE)
# 90th and 90.0th percentile latency are the headline of one and the same thing, rounds apart.
HEADLINE_PERCENTILE = re.compile(r"(\d+)(?:\.0+)?th percentile latency \(ns\)")


@dataclass(frozen=True)
class Summary:
    """``fields`` by their label as printed, ``errors`` as counted there."""

    fields: Mapping[str, str]
    errors: int

    def number(self, label: str) -> float | None:
        """A field as a number; None where it is none or not there."""
        try:
            return float(self.fields[label])
        except (KeyError, ValueError):
            return None


@dataclass
class Detail:
    """Values by key; of a key that is logged several times the last. ``errors`` are the lines marked as such."""

    values: dict[str, Any] = field(default_factory=dict)
    errors: int = 0
    lines: int = 0

    def number(self, key: str) -> float | None:
        """A value as a number; a truth value is none."""
        value = self.values.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_summary(text: str) -> Summary:
    """Every ``label : value`` of the file; of two the first, for the headline stands above what repeats it."""
    fields: dict[str, str] = {}
    errors = 0
    for line in text.splitlines():
        if found := FOUND.search(line):
            errors += int(found[1]) if found[2].lower() == "error" and found[1].isdecimal() else 0
        label, colon, value = line.rpartition(":")
        if colon and label.strip():
            fields.setdefault(_label(label.strip().removeprefix("* ")), value.strip())
    return Summary(fields, errors)


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
            key, value, marks = str(entry["key"]), entry["value"], entry.get("metadata") or {}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        detail.lines += 1
        detail.values[key] = value
        detail.errors += bool(isinstance(marks, dict) and marks.get("is_error"))
    return detail
