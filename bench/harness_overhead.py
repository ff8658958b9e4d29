"""What the referee costs: its median a query against a bare ONNX Runtime loop's, in one run.

``python bench/harness_overhead.py [--limit 1.35]`` prints one JSON line and exits 1 above the limit. The model is
the narrowest of a few networks whose bare inference takes about 10 µs on this machine; the harness's path is the
trial's own (fast SUT, stamps, the count of answers).
"""

from __future__ import annotations

import argparse
import json
import mmap
import sys
import tempfile
import time
from array import array
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bitgoeul.protocols.inference import example_models
from bitgoeul.protocols.inference.harness import loadgen, step
from bitgoeul.targets.onnx_runtime import OnnxRunner, OnnxRuntime
from bitgoeul.trials.ports import Contract

LIMIT = 1.35
WIDTHS = (64, 128, 256, 512, 1024, 2048)
ABOUT_NS = 9_000
QUERIES = 10_000
TURNS = 30
SEEDS = dict.fromkeys(loadgen.SEEDS, "20260101")


def write_model(path: Path, width: int) -> None:
    """A network with fixed random weights: its answers do not matter, only its time."""
    random = np.random.default_rng(1)
    layers = [(random.normal(size=shape), random.normal(size=shape[1])) for shape in ((64, width), (width, 10))]
    example_models.write_classifier(path, layers)


def bare_ns(runner: OnnxRunner, samples: np.ndarray, queries: int = QUERIES) -> float:
    """The median of a loop that only asks ONNX Runtime and stamps."""
    run, feeds = runner._run, [{"pixels": samples[i : i + 1]} for i in range(len(samples))]
    clock, times = time.perf_counter_ns, array("Q")
    for number in range(queries):
        feed = feeds[number % len(feeds)]
        started = clock()
        run(["scores"], feed)
        times.append(clock() - started)
    return median(times)


def harness_ns(runner: OnnxRunner, count: int, out: Path) -> int:
    """LoadGen's median, issue to completion, over the trial's own callback."""
    shared = mmap.mmap(-1, 16)
    bench = step.Bench({}, out, memoryview(shared).cast("Q"), array("Q"))
    made = loadgen.settings(
        "SingleStream",
        SEEDS,
        min_duration_ms=100,
        min_query_count=QUERIES,
        single_stream_expected_latency_ns=8000,
    )
    loadgen.run(made, step._one_by_one(bench, runner.one), count, out)
    read = loadgen.read(out)
    return int(read["latency_p50_ns"])


def measure() -> dict[str, Any]:
    """Both medians in one process, in many short turns that alternate.

    A neighbour on the machine lengthens a turn and never shortens it, so of each the median of its quietest third
    counts. ``ratios`` are those of the single turns, as they came.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        samples = np.random.default_rng(2).random((899, 64), dtype=np.float32)
        contract = Contract(columns_in=64, columns_out=10, answer_limit_ms=1000, silence_limit_ms=1000)
        for width in WIDTHS:
            write_model(folder / f"{width}.onnx", width)
            runner = OnnxRuntime({}).open(folder / f"{width}.onnx", samples, contract)
            if min(bare_ns(runner, samples, 1000) for _ in range(60)) >= ABOUT_NS:
                break
        bare: list[float] = []
        harness: list[float] = []
        for turn in range(TURNS):
            bare.append(bare_ns(runner, samples))
            harness.append(harness_ns(runner, len(samples), folder / f"run{turn}"))
    return {
        "width": width,
        "bare_median_ns": quiet(bare),
        "harness_median_ns": quiet(harness),
        "ratio": round(quiet(harness) / quiet(bare), 3),
        "ratios": [round(ours / theirs, 3) for ours, theirs in zip(harness, bare, strict=True)],
    }


def quiet(turns: list[float]) -> float:
    """The median of the quietest third of the turns."""
    return median(sorted(turns)[: len(turns) // 3])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=LIMIT)
    limit = parser.parse_args().limit
    found = measure()
    sys.stdout.write(json.dumps({**found, "limit": limit, "ok": found["ratio"] <= limit}) + "\n")
    return 0 if found["ratio"] <= limit else 1


if __name__ == "__main__":
    raise SystemExit(main())
