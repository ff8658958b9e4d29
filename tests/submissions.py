"""A made-up MLPerf submission tree that a test may change before it is written."""

from __future__ import annotations

import json
from pathlib import Path

from bitgoeul.published.mlperf import read_tree

# A run of a made-up system, in the words of LoadGen 3.
OFFLINE = {
    "effective_scenario": "Offline", "effective_test_mode": "PerformanceOnly", "result_validity": "VALID",
    "result_samples_per_second": 1000.5,
    "result_min_latency_ns": 5_000_000, "result_max_latency_ns": 599_700_150_000,
    "result_mean_latency_ns": 300_000_000_000, "result_50.00_percentile_latency_ns": 300_000_000_001,
    "result_90.00_percentile_latency_ns": 540_000_000_000, "result_99.00_percentile_latency_ns": 594_000_000_000,
    "result_min_duration_met": True, "result_min_queries_met": True, "early_stopping_met": True,
    "generated_query_count": 1, "generated_samples_per_query": 600_000, "effective_samples_per_query": 600_000,
    "effective_min_duration_ms": 600_000, "effective_qsl_rng_seed": 10003631887983097364,
    "effective_performance_sample_count": 1024, "sut_name": "GAON",
}  # fmt: skip
LABELS = {
    "SUT name": "sut_name", "Scenario": "effective_scenario", "Mode": "effective_test_mode",
    "Samples per second": "result_samples_per_second", "Result is": "result_validity",
    "Min latency (ns)": "result_min_latency_ns", "Max latency (ns)": "result_max_latency_ns",
    "Mean latency (ns)": "result_mean_latency_ns",
    "50.00 percentile latency (ns)": "result_50.00_percentile_latency_ns",
    "90.00 percentile latency (ns)": "result_90.00_percentile_latency_ns",
    "99.00 percentile latency (ns)": "result_99.00_percentile_latency_ns",
    "samples_per_query": "effective_samples_per_query", "min_duration (ms)": "effective_min_duration_ms",
    "qsl_rng_seed": "effective_qsl_rng_seed", "performance_sample_count": "effective_performance_sample_count",
}  # fmt: skip


DETAIL = "mlperf_log_detail.txt"


def line(key, value, **marks) -> str:
    return ":::MLLOG " + json.dumps({"key": key, "value": value, "time_ms": 1.0, "metadata": marks}) + "\n"


class Submission:
    """A tree with one result that a test may change before it is written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.logged, self.said, self.lines = dict(OFFLINE), {}, []
        self.tail = "No warnings encountered during test.\n\nNo errors encountered during test.\n"
        self.division, self.submitter, self.scenario = "closed", "Gaon", "Offline"
        self.system = {"status": "available", "number_of_nodes": "1", "accelerators_per_node": "1"}
        self.accuracy = f"accuracy=76.100%, good=38050, total=50000\nhash={7:064x}\n"

    def write(self) -> Path:
        submitter = self.root / "v3.0" / self.division / self.submitter
        run = submitter / "results" / "chip" / "resnet50" / self.scenario / "performance" / "run_1"
        run.mkdir(parents=True)
        said = {label: self.logged[key] for label, key in LABELS.items() if key in self.logged} | self.said
        (run / "mlperf_log_summary.txt").write_text(
            "".join(f"{label} : {value}\n" for label, value in said.items()) + self.tail
        )
        (run / "mlperf_log_detail.txt").write_text(
            "".join(line(key, value, is_error=False) for key, value in self.logged.items()) + "".join(self.lines)
        )
        (run.parents[1] / "accuracy").mkdir()
        (run.parents[1] / "accuracy" / "accuracy.txt").write_text(self.accuracy)
        (submitter / "systems").mkdir(exist_ok=True)
        (submitter / "systems" / "chip.json").write_text(json.dumps(self.system))
        return run

    def read(self):
        self.write()
        (result,) = read_tree(self.root)
        return result
