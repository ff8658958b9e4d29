"""The referee's cost stays small beside an inference of about 10 µs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1.35
TRIES = 4


@pytest.mark.slow
def test_the_median_query_costs_at_most_a_third_more_than_bare_onnx_runtime():
    ratios = []
    for _ in range(TRIES):  # a neighbour's burst lengthens one of the two loops; it does not shorten either
        done = subprocess.run(
            [sys.executable, str(ROOT / "bench" / "harness_overhead.py")],
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        ratios.append(json.loads(done.stdout)["ratio"])
        if ratios[-1] <= LIMIT:
            return
    pytest.fail(f"ratios {ratios} are all above {LIMIT}")
