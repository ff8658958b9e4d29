"""Process target: a subject's own program, one process further, over its standard input and output.

Wire format, little endian. When ready the program writes ``BGP1``. A request is ``id u64, rows u32, columns u32``
and rows × columns float32; the answer repeats the id with its own rows and columns and the scores. The program
ends when its input closes. What it writes to standard error is kept out of the way.

The program runs in the measuring child's process group, so that the referee's kill reaches it too.
"""

from __future__ import annotations

import statistics
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.targets.child import Child
from bitgoeul.targets.options import only, processor
from bitgoeul.trials.ports import Contract, Fault, Loaded, SubjectFault

GREETING = b"BGP1"
HEAD = struct.Struct("<QII")
ANSWER_BYTES_MAX = 4 * 1024 * 1024
HOP_ROUNDS = 300

Scores = np.ndarray[Any, Any]


class Pipe:
    """The target ``pipe``. The subject is a Python program that answers float32 rows; it loads no models."""

    packages: tuple[str, ...] = ()

    def __init__(self, options: Mapping[str, str]) -> None:
        only(options, ())

    def describe(self) -> Mapping[str, str]:
        """The processor: what else the program uses it does not say."""
        return processor()

    def load(self, model: Path) -> Loaded:
        """Raises SubjectFault: the subject itself is the program."""
        raise SubjectFault(Fault.NOT_READY, "the target pipe runs a subject's own program; it loads no models")

    def open(self, path: Path, samples: Scores, contract: Contract) -> PipeRunner:
        """Start the program and wait for its greeting; raises SubjectFault (CRASHED, NOT_READY)."""
        return PipeRunner([sys.executable, "-u", str(path)], samples, contract)

    def hop_ns(self) -> int:
        """The median round trip of one sample to a program of ours that answers at once."""
        contract = Contract(columns_in=64, columns_out=10, answer_limit_ms=2000, silence_limit_ms=5000)
        null = [sys.executable, "-u", "-m", "bitgoeul.targets.pipe_null"]
        runner = PipeRunner(null, np.zeros((1, 64), dtype=np.float32), contract)
        times = []
        for _ in range(HOP_ROUNDS):
            started = time.perf_counter_ns()
            runner.one(0)
            times.append(time.perf_counter_ns() - started)
        runner.close()
        return int(statistics.median(times))


class PipeRunner:
    """A started program and the questions it still owes."""

    def __init__(self, argv: Sequence[str], samples: Scores, contract: Contract) -> None:
        self._samples = samples
        self._contract = contract
        self._child = Child(argv, name="the program", silence_ms=contract.silence_limit_ms)
        self._greet()

    def one(self, index: int) -> Scores:
        """Ask for one sample and wait for its answer."""
        return self._ask(self._samples[index : index + 1])

    def batch(self, indices: Sequence[int]) -> Scores:
        """Ask for several samples in one request."""
        return self._ask(self._samples[indices])

    def close(self) -> None:
        """Wait a moment for answers nobody asked for, then end the program."""
        self._child.close()

    def _greet(self) -> None:
        try:
            if self._child.read(len(GREETING), self._child.deadline()) != GREETING:
                raise SubjectFault(Fault.NOT_READY, "the program did not greet with BGP1")
        except SubjectFault as fault:
            self._child.end()
            if fault.fault is Fault.NO_ANSWER:
                raise SubjectFault(Fault.NOT_READY, "the program did not greet in time") from fault
            raise

    def _ask(self, rows: Scores) -> Scores:
        child = self._child
        child.asked += 1
        started = time.monotonic()
        deadline = child.deadline()
        child.write(HEAD.pack(child.asked, *rows.shape) + rows.tobytes(), deadline)
        number, count, columns = HEAD.unpack(child.read(HEAD.size, deadline))
        if 0 < number < child.asked:
            raise SubjectFault(Fault.ANSWERED_TWICE, f"question {number} was answered again")
        if number != child.asked:
            raise SubjectFault(Fault.MALFORMED, f"an answer to question {number}, which was never asked")
        if (count, columns) != (len(rows), self._contract.columns_out):
            told = f"[{count}, {columns}], expected [{len(rows)}, {self._contract.columns_out}]"
            raise SubjectFault(Fault.WRONG_OUTPUT, told)
        if 4 * count * columns > ANSWER_BYTES_MAX:
            raise SubjectFault(Fault.MALFORMED, f"an answer of {4 * count * columns} bytes")
        body = child.read(4 * count * columns, deadline)
        took_ms = int((time.monotonic() - started) * 1000)
        if took_ms > self._contract.answer_limit_ms:
            raise SubjectFault(
                Fault.LATE, f"an answer took {took_ms} ms, the limit is {self._contract.answer_limit_ms} ms"
            )
        return np.frombuffer(body, dtype="<f4").reshape(count, columns)
