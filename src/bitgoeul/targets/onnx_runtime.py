"""Target ``onnxruntime``: an ONNX file in ONNX Runtime, inside the measuring child, on any execution provider.

Options: ``provider`` (CPUExecutionProvider). The file is parsed only here. One intra-op thread and sequential
execution, so that a trial uses the one core it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bitgoeul.targets.options import chosen, processor
from bitgoeul.trials.ports import Contract, Fault, SubjectFault, Value

Scores = np.ndarray[Any, Any]

CPU = "CPUExecutionProvider"

# What ONNX Runtime says of an operator it does not have (onnxruntime 1.x, schema and kernel look-up).
_UNKNOWN_OPERATOR = re.compile(
    r"([\w.]*:?\w+)\(-?\d+\) is not a registered function/op"
    r"|No Op registered for (\w+)"
    r"|Could not find an implementation for (\w+)"
    r"|(\w+) is not a registered"
)


class OnnxRuntime:
    """The target ``onnxruntime``."""

    packages = ("onnxruntime",)

    def __init__(self, options: Mapping[str, str]) -> None:
        self.provider = chosen(options, "provider", CPU, onnxruntime.get_available_providers())

    def describe(self) -> Mapping[str, str]:
        """The runtime's version; the processor where it is the processor that computes."""
        told = {"sdk": f"ONNX Runtime {onnxruntime.__version__}, {self.provider}"}
        return {**told, **processor()} if self.provider == CPU else told

    def load(self, model: Path) -> OnnxModel:
        """A session for the file; raises SubjectFault (NOT_A_MODEL, UNSUPPORTED_OPERATOR)."""
        return OnnxModel(_load(model, self.provider))

    def open(self, path: Path, samples: Scores, contract: Contract) -> OnnxRunner:
        """Load, check the interface and answer two probes; raises SubjectFault."""
        runner = OnnxRunner(_load(path, self.provider), samples, contract)
        _probe(runner, contract)
        return runner

    def hop_ns(self) -> int:
        """0: the runtime runs in the measuring child itself."""
        return 0


class OnnxModel:
    """A session that takes whatever its graph takes."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._names = [port.name for port in session.get_inputs()]

    def infer(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """All outputs of the graph."""
        feeds = {name: inputs[number] for number, name in enumerate(self._names)}
        answers: Sequence[Value] = self._session.run(None, feeds)
        return answers

    def close(self) -> None:
        """Nothing is left to wait for."""


class OnnxRunner:
    """A session and the samples as ready-made feeds; ``one`` is on the timed path and does nothing else."""

    def __init__(self, session: Any, samples: Scores, contract: Contract) -> None:
        name = _input_name(session, contract)
        self.shape_in = list(session.get_inputs()[0].shape)
        self._run = session.run
        self._outputs = [_output_name(session, contract)]
        self._name = name
        self._samples = samples
        self._feeds = [{name: samples[i : i + 1]} for i in range(len(samples))]

    def one(self, index: int) -> Scores:
        """Scores ``[1, columns_out]`` of one sample."""
        scores: Scores = self._run(self._outputs, self._feeds[index])[0]
        return scores

    def batch(self, indices: Sequence[int]) -> Scores:
        """Scores ``[len(indices), columns_out]``."""
        scores: Scores = self._run(self._outputs, {self._name: self._samples[indices]})[0]
        return scores

    def close(self) -> None:
        """Nothing is left to wait for."""


def _load(path: Path, provider: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # the runtime's own have no common base below this
        raise _refusal(str(error)) from error
    session.disable_fallback()  # an answer of another provider would be taken for this one's
    return session


def _refusal(message: str) -> SubjectFault:
    found = _UNKNOWN_OPERATOR.search(message)
    if found:
        return SubjectFault(Fault.UNSUPPORTED_OPERATOR, next(name for name in found.groups() if name))
    return SubjectFault(Fault.NOT_A_MODEL, message)


def _input_name(session: Any, contract: Contract) -> str:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise SubjectFault(Fault.WRONG_INPUT, f"{len(inputs)} inputs, 1 expected")
    _check_port(inputs[0], contract.columns_in, Fault.WRONG_INPUT)
    return str(inputs[0].name)


def _output_name(session: Any, contract: Contract) -> str:
    first = session.get_outputs()[0]
    _check_port(first, contract.columns_out, Fault.WRONG_OUTPUT)
    return str(first.name)


def _check_port(port: Any, columns: int, fault: Fault) -> None:
    """The declared type and shape; a symbolic dimension may be anything until the probe shows it."""
    told = f"{port.type} {port.shape}, expected tensor(float) ['batch', {columns}]"
    if port.type != "tensor(float)":
        raise SubjectFault(fault, told)
    shape = list(port.shape or [])
    if not shape and fault is Fault.WRONG_OUTPUT:
        return  # an output may leave its shape to be inferred
    if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != columns) or isinstance(shape[0], int):
        raise SubjectFault(fault, told)


def _probe(runner: OnnxRunner, contract: Contract) -> None:
    for indices in ([0], [0, 1]):
        try:
            scores = runner.batch(indices)
        except Exception as error:  # as above: whatever the model does is its own fault
            # A model that leaves its input's width open says by failing that it is another one.
            open_width = not isinstance(runner.shape_in[1], int)
            wrong = open_width or "INVALID_ARGUMENT" in str(error)
            fault = Fault.WRONG_INPUT if wrong else Fault.CRASHED
            raise SubjectFault(fault, str(error)) from error
        if scores.shape != (len(indices), contract.columns_out):
            told = f"{list(scores.shape)}, expected {[len(indices), contract.columns_out]}"
            raise SubjectFault(Fault.WRONG_OUTPUT, told)
