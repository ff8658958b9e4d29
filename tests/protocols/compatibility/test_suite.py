"""The suite as files: complete, the same each time, and equal to the suite's own runner case by case."""

from __future__ import annotations

import unittest
from collections import Counter
from importlib.metadata import version

import pytest

from bitgoeul.protocols.compatibility.harness import suite, worker
from bitgoeul.targets.stack import Stack

SLICE = r"^test_(abs|add|and|clip|concat|conv|cumsum|dft|dropout|gemm|hannwindow|loop|maxunpool|optional|sequence)"


def test_the_suite_is_the_one_that_the_protocol_names(whole_suite, definition):
    _folder, whole = whole_suite
    wanted = definition["suite"]
    assert len(whole.cases) == wanted["cases"]
    assert whole.list_digest() == wanted["case_list_digest"]
    assert len(whole.left_out) == wanted["left_out"]
    assert definition["engine"]["packages"] == {"onnx": version("onnx")}
    assert wanted["package"] == f"onnx {version('onnx')}"


def test_every_part_is_there_and_every_case_has_its_place(whole_suite):
    _folder, whole = whole_suite
    parts = Counter(case.part for case in whole.cases)
    assert parts == {
        "node": 1404, "expanded": 480, "pytorch-converted": 82, "pytorch-operator": 35, "simple": 23, "light": 9,
    }  # fmt: skip
    assert all(case.opset > 0 for case in whole.cases)
    nowhere = [case.name for case in whole.cases if case.part == "expanded" and case.operator == suite.SEVERAL]
    assert not nowhere


def test_the_required_operators_and_the_canary_are_in_the_suite(whole_suite, definition):
    _folder, whole = whole_suite
    operators = {case.operator for case in whole.cases if case.part == "node"}
    assert set(definition["acceptance"]["required_operators"]) <= operators
    assert set(definition["validity"]["canary_cases"]) <= {case.name for case in whole.cases}


def test_what_would_have_to_be_fetched_is_left_out_by_name(monkeypatch, tmp_path):
    real = suite.load_model_tests(kind="real")
    real[0].url = "https://example.org/model.tar.gz"
    monkeypatch.setattr(suite, "KINDS", ("real",))
    monkeypatch.setattr(suite, "load_model_tests", lambda kind: real)
    made = suite.write(tmp_path / "suite")
    assert made.left_out == [real[0].name]
    assert len(made.cases) == 8


@pytest.mark.slow
def test_a_slice_is_equal_to_the_suites_own_runner_case_by_case(run_cases, whole_suite):
    import onnxruntime.backend
    from onnx.backend.test.runner import Runner

    runner = Runner(onnxruntime.backend, __name__)
    runner.include(SLICE)
    hand = {}
    for case in runner.test_cases.values():
        for name in unittest.defaultTestLoader.getTestCaseNames(case):
            result = unittest.TestResult()
            case(name).run(result)
            if name.endswith("_cpu") and not result.skipped:
                hand[name.removesuffix("_cpu")] = result.wasSuccessful()
    assert len(hand) > 140
    assert set(hand.values()) == {True, False}
    _trial, ours = run_cases(set(hand), Stack("onnxruntime", {}), case_seconds=20)
    assert {name: letter == "P" for name, letter in ours.items()} == hand


def test_scalars_of_the_suite_are_given_as_they_are_and_then_as_tensors(whole_suite, run_cases):
    _trial, ours = run_cases({"test_clip", "test_abs"}, Stack("onnxruntime", {}), case_seconds=20)
    assert ours == {"test_clip": "A", "test_abs": "P"}


def test_an_answer_that_cannot_be_compared_is_wrong(whole_suite):
    _folder, whole = whole_suite
    case = whole.cases[0]
    import numpy as np

    wanted = [np.zeros(2, dtype=np.float32)]
    assert worker._difference(wanted, [np.zeros(2, dtype=np.float32)], case) == ""
    for answer in ([], [None], [np.zeros(3, dtype=np.float32)], [np.zeros(2)], ["text"], [np.ones(2, np.float32)]):
        assert worker._difference(wanted, answer, case)
