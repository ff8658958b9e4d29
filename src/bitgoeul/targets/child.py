"""A subject's own process: bytes to and from it, each within a deadline, every way to fail named.

It runs in the measuring child's process group, so that the referee's kill reaches it too.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bitgoeul.trials.ports import Fault, SubjectFault

READ_AT_ONCE = 2**20


class Child:
    """A started program; ``name`` is what its faults call it, ``silence_ms`` how long an answer is waited for.

    ``asked`` counts the questions, for the words of a fault.
    """

    def __init__(
        self, argv: Sequence[str], *, name: str, silence_ms: int, complaints: Path = Path(os.devnull)
    ) -> None:
        self.name, self.silence_ms, self.asked = name, silence_ms, 0
        with complaints.open("ab") as errors:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise SubjectFault(Fault.NOT_READY, f"{name} has no pipes")
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)

    def deadline(self) -> float:
        """When an answer that is asked for now must be there, by the monotonic clock."""
        return time.monotonic() + self.silence_ms / 1000

    def write(self, data: bytes, deadline: float) -> None:
        """All of ``data``; raises SubjectFault (NO_ANSWER, CRASHED)."""
        view = memoryview(data)
        while view:
            _, writable, _ = select.select([], [self._in], [], max(0.0, deadline - time.monotonic()))
            if not writable:
                raise SubjectFault(Fault.NO_ANSWER, f"{self.name} does not read its questions")
            try:
                view = view[os.write(self._in, view) :]
            except BrokenPipeError as error:
                raise self._ended() from error

    def read(self, size: int, deadline: float) -> bytes:
        """Exactly ``size`` bytes; raises SubjectFault (NO_ANSWER, CRASHED)."""
        parts = bytearray()
        while len(parts) < size:
            readable, _, _ = select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                told = f"question {self.asked}: no answer within {self.silence_ms} ms"
                raise SubjectFault(Fault.NO_ANSWER, told)
            part = os.read(self._out, min(size - len(parts), READ_AT_ONCE))
            if not part:
                raise self._ended()
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """Wait a moment for answers nobody asked for, then end it; raises SubjectFault (ANSWERED_TWICE)."""
        readable, _, _ = select.select([self._out], [], [], 0.05)
        extra = os.read(self._out, 1) if readable else b""
        self.end()
        if extra:
            raise SubjectFault(Fault.ANSWERED_TWICE, "more answers than questions")

    def end(self) -> None:
        """End it, whatever it is doing."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def _ended(self) -> SubjectFault:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.returncode
        how = "closed its output" if code is None else f"ended by signal {-code}" if code < 0 else f"exit {code}"
        return SubjectFault(Fault.CRASHED, f"{self.name} {how} before answering question {self.asked}")
