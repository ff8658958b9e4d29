"""Targets of a vendor's that misbehave, each in one way; made in a process of their own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator


class Good:
    """The reference evaluator."""

    def __init__(self, options):
        self.options = options

    def describe(self):
        return {"chip": "pretended", "sdk": "reference"}

    def load(self, model: Path):
        print("what an SDK prints goes nowhere near the answers")
        return Network(self, ReferenceEvaluator(str(model)))

    def answer(self, evaluator, inputs):
        return evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True)))


class Network:
    def __init__(self, chip, evaluator):
        self.chip, self.evaluator = chip, evaluator

    def infer(self, inputs):
        return self.chip.answer(self.evaluator, inputs)

    def close(self):
        pass


class Able(Good):
    def compile(self, model: Path, folder: Path):
        compiled = folder / "compiled.bin"
        compiled.write_bytes(model.read_bytes())
        return compiled

    def scale(self, boards):
        if boards > 1:
            raise ValueError(f"{boards} boards; there is 1")

    def telemetry(self):
        return {"card_power_mw": 12_000}


class Hanging(Good):
    def answer(self, evaluator, inputs):
        time.sleep(600)


class HangingDescribe(Good):
    def describe(self):
        time.sleep(600)


class Crashing(Good):
    def answer(self, evaluator, inputs):
        os.kill(os.getpid(), signal.SIGSEGV)


class Twice(Good):
    """Writes its answer a second time, past the adapter."""

    def answer(self, evaluator, inputs):
        from bitgoeul.targets.wire import frame

        answers = super().answer(evaluator, inputs)
        pipe = next(fd for fd in range(3, 64) if _is_pipe(fd))
        os.write(pipe, frame({"id": 2}, answers))
        return answers


class WrongShape(Good):
    def answer(self, evaluator, inputs):
        return [np.zeros((1, 1), dtype=np.float32)]


class WrongType(Good):
    def answer(self, evaluator, inputs):
        return [each.astype(np.float64) for each in super().answer(evaluator, inputs)]


class NotANumber(Good):
    def answer(self, evaluator, inputs):
        return [each * np.float32("nan") for each in super().answer(evaluator, inputs)]


class OffByMuch(Good):
    def answer(self, evaluator, inputs):
        return [each + np.float32(1) for each in super().answer(evaluator, inputs)]


class Random(Good):
    def answer(self, evaluator, inputs):
        noise = np.float32(np.random.default_rng().uniform(0, 1e-4))
        return [each + noise for each in super().answer(evaluator, inputs)]


class OneModel(Good):
    """Keeps the last loaded model in the class."""

    def load(self, model: Path):
        self.last = ReferenceEvaluator(str(model))
        return Network(self, None)

    def answer(self, evaluator, inputs):
        return super().answer(self.last, inputs)


class TakesAnything(Good):
    def load(self, model: Path):
        try:
            return super().load(model)
        except Exception:  # noqa: BLE001 - this is what is wrong with it
            return Network(self, None)


class RaisingDescribe(Good):
    def describe(self):
        raise OSError("no device /dev/npu0")


class Inventing(Good):
    def describe(self):
        return {"chip": "pretended", "speed": "very fast"}


class Silent(Good):
    def describe(self):
        return {}


class NoLoad:
    def __init__(self, options):
        pass

    def describe(self):
        return {"chip": "pretended"}


class NoInfer(Good):
    def load(self, model: Path):
        return object()


class NotMade:
    def __init__(self, options):
        raise RuntimeError("the driver is not loaded")


class CrashesOnSoftmax(Good):
    """Ends its process for one operator, hangs for another, refuses a third."""

    def load(self, model: Path):
        kinds = {node.op_type for node in onnx.load(model).graph.node}
        if "Softmax" in kinds:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "Tanh" in kinds:
            time.sleep(600)
        if "Abs" in kinds:
            raise NotImplementedError("Abs")
        return super().load(model)

    def answer(self, evaluator, inputs):
        answers = super().answer(evaluator, inputs)
        return [answers[0] + 1] if "Relu" in str(evaluator.proto_.graph.node) else answers


def _is_pipe(fd):
    import stat

    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False
