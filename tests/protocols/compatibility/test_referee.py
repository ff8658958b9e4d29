"""The run goes on: a case that ends or hangs the process is counted and the next one is run."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from bitgoeul.kernel.canonical import canonical_bytes, loads_strict
from bitgoeul.protocols.compatibility import PLUGIN
from bitgoeul.protocols.compatibility.harness import referee
from bitgoeul.protocols.compatibility.harness.worker import Bench
from bitgoeul.protocols.compatibility.record import Result, counted
from bitgoeul.protocols.course import Trial
from bitgoeul.targets.stack import Stack
from bitgoeul.trials.ports import Outcome

NAMES = {
    "test_abs",
    "test_add",
    "test_relu",
    "test_softmax_axis_0",
    "test_softmax_axis_1",
    "test_tanh",
    "test_sub",
}
PICKY = Stack("python", {"class": "targets.chips:CrashesOnSoftmax"})


@pytest.mark.parametrize("per_child", [1, 250])
def test_one_bad_case_never_ends_the_run(run_cases, per_child):
    started = time.monotonic()
    trial, letters = run_cases(NAMES, PICKY, case_seconds=3, cases_per_child=per_child)
    assert letters == {
        "test_abs": "R", "test_add": "P", "test_relu": "W", "test_softmax_axis_0": "C", "test_softmax_axis_1": "C",
        "test_tanh": "T", "test_sub": "P",
    }  # fmt: skip
    assert trial.record["counts"] == counted("RPWCCTP")
    told = {name: (result, detail) for _part, name, result, detail in trial.record["details"]}
    assert told["test_abs"] == ("R", "load: NotImplementedError: Abs")
    assert "SIGSEGV" in told["test_softmax_axis_0"][1] or "signal 11" in told["test_softmax_axis_0"][1]
    assert len(told) == 5
    assert time.monotonic() - started < 90


def test_a_target_inside_the_child_that_ends_it_is_a_crash_and_the_rest_is_run(run_cases, monkeypatch, tmp_path):
    # A built-in target cannot be made to crash to order, so its class is replaced in the children.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASHING, encoding="utf-8")
    import os

    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ['PYTHONPATH']}")
    _trial, letters = run_cases(NAMES, Stack("onnxruntime", {}), case_seconds=5)
    assert {name for name, letter in letters.items() if letter == "C"} == {"test_softmax_axis_0"}
    assert {name for name, letter in letters.items() if letter == "T"} == {"test_tanh"}
    assert sum(letter == "P" for letter in letters.values()) == 5


CRASHING = """
import os, signal, time
def spoil():
    from bitgoeul.targets import onnx_runtime
    load = onnx_runtime.OnnxRuntime.load
    def spoilt(self, model):
        if "softmax_axis_0" in str(model): os.kill(os.getpid(), signal.SIGABRT)
        if "tanh" in str(model): time.sleep(600)
        return load(self, model)
    onnx_runtime.OnnxRuntime.load = spoilt
import sys
if "bitgoeul.protocols.compatibility.harness.worker" in sys.orig_argv: spoil()
"""


def test_details_are_bounded_and_counted(run_cases, monkeypatch):
    monkeypatch.setattr(referee, "DETAIL_BYTES_MAX", 200)
    trial, _letters = run_cases(NAMES, PICKY, case_seconds=3)
    assert len(trial.record["details"]) + trial.record["details_left_out"] == 5
    assert trial.record["details_left_out"] > 0


def test_a_child_that_begins_nothing_stops_the_trial_as_the_referees_own(tmp_path, definition):
    trial = Trial({"definition": definition, "parameters": {"case_seconds": 2}}, tmp_path)
    work = referee.Work("cases", 3, {"suite": str(tmp_path / "nowhere")})
    with pytest.raises(referee.Stopped) as stopped:
        referee._through(trial, Stack("onnxruntime", {}), work)
    assert stopped.value.finding["party"] == "harness"


def test_half_a_line_is_not_taken(tmp_path):
    path = tmp_path / "results"
    path.write_text(json.dumps({"start": 0}) + "\n" + json.dumps({"end": 0, "result": "P", "detail": ""}) + "\n"
                    + json.dumps({"start": 1}) + "\n", encoding="utf-8")  # fmt: skip
    came = []
    assert referee._take(path, came) == 1
    assert [one.result for one in came] == [Result.PASSED]
    assert Bench  # the writer of these lines


@pytest.mark.parametrize(
    ("stack", "data", "outcome", "check"),
    [
        (None, b"no stack", Outcome.FAILED, "subject.not_a_stack"),
        (Stack("warp-drive", {}), None, Outcome.INVALID, "harness.not_ready"),
        (Stack("onnxruntime", {}, {"onnxruntime": "0.1"}), None, Outcome.INVALID, "harness.not_ready"),
    ],
)
def test_a_stack_that_is_none_or_not_here_is_named_before_the_suite(job, definition, stack, data, outcome, check):
    folder, plan = job(stack, data)
    done = subprocess.run(plan.argv, cwd=folder, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0
    record = loads_strict((folder / "record.json").read_bytes())
    verdict = PLUGIN.judge(record, definition, 1)
    assert verdict.outcome is outcome
    assert check in [reason.check for reason in verdict.failed()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stack", "outcome"),
    [
        (Stack("onnxruntime", {}), Outcome.WARNED),
        (Stack("onnxruntime", {"provider": "WarpExecutionProvider"}), Outcome.INVALID),
        (Stack("python", {"class": "targets.chips:NotMade"}), Outcome.FAILED),
        (Stack("python", {"class": "targets.chips:RaisingDescribe"}), Outcome.FAILED),
    ],
)
def test_a_whole_trial_ends_in_a_record_that_can_be_signed_and_judged(job, definition, stack, outcome):
    folder, plan = job(stack)
    done = subprocess.run(plan.argv, cwd=folder, capture_output=True, timeout=plan.wall_seconds, check=False)
    assert done.returncode == 0
    data = (folder / "record.json").read_bytes()
    record = loads_strict(data)
    assert canonical_bytes(record) == data
    assert len(data) <= 256 * 1024
    verdict = PLUGIN.judge(record, definition, 1)
    assert verdict.outcome is outcome
    if outcome is Outcome.WARNED:
        assert record["counts"] == {"P": 1454, "A": 52, "W": 23, "R": 504, "C": 0, "T": 0}
        assert record["environment"]["target"]["sdk"].startswith("ONNX Runtime")
    else:
        party = "subject." if outcome is Outcome.FAILED else "harness."
        assert verdict.failed()[-1].check.startswith(party)
