"""A runner for any target: what the referee times, where the target has no timed path of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.trials.ports import Contract, Fault, Loaded, Runner, SubjectFault, Target, Timed

Scores = np.ndarray[Any, Any]


def open_runner(target: Target, path: Path, samples: Scores, contract: Contract) -> Runner:
    """The subject at ``path``, ready to answer samples; raises SubjectFault."""
    if isinstance(target, Timed):
        return target.open(path, samples, contract)
    runner = LoadedRunner(target.load(path), samples, contract)
    runner.probe()
    return runner


def hop_ns(target: Target) -> int:
    """The median cost of reaching a subject on this target, in ns; 0 inside the measuring child."""
    return target.hop_ns() if isinstance(target, Timed) else 0


class LoadedRunner:
    """Asks a loaded model and looks at every answer's shape, type and time."""

    def __init__(
        self, model: Loaded, samples: Scores, contract: Contract, after: Callable[[], None] | None = None
    ) -> None:
        self._infer, self._close, self._after = model.infer, model.close, after
        self._samples, self._contract = samples, contract
        self._late = contract.answer_limit_ms * 1_000_000

    def one(self, index: int) -> Scores:
        """Scores ``[1, columns_out]`` of one sample."""
        return self._ask(self._samples[index : index + 1])

    def batch(self, indices: Sequence[int]) -> Scores:
        """Scores ``[len(indices), columns_out]``."""
        return self._ask(self._samples[indices])

    def probe(self) -> None:
        """One sample, and two at once; raises SubjectFault when either is answered wrongly."""
        self.batch([0])
        self.batch([0, 1])

    def close(self) -> None:
        """Let the model go, and what stands behind it."""
        self._close()
        if self._after is not None:
            self._after()

    def _ask(self, rows: Scores) -> Scores:
        started = time.perf_counter_ns()
        answers = self._infer([rows])
        took = time.perf_counter_ns() - started
        wanted = (len(rows), self._contract.columns_out)
        scores = answers[0] if answers else None
        if not isinstance(scores, np.ndarray) or scores.shape != wanted or scores.dtype != np.float32:
            raise SubjectFault(Fault.WRONG_OUTPUT, f"{_told(scores)}, expected float32 {list(wanted)}")
        if took > self._late:
            limit = self._contract.answer_limit_ms
            raise SubjectFault(Fault.LATE, f"an answer took {took // 1_000_000} ms, the limit is {limit} ms")
        return scores


def _told(scores: object) -> str:
    return f"{scores.dtype} {list(scores.shape)}" if isinstance(scores, np.ndarray) else type(scores).__name__
