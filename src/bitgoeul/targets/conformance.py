"""The conformance kit: is a target fit for trials? Ships in the product; every check runs in a child with a limit.

``findings(code, options)``: for each check passed, failed or missing, with what came of it and what to do.
A target that hangs, ends its process, answers otherwise than asked or differently each time is a finding by name;
nothing of it reaches the caller's process. ``python -m bitgoeul.targets.conformance ORDER`` is the child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.targets import registry
from bitgoeul.targets.serve import MODEL_METHODS, TARGET_METHODS, lacking
from bitgoeul.trials.ports import (
    Compiler,
    Fault,
    Loaded,
    Scaler,
    SubjectFault,
    Target,
    Telemetry,
    described,
    one_line,
)

SECONDS = 60
ROWS, COLUMNS_IN, COLUMNS_OUT = 8, 6, 4
TOLERANCE = 0.02  # of the largest answer: a chip may compute in 16 bits
REPEATS = 5
COMPLAINT_BYTES = 2_000


class Status(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One check: a stable code, whether a trial needs it, what came of it, and what to do then."""

    check: str
    required: bool
    status: Status
    detail: str
    remedy: str

    def to_json(self) -> dict[str, Any]:
        """As a row of ``bitgoeul target check --json``."""
        return {
            "check": self.check, "required": self.required, "status": str(self.status), "detail": self.detail,
            "remedy": self.remedy,
        }  # fmt: skip


class Short(Exception):
    """The target does not do what a check asks: ``status`` and one line."""

    def __init__(self, detail: str, status: Status = Status.FAILED) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True)
class Check:
    """What is tried, what to do when it does not hold, and whether a trial needs it."""

    code: str
    trial: Callable[[Target, Path], str]
    remedy: str
    required: bool = True


def findings(code: str, options: Mapping[str, str], seconds: int = SECONDS) -> list[Finding]:
    """Every check in turn, each at most ``seconds`` long; when the target cannot be made, only that is said."""
    found = []
    for check in CHECKS:
        found.append(_in_a_child(code, options, check, seconds))
        if check.code == "starts" and found[-1].status is not Status.PASSED:
            break
    return found


def fit(found: Sequence[Finding]) -> bool:
    """Whether everything that a trial needs has passed."""
    return all(finding.status is Status.PASSED for finding in found if finding.required)


def _in_a_child(code: str, options: Mapping[str, str], check: Check, seconds: int) -> Finding:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        order = {"code": code, "options": dict(options), "check": check.code, "folder": name}
        (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        argv = [sys.executable, "-m", "bitgoeul.targets.conformance", str(folder / "order.json")]
        with (folder / "complaints").open("wb") as complaints:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints, start_new_session=True
            )
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            return Finding(check.code, check.required, Status.FAILED, f"hangs: not done within {seconds} s", HANGS)
        finally:
            _end(child)
        if (folder / "finding.json").exists():
            told = json.loads((folder / "finding.json").read_text(encoding="utf-8"))
            passed = told["status"] == Status.PASSED
            return Finding(
                check.code, check.required, Status(told["status"]), told["detail"], "" if passed else check.remedy
            )
        detail = f"crashes: {_how(status)}; {_last_words(folder / 'complaints')}"
        return Finding(check.code, check.required, Status.FAILED, one_line(detail), CRASHES)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The child's whole session: a process of the target's own is in it."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _how(status: int) -> str:
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _last_words(path: Path) -> str:
    return path.read_bytes()[-COMPLAINT_BYTES:].decode("utf-8", "replace").strip().rpartition("\n")[2]


HANGS = "Give every call a limit of your own and raise when it is over; a trial ends such a target by force."
CRASHES = "Run the class by hand under the same Python and look at its output; catch what your SDK throws."


def main(arguments: Sequence[str]) -> int:
    """Do one check; 0 when ``finding.json`` says what came of it."""
    order = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    folder = Path(order["folder"])
    check = next(each for each in CHECKS if each.code == order["check"])
    try:
        target = registry.make(order["code"], order["options"], complaints=folder / "complaints")
        status, detail = Status.PASSED, check.trial(target, folder)
        _finish(target)
    except Short as short:
        status, detail = short.status, str(short)
    except SubjectFault as fault:
        status, detail = Status.FAILED, f"{NAMES.get(fault.fault, str(fault.fault))}: {fault.detail}"
    except Exception as error:  # noqa: BLE001 - a target inside this process may raise anything
        status, detail = Status.FAILED, f"raises {type(error).__name__}: {error}"
    told = {"status": str(status), "detail": one_line(detail)}
    partial = folder / "finding.partial"
    partial.write_text(json.dumps(told), encoding="utf-8")
    partial.replace(folder / "finding.json")
    return 0


NAMES = {
    Fault.NO_ANSWER: "hangs",
    Fault.CRASHED: "crashes",
    Fault.ANSWERED_TWICE: "answers twice",
    Fault.MALFORMED: "answers what cannot be read",
    Fault.REFUSED: "raises",
    Fault.NOT_A_MODEL: "refuses the model",
    Fault.NOT_READY: "does not start",
}


def _finish(target: Target) -> None:
    """End a process of the target's own: an answer that nobody asked for shows there."""
    end = getattr(target, "end", None)
    if end is not None:
        end()


def _starts(target: Target, folder: Path) -> str:
    missing = lacking(target, TARGET_METHODS)
    if missing:
        raise Short(f"the class has no {', '.join(missing)}", Status.MISSING)
    return "the class is made"


def _describes(target: Target, folder: Path) -> str:
    told = described(target.describe())
    if "chip" not in told and "sdk" not in told:
        raise Short("describe() tells neither chip nor sdk", Status.MISSING)
    if described(target.describe()) != told:
        raise Short("describe() tells something else the second time")
    return ", ".join(f"{name}: {text}" for name, text in told.items())


def _loads(target: Target, folder: Path) -> str:
    model = _loaded(target, folder)
    missing = lacking(model, MODEL_METHODS)
    if missing:
        raise Short(f"what load() gives has no {', '.join(missing)}", Status.MISSING)
    model.close()
    return "the kit's network is loaded"


def _answers(target: Target, folder: Path) -> str:
    model = _loaded(target, folder)
    given = _rows(1)
    _compare(_answer(model, given), _wanted(given))
    return f"float32 {[1, COLUMNS_OUT]}, right within {TOLERANCE:.0%}"


def _batches(target: Target, folder: Path) -> str:
    model = _loaded(target, folder)
    given = _rows(ROWS)
    _compare(_answer(model, given), _wanted(given))
    _compare(_answer(model, given[:3]), _wanted(given[:3]))
    return f"batches of {ROWS} and 3 are right"


def _repeats(target: Target, folder: Path) -> str:
    model = _loaded(target, folder)
    given = _rows(ROWS)
    first = _answer(model, given).tobytes()
    for number in range(2, REPEATS + 1):
        if _answer(model, given).tobytes() != first:
            raise Short(f"nondeterministic: answer {number} to the same question is another one")
    return f"{REPEATS} answers to the same question are equal, bit by bit"


def _keeps_apart(target: Target, folder: Path) -> str:
    one, other = _loaded(target, folder), target.load(_network(folder / "other.onnx", scale=-2.0))
    given = _rows(2)
    _compare(_answer(one, given), _wanted(given))
    _compare(_answer(other, given), _wanted(given, scale=-2.0))
    _compare(_answer(one, given), _wanted(given))
    one.close()
    _compare(_answer(other, given), _wanted(given, scale=-2.0))
    return "two loaded models answer for themselves"


def _refuses(target: Target, folder: Path) -> str:
    bad = folder / "bad.onnx"
    bad.write_bytes(b"no model at all")
    try:
        target.load(bad)
    except Exception as error:
        if isinstance(error, SubjectFault) and error.fault is not Fault.NOT_A_MODEL:
            raise
    else:
        raise Short("load() takes a file that is no model")
    given = _rows(1)
    _compare(_answer(_loaded(target, folder), given), _wanted(given))
    return "a file that is no model is refused, and the next model is loaded"


def _closes(target: Target, folder: Path) -> str:
    for _ in range(REPEATS):
        model = _loaded(target, folder)
        _answer(model, _rows(1))
        model.close()
    return f"{REPEATS} models were loaded and let go"


def _compiles(target: Target, folder: Path) -> str:
    if not isinstance(target, Compiler):
        raise Short("no compile(): load() compiles", Status.MISSING)
    compiled = target.compile(_network(folder / "source.onnx"), folder)
    given = _rows(1)
    _compare(_answer(target.load(compiled), given), _wanted(given))
    return f"compile() made {compiled.name}, which load() takes"


def _scales(target: Target, folder: Path) -> str:
    if not isinstance(target, Scaler):
        raise Short("no scale(): one board is used", Status.MISSING)
    target.scale(1)
    return "scale(1) is taken"


def _reads(target: Target, folder: Path) -> str:
    if not isinstance(target, Telemetry):
        raise Short("no telemetry(): the target has no readings of its own", Status.MISSING)
    told = target.telemetry()
    bad = [name for name, value in told.items() if not isinstance(value, int) or "_" not in name]
    if bad:
        raise Short(f"telemetry(): “{bad[0]}” is no whole number with its unit in the name")
    return ", ".join(f"{name} {value}" for name, value in sorted(told.items())) or "no reading at this moment"


CHECKS: tuple[Check, ...] = (
    Check("starts", _starts, "The entry point must name a class that is made with one argument, the options."),
    Check("describes", _describes,
          "describe() gives a mapping of chip, driver, sdk, firmware, clocks to one line each; leave out what is "
          "unknown, but tell chip or sdk."),
    Check("loads", _loads, "load(path) takes an ONNX file and gives an object with infer() and close()."),
    Check("answers", _answers,
          "infer([rows]) gives a list with one float32 array for each output of the graph, in its order."),
    Check("batches", _batches, "The first side of the kit's network is a batch of any size; answer every row."),
    Check("repeats", _repeats, "Fix the seed and whatever chooses between kernels by itself."),
    Check("keeps_apart", _keeps_apart, "Keep a loaded model's state in what load() gives, not in the class."),
    Check("refuses", _refuses, "Raise for a file that cannot be loaded, and stay able to load the next one."),
    Check("closes", _closes, "close() lets the model's memory go; a process answers nothing that was not asked."),
    Check("compiles", _compiles, "Optional: compile(model, folder) gives the file that load() then takes.", False),
    Check("scales", _scales, "Optional: scale(boards) says how many boards are used from then on.", False),
    Check("reads", _reads, "Optional: telemetry() gives whole numbers, each name ending in its unit.", False),
)  # fmt: skip


def _loaded(target: Target, folder: Path) -> Loaded:
    return target.load(_network(folder / "network.onnx"))


def _weights() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(20260101)
    weight = random.uniform(-1, 1, (COLUMNS_IN, COLUMNS_OUT)).astype(np.float32)
    return weight, random.uniform(-1, 1, COLUMNS_OUT).astype(np.float32)


def _network(path: Path, scale: float = 1.0) -> Path:
    """MatMul, Add, Relu at opset 13: what every chip has."""
    from onnx import TensorProto, helper, numpy_helper, save

    weight, bias = _weights()
    nodes = [
        helper.make_node("MatMul", ["rows", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["scores"]),
    ]
    kept = [("weight", weight * np.float32(scale)), ("bias", bias)]
    graph = helper.make_graph(
        nodes, "kit",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", COLUMNS_IN])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", COLUMNS_OUT])],
        [numpy_helper.from_array(value, name) for name, value in kept],
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def _rows(count: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(count).uniform(-1, 1, (count, COLUMNS_IN)).astype(np.float32)


def _wanted(rows: np.ndarray[Any, Any], scale: float = 1.0) -> np.ndarray[Any, Any]:
    weight, bias = _weights()
    return np.array(np.maximum(rows @ (weight * np.float32(scale)) + bias, 0))


def _answer(model: Loaded, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    answers = model.infer([rows])
    if not isinstance(answers, (list, tuple)) or len(answers) != 1:
        raise Short(f"wrong answer: {_kind(answers)}, a list of one array was expected")
    scores = answers[0]
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        raise Short(f"wrong answer: {_kind(scores)}, float32 was expected")
    if scores.shape != (len(rows), COLUMNS_OUT):
        raise Short(f"wrong shape: {list(scores.shape)}, {[len(rows), COLUMNS_OUT]} was expected")
    if not np.isfinite(scores).all():
        raise Short("not finite: an answer has NaN or infinity")
    return np.array(scores)


def _kind(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, (list, tuple)) else type(value).__name__


def _compare(answer: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    off = float(np.abs(answer - wanted).max())
    limit = TOLERANCE * float(np.abs(wanted).max())
    if off > limit:
        raise Short(f"wrong answer: off by {off:.3g}, {limit:.3g} is allowed")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
