"""Runs cases of the suite on the stack, in a process of its own: ``python -m …harness.worker order.json``.

Two lines a case in the order's ``results`` file: one when it starts, one when it ends. The referee reads
them while it watches, so that what ends this process has the name of the case it ended in. Exit status 3:
``fault.json`` says why the stack did not start.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx.backend.test.runner import Runner as Suites

from bitgoeul.protocols.compatibility.harness import suite as suites
from bitgoeul.protocols.compatibility.record import Result
from bitgoeul.targets import registry
from bitgoeul.trials.ports import Compiler, Fault, Loaded, SubjectFault, Target, Value, described, one_line

FAULT_STATUS = 3


class Bench:
    """The stack, made again where its own process has ended, and the file of results."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self.order = order
        self.target = self._make()
        self._results = os.open(order["results"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _make(self) -> Target:
        return registry.make(self.order["target"], self.order["options"])

    def again(self) -> None:
        """A new process of the stack's own: the old one has ended or is not to be trusted."""
        self.target = self._make()

    def say(self, **line: Any) -> None:
        """One line, whole: the referee may read at any moment."""
        os.write(self._results, json.dumps(line).encode() + b"\n")


def main(arguments: Sequence[str]) -> int:
    """Do what the order says: tell of the stack, or run cases, or try models."""
    order = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    try:
        bench = Bench(order)
        if order["step"] == "describe":
            bench.say(described=described(bench.target.describe()))
    except SubjectFault as fault:
        told = {"fault": str(fault.fault), "detail": fault.detail}
        Path(order["fault"]).write_text(json.dumps(told), encoding="utf-8")
        return FAULT_STATUS
    if order["step"] == "cases":
        _cases(bench)
    if order["step"] == "models":
        _models(bench)
    return 0


def _cases(bench: Bench) -> None:
    folder = Path(bench.order["suite"])
    cases = suites.read(folder).cases
    for number in range(bench.order["first"], bench.order["last"]):
        bench.say(start=number)
        result, detail = _case(bench, cases[number], folder)
        bench.say(end=number, result=str(result), detail=detail)


def _case(bench: Bench, case: suites.Case, folder: Path) -> tuple[Result, str]:
    try:
        model = _load(bench.target, case.model(folder), Path(bench.order["scratch"]))
    except Exception as error:  # noqa: BLE001 - whatever a stack raises is its refusal
        return _refusal(bench, "load", error)
    adapted = False
    for number in range(case.sets):
        inputs, wanted = case.data(folder, number)
        try:
            answers = model.infer(inputs)
        except Exception as error:  # noqa: BLE001 - as above
            if not any(isinstance(each, np.generic) for each in inputs) or _ended(error):
                return _refusal(bench, "run", error)
            adapted = True
            try:
                answers = model.infer([np.asarray(e) if isinstance(e, np.generic) else e for e in inputs])
            except Exception as again:  # noqa: BLE001 - as above
                return _refusal(bench, "run", again)
        difference = _difference(wanted, answers, case)
        if difference:
            return Result.WRONG, difference
    try:
        model.close()
    except Exception as error:  # noqa: BLE001 - as above
        return _refusal(bench, "close", error)
    return (Result.ADAPTED if adapted else Result.PASSED), ""


def _ended(error: Exception) -> bool:
    """Whether nothing can be asked any more."""
    return isinstance(error, SubjectFault) and error.fault is not Fault.REFUSED


def _load(target: Target, model: Path, scratch: Path) -> Loaded:
    return target.load(target.compile(model, scratch) if isinstance(target, Compiler) else model)


def _refusal(bench: Bench, where: str, error: Exception) -> tuple[Result, str]:
    fault = error.fault if isinstance(error, SubjectFault) else None
    detail = error.detail if isinstance(error, SubjectFault) else one_line(f"{type(error).__name__}: {error}")
    if fault in (Fault.CRASHED, Fault.NO_ANSWER, Fault.ANSWERED_TWICE, Fault.MALFORMED):
        bench.again()
    if fault is Fault.CRASHED:
        return Result.CRASHED, f"{where}: {detail}"
    if fault is Fault.NO_ANSWER:
        return Result.TIMED_OUT, f"{where}: {detail}"
    if fault in (Fault.ANSWERED_TWICE, Fault.MALFORMED):
        return Result.WRONG, f"{where}: {detail}"
    return Result.REFUSED, f"{where}: {detail}"


def _difference(wanted: Sequence[Value], answers: Sequence[Value], case: suites.Case) -> str:
    """Nothing, or how the answers differ, by the suite's own comparison and tolerances."""
    try:
        Suites.assert_similar_outputs(list(wanted), list(answers), rtol=case.rtol, atol=case.atol)
    except AssertionError as error:
        return one_line(str(error)) or "the answers differ"
    except Exception as error:  # noqa: BLE001 - an answer of a kind that cannot be compared
        return one_line(f"an answer of another kind ({type(error).__name__}: {error})")
    return ""


def _models(bench: Bench) -> None:
    """Each of the subject's own models: does it load, and does it run on a made-up input?"""
    for number in range(bench.order["first"], bench.order["last"]):
        bench.say(start=number)
        result, detail = _model(bench, Path(bench.order["models"][number]))
        bench.say(end=number, result=str(result), detail=detail)


def _model(bench: Bench, path: Path) -> tuple[Result, str]:
    try:
        model = _load(bench.target, path, Path(bench.order["scratch"]))
    except Exception as error:  # noqa: BLE001 - as above
        return _refusal(bench, "load", error)
    try:
        inputs = _made_up(path)
    except Exception as error:  # noqa: BLE001 - the subject's own file
        return Result.PASSED, one_line(f"loaded, not run: no input can be made up ({error})")
    try:
        answers = model.infer(inputs)
        finite = all(np.isfinite(each).all() for each in answers if getattr(each, "dtype", None) == np.float32)
    except Exception as error:  # noqa: BLE001 - as above
        return _refusal(bench, "run", error)
    return (Result.PASSED, "loaded and run") if finite else (Result.WRONG, "an answer that is not a finite number")


def _made_up(path: Path) -> list[Value]:
    """Numbers from 0 to 1 for every input that no weight stands for; ValueError for other than float32."""
    import onnx

    graph = onnx.load(path).graph
    weights = {one.name for one in graph.initializer}
    inputs = []
    for port in graph.input:
        if port.name not in weights:
            tensor = port.type.tensor_type
            if tensor.elem_type != onnx.TensorProto.FLOAT:
                raise ValueError(f"the input {port.name} is not float32")
            inputs.append(Suites.generate_dummy_data(port, name=path.name))
    return inputs


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
