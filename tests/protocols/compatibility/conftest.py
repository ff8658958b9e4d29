"""The suite, written once for a run, and small trials over a few of its cases."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.protocols.compatibility import PLUGIN
from bitgoeul.protocols.compatibility.harness import referee, suite
from bitgoeul.protocols.course import Trial
from bitgoeul.targets.stack import Stack, stack_file

TESTS = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def whole_suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "suite"
    return folder, suite.write(folder)


@pytest.fixture
def definition(tmp_path):
    return json.loads(json.dumps(PLUGIN.definition(tmp_path)))


@pytest.fixture
def run_cases(whole_suite, definition, tmp_path, monkeypatch):
    """Run some cases on a stack as the referee does; the record and each case's letter."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent / "src")]))
    folder, whole = whole_suite

    def run(names, stack, *, case_seconds=3, cases_per_child=250):
        small = suite.Suite([case for case in whole.cases if case.name in names], [], "")
        job = tmp_path / "job"
        for case in small.cases:
            shutil.copytree(folder / case.folder, job / "suite" / case.folder)
        (job / "suite" / suite.INDEX).write_text(json.dumps(asdict(small)), encoding="utf-8")
        definition["limits"]["cases_per_child"] = cases_per_child
        trial = Trial({"definition": definition, "parameters": {"case_seconds": case_seconds}}, job)
        referee._cases(trial, stack, small)
        letters = "".join(group[3] for group in trial.record["groups"])
        return trial, {case.name: letter for case, letter in zip(small.cases, letters, strict=True)}

    return run


@pytest.fixture
def job(definition, tmp_path, monkeypatch):
    """A job's folder with its order and stack file; ``job(stack)`` gives it, not yet run."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent / "src")]))

    def make(stack=None, data=None):
        from bitgoeul.kernel.canonical import digest
        from bitgoeul.trials.ports import Order

        folder = tmp_path / "job"
        folder.mkdir()
        file = stack_file(stack or Stack("onnxruntime", {})) if data is None else data
        order = Order(
            trial_id="0192f000-0000-7000-8000-000000000001", attempt=1, protocol_digest=digest(definition),
            definition=definition, parameters=PLUGIN.check_parameters(definition, {}), subject_kind="stack",
            subject_digest=sha256_hex(file), assets={},
        )  # fmt: skip
        plan = PLUGIN.prepare(order)
        for name, part in {**plan.files, "subject.bin": file}.items():
            (folder / name).write_bytes(part)
        return folder, plan

    return make


@pytest.fixture
def record(definition):
    """A small true-to-form record whose suite is the three cases of ``definition``, which is changed with it."""
    groups = [["light", "resnet50", 9, "P"], ["node", "Abs", 13, "PP"], ["node", "Relu", 14, "PA"]]
    definition["suite"].update(cases=5, case_list_digest="5" * 64)
    definition["acceptance"]["required_operators"] = ["Abs", "Relu"]
    subject = "7" * 64
    made = {
        "schema": "bitgoeul.compatibility.record/1", "trial_id": "t", "attempt": 1,
        "protocol": {"code": "compatibility", "version": definition["version"], "digest": "1" * 64},
        "subject": {"kind": "stack", "digest": subject},
        "environment": {"packages": [{"name": "onnx", "version": "1.23.2", "digest": "2" * 64}]},
        "inputs": [{"name": "subject.bin", "digest": subject, "bytes": 1}],
        "suite": {"package": "onnx 1.23.2", "cases": 5, "left_out": [], "case_list_digest": "5" * 64},
        "canary": {"passed": definition["validity"]["canary_cases"], "missed": []},
        "groups": groups, "counts": {"P": 4, "A": 1, "W": 0, "R": 0, "C": 0, "T": 0},
        "details": [], "details_left_out": 0, "models": [], "finding": None,
    }  # fmt: skip
    canonical_bytes(made)
    return made
