"""The adapter in a target's own process: ``python -m bitgoeul.targets.serve MODULE:CLASS OPTIONS_JSON``.

It makes the vendor's class and hands it the questions that come over standard input. What the vendor's code prints
goes to standard error. It ends when its input closes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bitgoeul.targets.wire import frame, read_frame
from bitgoeul.trials.ports import Compiler, Loaded, Scaler, Telemetry, Value, one_line

GREETING = b"BGP2"
ABILITIES: Mapping[str, type] = {"compile": Compiler, "scale": Scaler, "telemetry": Telemetry}
TARGET_METHODS, MODEL_METHODS = ("describe", "load"), ("infer", "close")
Answer = tuple[Mapping[str, Any], list[Value] | None]


class Served:
    """The vendor's target and the models it has loaded, by number."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._models: dict[int, Loaded] = {}

    def hello(self) -> Mapping[str, Any]:
        """The first frame: which abilities are there."""
        abilities = [name for name, kind in ABILITIES.items() if isinstance(self._target, kind)]
        return {"id": 0, "abilities": abilities, "missing": lacking(self._target, TARGET_METHODS)}

    def answer(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        """What one question comes to."""
        found: Callable[[Mapping[str, Any], list[Value]], Answer] = getattr(self, f"_{head['do']}")
        return found(head, values)

    def _describe(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        return {"told": self._target.describe()}, None

    def _load(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        model = self._models[head["id"]] = self._target.load(Path(head["model"]))
        return {"model": head["id"], "missing": lacking(model, MODEL_METHODS)}, None

    def _infer(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        return {}, list(self._models[head["model"]].infer(values))

    def _close(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        self._models.pop(head["model"]).close()
        return {}, None

    def _compile(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        return {"told": str(self._target.compile(Path(head["model"]), Path(head["folder"])))}, None

    def _scale(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        self._target.scale(head["boards"])
        return {}, None

    def _telemetry(self, head: Mapping[str, Any], values: list[Value]) -> Answer:
        return {"told": {name: int(value) for name, value in self._target.telemetry().items()}}, None


def lacking(thing: object, methods: Sequence[str]) -> list[str]:
    """Which of these methods it does not have; what stands for a thing elsewhere says so itself."""
    told: list[str] = getattr(thing, "missing", [])
    return told or [name for name in methods if not callable(getattr(thing, name, None))]


def main(arguments: list[str]) -> int:
    """Serve until the input closes; 1 when the class cannot be made (the reason is the only frame)."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sink.write(GREETING)
    module, _, name = arguments[0].partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
        served = Served(factory(json.loads(arguments[1])))
        sink.write(frame(served.hello()))
    except Exception as error:  # noqa: BLE001 - whatever a vendor's code raises is told, not shown
        sink.write(frame({"id": 0, "refused": _words(error)}))
        return 1
    finally:
        sink.flush()
    try:
        while True:
            head, values = read_frame(lambda size: _exactly(source, size))
            sink.write(_answer(served, head, values))
            sink.flush()
    except EOFError:
        return 0


def _answer(served: Served, head: Mapping[str, Any], values: list[Value]) -> bytes:
    try:
        told, answers = served.answer(head, values)
        return frame({"id": head["id"], **told}, answers)
    except Exception as error:  # noqa: BLE001 - as above; what cannot be written is the target's refusal, too
        return frame({"id": head["id"], "refused": _words(error)})


def _words(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")


def _exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
