"""Charts as plain data: what the canvas draws, the table below it, and the sentence above it, from one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KINDS = frozenset({"bar", "line", "stacked", "histogram"})
SERIES_MAX = 6
POINTS_MAX = 2_000


def checked(data: Mapping[str, Any]) -> dict[str, Any]:
    """The chart data with defaults filled; ValueError names what a view got wrong.

    ``data``: ``kind`` (bar, line, stacked, histogram), ``labels`` (list of str), ``series`` (list of
    ``{"name": str, "values": [int | float | None]}``), optional ``unit``, ``x_label``, ``y_label`` and
    ``limits`` (list of ``{"name": str, "value": number}``, drawn as dashed lines).
    """
    kind = data.get("kind", "bar")
    labels = [str(label) for label in data["labels"]]
    series = [{"name": str(s["name"]), "values": list(s["values"])} for s in data["series"]]
    if kind not in KINDS:
        raise ValueError(f"unknown kind of chart: {kind}")
    if len(series) > SERIES_MAX or len(labels) > POINTS_MAX:
        raise ValueError(f"a chart shows at most {SERIES_MAX} series of {POINTS_MAX} points")
    if any(len(s["values"]) != len(labels) for s in series):
        raise ValueError("every series of a chart needs one value for each label")
    optional = {key: str(data.get(key, "")) for key in ("unit", "x_label", "y_label")}
    return {"kind": kind, "labels": labels, "series": series, "limits": list(data.get("limits", [])), **optional}


def rows(data: Mapping[str, Any]) -> list[tuple[str, Sequence[Any]]]:
    """The table of a chart: one row for each label with the value of every series."""
    return [
        (label, [series["values"][index] for series in data["series"]])
        for index, label in enumerate(data["labels"])
    ]
