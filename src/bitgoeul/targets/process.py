"""Target ``python``: a vendor's class in a process of its own, spoken to over a pipe.

Options: ``class`` (``module:Class``); the others are the class's own. A plug-in that is not the centre's own comes
here, too. The process runs in the measuring child's process group, so that the referee's kill reaches it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.targets.child import Child
from bitgoeul.targets.serve import GREETING
from bitgoeul.targets.wire import frame, read_frame
from bitgoeul.trials.ports import Contract, Fault, Runner, SubjectFault, Value

START_MS = 60_000
SILENCE_MS = 120_000
HOP_ROUNDS = 300
NULL = "bitgoeul.targets.null:Null"


class ProcessTarget:
    """A class of somebody's, made in a process of its own; has the abilities that the class has.

    ``silence_ms`` ends the wait for one answer: NO_ANSWER. The process starts with the first question.
    """

    packages: tuple[str, ...] = ()

    def __init__(
        self,
        entry: str,
        options: Mapping[str, str],
        *,
        silence_ms: int = SILENCE_MS,
        complaints: Path | None = None,
    ) -> None:
        argv = [sys.executable, "-u", "-m", "bitgoeul.targets.serve", entry, json.dumps(dict(options))]
        self._child = Child(
            argv, name="the target's process", silence_ms=silence_ms, complaints=complaints or Path(os.devnull)
        )
        try:
            self._greet(time.monotonic() + min(START_MS, silence_ms) / 1000)
        except SubjectFault:
            self._child.end()
            raise

    def describe(self) -> Mapping[str, str]:
        """What the class says of itself."""
        told: Mapping[str, str] = self.ask({"do": "describe"})[0]["told"]
        return told

    def load(self, model: Path) -> RemoteModel:
        """Raises SubjectFault (NOT_A_MODEL) with the class's own words when it refuses."""
        head, _ = self.ask({"do": "load", "model": str(model)}, refusal=Fault.NOT_A_MODEL)
        return RemoteModel(self, head["model"], head["missing"])

    def open(self, path: Path, samples: np.ndarray[Any, Any], contract: Contract) -> Runner:
        """The subject for samples that are timed one by one."""
        from bitgoeul.targets.bench import LoadedRunner

        self._child.silence_ms = contract.silence_limit_ms
        runner = LoadedRunner(self.load(path), samples, contract, after=self.end)
        runner.probe()
        return runner

    def hop_ns(self) -> int:
        """The median round trip of one sample to a class of ours that answers at once."""
        target = ProcessTarget(NULL, {})
        model, row = target.load(Path("null")), [np.zeros((1, 64), dtype=np.float32)]
        times = []
        for _ in range(HOP_ROUNDS):
            started = time.perf_counter_ns()
            model.infer(row)
            times.append(time.perf_counter_ns() - started)
        target.end()
        return int(statistics.median(times))

    def end(self) -> None:
        """End the process; raises SubjectFault (ANSWERED_TWICE) for answers that nobody asked for."""
        self._child.close()

    def ask(
        self, head: Mapping[str, Any], values: Sequence[Value] | None = None, *, refusal: Fault = Fault.REFUSED
    ) -> tuple[dict[str, Any], list[Value]]:
        """One question and its answer; raises SubjectFault by name whatever else happens."""
        child = self._child
        child.asked += 1
        deadline = child.deadline()
        child.write(frame({"id": child.asked, **head}, values), deadline)
        told, answers = read_frame(lambda size: child.read(size, deadline))
        number = told.get("id")
        if isinstance(number, int) and 0 < number < child.asked:
            raise SubjectFault(Fault.ANSWERED_TWICE, f"question {number} was answered again")
        if number != child.asked:
            raise SubjectFault(Fault.MALFORMED, f"an answer to question {number}, which was never asked")
        if "refused" in told:
            raise SubjectFault(refusal, str(told["refused"]))
        return told, answers

    def _greet(self, deadline: float) -> None:
        try:
            greeting = self._child.read(len(GREETING), deadline)
            hello, _ = read_frame(lambda size: self._child.read(size, deadline))
        except SubjectFault as fault:
            raise SubjectFault(
                Fault.NOT_READY, f"the target's process did not become ready: {fault.detail}"
            ) from fault
        if greeting != GREETING:
            raise SubjectFault(Fault.NOT_READY, "the target's process did not greet with BGP2")
        if "refused" in hello:
            raise SubjectFault(Fault.NOT_READY, str(hello["refused"]))
        # Abilities are found by isinstance, so they are here only where the class has them.
        self.missing: list[str] = hello["missing"]
        for name in hello["abilities"]:
            setattr(self, name, getattr(self, f"_{name}"))

    def _compile(self, model: Path, folder: Path) -> Path:
        return Path(self.ask({"do": "compile", "model": str(model), "folder": str(folder)})[0]["told"])

    def _scale(self, boards: int) -> None:
        self.ask({"do": "scale", "boards": boards})

    def _telemetry(self) -> Mapping[str, int]:
        told: Mapping[str, int] = self.ask({"do": "telemetry"})[0]["told"]
        return told


class RemoteModel:
    """A model loaded in the target's own process."""

    def __init__(self, target: ProcessTarget, number: int, missing: list[str]) -> None:
        self._target, self._number, self.missing = target, number, missing

    def infer(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """One question over the pipe."""
        return self._target.ask({"do": "infer", "model": self._number}, inputs)[1]

    def close(self) -> None:
        """Let the model go; the process stays."""
        self._target.ask({"do": "close", "model": self._number})


def python(options: Mapping[str, str]) -> ProcessTarget:
    """The target ``python``: the class that the option ``class`` names, with the other options."""
    rest = dict(options)
    entry = rest.pop("class", "")
    if not all(entry.partition(":")):
        raise SubjectFault(Fault.NOT_READY, "the target python needs the option class=module:Class")
    return ProcessTarget(entry, rest)
