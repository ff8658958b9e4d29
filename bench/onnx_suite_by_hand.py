"""The ONNX suite by the suite's own runner, beside what the compatibility protocol recorded: case by case.

``python bench/onnx_suite_by_hand.py`` runs a trial of ONNX Runtime and of OpenVINO (``--target`` names one), then
``onnx.backend.test``'s own Runner (CPU only) on ONNX Runtime's own backend, or on a few lines below for OpenVINO,
in children of some cases each, and compares. Nothing of the harness is used by hand. One JSON line a target;
exit 1 for a difference. ``--record FOLDER`` compares with a trial that was run there before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.kernel.canonical import digest, sha256_hex
from bitgoeul.protocols.compatibility.plugin import SUBJECT_FILE, CompatibilityProtocol
from bitgoeul.targets.stack import Stack, stack_file
from bitgoeul.trials.ports import Order

PARTS = 8
SECONDS = 600


class OpenVinoRep:
    def __init__(self, compiled: Any) -> None:
        self.request = compiled.create_infer_request()
        self.outputs = compiled.outputs

    def run(self, inputs: Any, **_: Any) -> list[Any]:
        self.request.infer(dict(enumerate(inputs)))
        return [np.array(self.request.get_output_tensor(i).data) for i in range(len(self.outputs))]


class OpenVinoBackend:
    @classmethod
    def supports_device(cls, device: str) -> bool:
        return device == "CPU"

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> OpenVinoRep:
        import openvino

        core = openvino.Core()
        read = core.read_model(model.SerializeToString(), b"")
        return OpenVinoRep(core.compile_model(read, "CPU", {"EXECUTION_MODE_HINT": "ACCURACY"}))


def child(target: str, part: int, first: int, out: Path) -> None:
    """Run every PARTS-th test from ``first`` on; one line before and after each."""
    import warnings

    warnings.simplefilter("ignore")
    from onnx.backend.test.runner import Runner

    if target == "onnxruntime":
        import onnxruntime.backend as backend
    else:
        backend = OpenVinoBackend
    runner = Runner(backend, __name__)
    tests = []
    for case in runner.test_cases.values():
        tests += [
            case(name) for name in unittest.defaultTestLoader.getTestCaseNames(case) if name.endswith("_cpu")
        ]
    tests.sort(key=lambda test: test.id())
    mine = tests[part::PARTS]
    with out.open("a") as file:
        for number in range(first, len(mine)):
            name = mine[number]._testMethodName.removesuffix("_cpu")
            kind = type(mine[number]).__name__
            file.write(json.dumps([number, kind, name, "crash"]) + "\n")
            file.flush()
            result = unittest.TestResult()
            mine[number].run(result)
            word = "skip" if result.skipped else "pass" if result.wasSuccessful() else "fail"
            file.write(json.dumps([number, kind, name, word]) + "\n")
            file.flush()


def by_hand(target: str) -> dict[str, str]:
    """Test name → pass, fail, skip or crash."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "ONNX_HOME": scratch, "HOME": scratch}
        for part in range(PARTS):
            out, first = Path(scratch) / f"{part}.jsonl", 0
            while True:
                arguments = [sys.executable, __file__, "--child", target, str(part), str(first), str(out)]
                done = subprocess.run(
                    arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                    timeout=SECONDS, check=False,
                )  # fmt: skip
                lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
                if done.returncode == 0:
                    break
                if not lines or lines[-1][0] < first:
                    raise SystemExit(done.stderr[-2000:])
                first = lines[-1][0] + 1
            found.update({name: word for _, _kind, name, word in lines})
    return found


def recorded(folder: Path) -> dict[str, str]:
    """Case name → letter, out of a trial's record."""
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    with tarfile.open(folder / "logs.tar") as tar:
        cases = json.load(tar.extractfile("cases.json"))  # type: ignore[arg-type]
    letters = "".join(group[3] for group in record["groups"])
    return {case[3]: letter for case, letter in zip(cases, letters, strict=True)}


def measured(target: str, folder: Path) -> None:
    """A trial of the target with default options, run in ``folder`` as a job would run it."""
    plugin = CompatibilityProtocol()
    definition = plugin.definition(folder)
    subject = stack_file(Stack(target, {}))
    order = Order(
        trial_id="0192f000-0000-7000-8000-000000000001", attempt=1, protocol_digest=digest(definition),
        definition=definition, parameters=plugin.check_parameters(definition, {}), subject_kind="stack",
        subject_digest=sha256_hex(subject), assets={},
    )  # fmt: skip
    plan = plugin.prepare(order)
    for name, data in {**plan.files, SUBJECT_FILE: subject}.items():
        (folder / name).write_bytes(data)
    subprocess.run(plan.argv, cwd=folder, stdout=sys.stderr, check=True)


def compared(target: str, folder: Path) -> dict[str, Any]:
    """Both results of every case, counted, and the cases in which they differ."""
    hand, ours = by_hand(target), recorded(folder)
    differ = sorted(
        f"{name}: by hand {hand.get(name)}, recorded {ours.get(name)}"
        for name in hand.keys() | ours.keys()
        if name not in hand or name not in ours
        or (hand[name] == "pass") != (ours[name] == "P") or (hand[name] == "crash") != (ours[name] == "C")
    )  # fmt: skip
    return {
        "bench": "onnx_suite_by_hand", "target": target, "cases": len(ours),
        "by_hand": Counter(hand.values()), "recorded": Counter(ours.values()),
        "different": len(differ), "differences": differ[:60],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", action="append", choices=("onnxruntime", "openvino"))
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    different = 0
    for target in arguments.target or ("onnxruntime", "openvino"):
        with tempfile.TemporaryDirectory() as scratch:
            folder = arguments.record or Path(scratch)
            if arguments.record is None:
                measured(target, folder)
            told = compared(target, folder)
        different += told["different"]
        sys.stdout.write(json.dumps(told) + "\n")
    return 1 if different else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
    else:
        raise SystemExit(main())
