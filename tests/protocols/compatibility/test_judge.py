"""The judge over records made by hand: every edit that matters is seen, and no edit of a record stops it."""

from __future__ import annotations

import copy

import pytest

from bitgoeul.protocols.compatibility import PLUGIN
from bitgoeul.protocols.compatibility.record import counted
from bitgoeul.trials.ports import Outcome


def judged(record, definition):
    verdict = PLUGIN.judge(record, definition, 2)
    return verdict.outcome, [reason.check for reason in verdict.failed()]


def with_letters(record, place, letters):
    record["groups"][place][3] = letters
    record["counts"] = counted("".join(group[3] for group in record["groups"]))
    bad = sum(letter not in "PA" for group in record["groups"] for letter in group[3])
    record["details"] = [["node", f"case {number}", "R", ""] for number in range(bad)]
    return record


def test_all_passed(record, definition):
    assert judged(record, definition) == (Outcome.PASSED, [])
    reasons = PLUGIN.judge(record, definition, 2).reasons
    assert [r.value for r in reasons if r.check == "attempts"] == ["2"]
    assert judged(record, definition) == (Outcome.PASSED, [])


@pytest.mark.parametrize(
    ("place", "letters", "outcome", "failed"),
    [
        (0, "R", Outcome.FAILED, ["light_models"]),
        (0, "W", Outcome.FAILED, ["light_models", "wrong"]),
        (1, "RR", Outcome.FAILED, ["required_operators", "required_complete"]),
        (1, "PR", Outcome.WARNED, ["required_complete"]),
        (1, "PC", Outcome.WARNED, ["required_complete", "crashed"]),
        (2, "PT", Outcome.WARNED, ["required_complete", "timed_out"]),
        (2, "AW", Outcome.WARNED, ["required_complete", "wrong"]),
    ],
)
def test_what_did_not_pass_is_said_by_its_name(record, definition, place, letters, outcome, failed):
    assert judged(with_letters(record, place, letters), definition) == (outcome, failed)


def test_thresholds_are_data(record, definition):
    with_letters(record, 1, "PR")
    definition["acceptance"]["required_passed_permille_min"] = 501
    assert judged(record, definition)[0] is Outcome.FAILED


def test_an_own_model_that_does_not_run_is_said_beside_it(record, definition):
    record["models"] = [{"name": "a.onnx", "digest": "3" * 64, "result": "R", "detail": "load: Foo"},
                        {"name": "b.onnx", "digest": "4" * 64, "result": "P", "detail": ""}]  # fmt: skip
    assert judged(record, definition) == (Outcome.WARNED, ["own_models"])


@pytest.mark.parametrize(
    ("edit", "failed"),
    [
        (lambda r: r["groups"][1].__setitem__(3, "PPP"), "sums"),
        (lambda r: r["groups"][1].__setitem__(3, "P"), "sums"),
        (lambda r: r["groups"].pop(), "sums"),
        (lambda r: r["groups"].reverse(), "sums"),
        (lambda r: r["counts"].update(P=5), "sums"),
        (lambda r: r["details"].append(["node", "x", "R", ""]), "sums"),
        (lambda r: r["suite"].update(case_list_digest="6" * 64), "suite"),
        (lambda r: r["suite"].update(left_out=["test_x"]), "suite"),
        (lambda r: r["canary"]["passed"].pop(), "canary"),
        (lambda r: r["inputs"][0].update(digest="8" * 64), "inputs"),
        (lambda r: r["environment"]["packages"][0].update(version="1.0"), "engine"),
        (lambda r: r["protocol"].update(version="0.9"), "protocol"),
        (lambda r: r.update(finding={"party": "harness", "code": "suite_differs", "detail": "", "step": "suite"}),
         "harness.suite_differs"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_hold_is_invalid(record, definition, edit, failed):
    record = copy.deepcopy(record)
    edit(record)
    outcome, checks = judged(record, definition)
    assert outcome is Outcome.INVALID
    assert failed in checks


@pytest.mark.parametrize("code", ["not_a_stack", "not_ready", "crashed", "malformed", "no_answer", "odd"])
def test_a_stack_that_did_not_start_failed_by_name(record, definition, code):
    record["finding"] = {"party": "subject", "code": code, "detail": "why", "step": "describe"}
    assert judged(record, definition) == (Outcome.FAILED, [f"subject.{code}"])


@pytest.mark.parametrize(
    "path",
    ["schema", "protocol", "environment", "inputs", "suite", "canary", "groups", "counts", "details", "models"],
)
@pytest.mark.parametrize("value", [None, 7, "x", [], {}])
def test_a_damaged_record_is_invalid_and_never_an_exception(record, definition, path, value):
    if path == "models" and value == []:
        return  # what a record without models of its own looks like
    if path == "details" and value == []:
        return
    record[path] = value
    assert judged(record, definition)[0] is Outcome.INVALID


@pytest.mark.parametrize("group", [7, [], ["node", "Abs", 13], ["node", "Abs", True, "PP"],
                                   ["node", "Abs", 13, "X"],
                                   ["node", "Abs", 13, ""]])  # fmt: skip
def test_a_group_that_is_none_is_named(record, definition, group):
    record["groups"][1] = group
    assert judged(record, definition) == (Outcome.INVALID, ["record"])
