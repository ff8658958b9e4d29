"""The kit names what a target does wrong, within a bounded time, and passes what is right."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from bitgoeul.site.cli import cli
from bitgoeul.targets import conformance
from bitgoeul.targets.conformance import Status

SECONDS = 20


def finding(name, check, seconds=SECONDS):
    """One check alone, as the kit runs it."""
    options = {"class": f"targets.chips:{name}"}
    wanted = next(each for each in conformance.CHECKS if each.code == check)
    return conformance._in_a_child("python", options, wanted, seconds)


@pytest.mark.parametrize("code", ["onnxruntime", "openvino"])
def test_the_built_in_targets_are_fit(code):
    found = conformance.findings(code, {})
    assert conformance.fit(found), found
    assert [each.check for each in found] == [check.code for check in conformance.CHECKS]


@pytest.mark.parametrize(
    ("name", "check", "status", "told"),
    [
        ("Crashing", "answers", Status.FAILED, "crashes"),
        ("Twice", "batches", Status.FAILED, "answers twice"),
        ("WrongShape", "answers", Status.FAILED, "wrong shape"),
        ("WrongType", "answers", Status.FAILED, "array of float64"),
        ("NotANumber", "answers", Status.FAILED, "not finite"),
        ("OffByMuch", "answers", Status.FAILED, "off by"),
        ("Random", "repeats", Status.FAILED, "nondeterministic"),
        ("OneModel", "keeps_apart", Status.FAILED, "wrong answer"),
        ("TakesAnything", "refuses", Status.FAILED, "takes a file that is no model"),
        ("RaisingDescribe", "describes", Status.FAILED, "no device"),
        ("Inventing", "describes", Status.FAILED, "speed"),
        ("Silent", "describes", Status.MISSING, "neither chip nor sdk"),
        ("NoLoad", "starts", Status.MISSING, "no load"),
        ("NoInfer", "loads", Status.MISSING, "no infer, close"),
        ("NotMade", "starts", Status.FAILED, "the driver is not loaded"),
        ("Good", "compiles", Status.MISSING, "load() compiles"),
        ("Able", "compiles", Status.PASSED, "compiled.bin"),
        ("Able", "reads", Status.PASSED, "card_power_mw 12000"),
    ],
)
def test_each_fault_is_a_named_finding(name, check, status, told):
    found = finding(name, check)
    assert found.status is status, found
    assert told in found.detail
    assert bool(found.remedy) == (status is not Status.PASSED)


@pytest.mark.parametrize(("name", "check"), [("Hanging", "answers"), ("HangingDescribe", "describes")])
def test_a_target_that_hangs_is_ended_at_the_limit(name, check):
    started = time.monotonic()
    found = finding(name, check, seconds=4)
    assert found.status is Status.FAILED
    assert found.detail.startswith("hangs")
    assert time.monotonic() - started < 12


def test_the_command_says_it_in_rows_and_by_its_exit_status():
    arguments = ["target", "check", "python", "--option", "class=targets.chips:NotMade", "--json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 1
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["check"], row["status"], row["required"]) == ("starts", "failed", True)
    assert row["remedy"]


def test_a_name_that_is_not_installed_is_bad_input():
    done = CliRunner().invoke(cli, ["target", "check", "warp-drive"])
    assert done.exit_code == 2
    assert "onnxruntime" in done.output


@pytest.mark.parametrize("option", ["provider", "=x"])
def test_an_option_without_a_value_is_bad_input(option):
    assert CliRunner().invoke(cli, ["target", "check", "onnxruntime", "--option", option]).exit_code == 2
