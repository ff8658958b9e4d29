"""Driving LoadGen and reading what it wrote. Runs in the measuring child only.

The quirks this code guards against were measured with mlcommons-loadgen 6.0.17: tracing is on by default
(0.8 KB a query), seeds default to 0, and a VALID summary may stand above thousands of errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import mlperf_loadgen

SUMMARY, DETAIL, ACCURACY = "mlperf_log_summary.txt", "mlperf_log_detail.txt", "mlperf_log_accuracy.json"
SEEDS = ("qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")
PERCENTILES = {"50.00": "p50", "90.00": "p90", "95.00": "p95", "97.00": "p97", "99.00": "p99", "99.90": "p999"}

Issue = Callable[[list[int], list[int]], None]


def settings(scenario: str, seeds: Mapping[str, str], **values: float) -> Any:
    """Test settings with every seed set; ``values`` are LoadGen's own names."""
    made = mlperf_loadgen.TestSettings()
    made.scenario = getattr(mlperf_loadgen.TestScenario, scenario)
    made.mode = mlperf_loadgen.TestMode.PerformanceOnly
    for name in SEEDS:
        setattr(made, name, int(seeds[name]))
    for name, value in values.items():
        setattr(made, name, value)
    return made


def run(made: Any, issue: Issue, count: int, out: Path) -> None:
    """One LoadGen test with a fast SUT; its logs go to ``out``. ``issue`` must never raise."""
    out.mkdir(parents=True, exist_ok=True)
    logs = mlperf_loadgen.LogSettings()
    logs.enable_trace = False
    logs.log_output.outdir = str(out)
    logs.log_output.copy_summary_to_stdout = False
    library = mlperf_loadgen.ConstructQSL(count, count, _nothing, _nothing)
    subject = mlperf_loadgen.ConstructFastSUT(issue, _flush)
    try:
        mlperf_loadgen.StartTestWithLogSettings(subject, library, made, logs, "")
    finally:
        mlperf_loadgen.DestroyFastSUT(subject)
        mlperf_loadgen.DestroyQSL(library)


def read(out: Path) -> dict[str, Any]:
    """LoadGen's result as whole numbers, read from the detail log (the summary alone hides errors)."""
    values, complaints = _detail(out / DETAIL)
    result: dict[str, Any] = {
        "validity": str(values.get("result_validity", "MISSING")),
        "min_duration_met": values.get("result_min_duration_met") is True,
        "min_queries_met": values.get("result_min_queries_met") is True,
        "early_stopping_met": values.get("early_stopping_met") is True,
        "errors": max(int(values.get("num_errors", 0)), len(complaints)),
        "complaints": complaints[:5],
        "queries": int(values.get("result_query_count", 0)),
        "samples_per_query": int(values.get("effective_samples_per_query", 0)),
        "target_rate_milli": _milli(values.get("effective_target_qps")),
    }
    for name in ("min", "max", "mean"):
        result[f"latency_{name}_ns"] = _whole(values.get(f"result_{name}_latency_ns"))
    for spelled, name in PERCENTILES.items():
        result[f"latency_{name}_ns"] = _whole(values.get(f"result_{spelled}_percentile_latency_ns"))
    for key, name in (
        ("result_samples_per_second", "samples_per_second_milli"),
        ("result_completed_samples_per_sec", "samples_per_second_milli"),
        ("result_scheduled_samples_per_sec", "scheduled_per_second_milli"),
        ("result_qps_without_loadgen_overhead", "rate_without_overhead_milli"),
    ):
        if key in values:
            result[name] = _milli(values[key])
    if "early_stopping_latency_ss" in values:
        result["latency_p90_early_stopping_ns"] = _whole(values["early_stopping_latency_ss"])
    return result


def read_answers(out: Path, count: int) -> dict[int, bytes]:
    """Sample index → logged answer of an accuracy run; ValueError when an index stands twice."""
    answers: dict[int, bytes] = {}
    for entry in json.loads((out / ACCURACY).read_text(encoding="utf-8")):
        index = int(entry["qsl_idx"])
        if index in answers or not 0 <= index < count:
            raise ValueError(f"sample {index} stands twice or outside the library")
        answers[index] = bytes.fromhex(entry["data"])
    return answers


def _detail(path: Path) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    complaints: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if not line.startswith(":::MLLOG "):
                continue
            entry = json.loads(line[9:], parse_float=Decimal)
            values[entry["key"]] = entry["value"]
            if entry["metadata"].get("is_error"):
                complaints.append(str(entry["value"])[:200])
    return values, complaints


def _whole(value: Any) -> int | None:
    return None if value is None else int(Decimal(value).to_integral_value(ROUND_HALF_UP))


def _milli(value: Any) -> int | None:
    return None if value is None else int((Decimal(value) * 1000).to_integral_value(ROUND_HALF_UP))


def _nothing(_: list[int]) -> None:
    """The library is in memory already."""


def _flush() -> None:
    """Nothing is queued."""
