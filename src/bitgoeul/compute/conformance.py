"""Tests that every engine must pass: subclass, give an engine, run with pytest.

    class TestMyEngine(EngineConformance):
        def make_engine(self):
            return MyEngine(self.home, ...)

Only the port is used. ``python`` must be found on the job's PATH. The engine needs two free cores or more for the
tests of jobs side by side; with one they are about jobs one after another and still hold.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitgoeul.kernel.errors import Conflict, DomainError, NotFound
from bitgoeul.kernel.ids import new_id

from .ports import (
    BatchSubmitter,
    Ending,
    Engine,
    EngineRefused,
    Forgetter,
    Handle,
    JobSpec,
    Limits,
    LogReader,
    NodeReporter,
    NodeState,
    Observation,
    OutputReader,
    Phase,
)

HELLO = "import sys; print('hello'); print('oops', file=sys.stderr)"


class EngineConformance:
    """What ``bitgoeul.compute.ports.Engine`` promises, one test a promise."""

    wait_seconds = 30.0
    home: Path
    engine: Engine

    def make_engine(self) -> Engine:
        """Build an engine over ``self.home``; called again within a test to play a restart."""
        raise AssertionError("give make_engine()")

    def setup_method(self) -> None:
        """A fresh home and a fresh engine for each test."""
        self._directory = tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True)
        self.home = Path(self._directory.name)
        self.engine = self.make_engine()
        self.handles: list[Handle] = []

    def teardown_method(self) -> None:
        """End what a test left running."""
        self.engine.cancel(self.handles)
        self.wait_all(self.handles)
        self._directory.cleanup()

    # --- helpers

    def spec(self, code: str = "pass", **changes: Any) -> JobSpec:
        """A small job that runs Python ``code``."""
        values: dict[str, Any] = {
            "job_id": new_id(),
            "name": "conformance",
            "argv": ("python", "-c", code),
            "env": {},
            "inputs": {},
            "outputs": (),
            "limits": self.limits(),
            "devices": {},
        }
        return JobSpec(**{**values, **changes})

    def limits(self, **changes: int) -> Limits:
        """Small limits."""
        values = {"cores": 1, "memory_mib": 512, "wall_seconds": 20, "processes": 16, "file_mib": 16}
        return Limits(**{**values, **changes})

    def submit(self, spec: JobSpec) -> Handle:
        """Submit and remember, so that the test cleans up after itself."""
        handle = self.engine.submit(spec)
        self.handles.append(handle)
        return handle

    def look(self, handle: Handle) -> Observation:
        """Poll one job that must be known."""
        (observation,) = self.engine.poll([handle])
        return observation

    def wait(self, handle: Handle, phase: Phase = Phase.ENDED) -> Observation:
        """Poll until the job is in ``phase`` (or beyond it)."""
        limit = time.monotonic() + self.wait_seconds
        seen = self.look(handle)
        while seen.phase not in (phase, Phase.ENDED):
            assert time.monotonic() < limit, f"the job is still {seen.phase}, not {phase}"
            time.sleep(0.02)
            seen = self.look(handle)
        return seen

    def wait_all(self, handles: Sequence[Handle]) -> dict[str, Observation]:
        """Poll until all known jobs have ended."""
        limit = time.monotonic() + self.wait_seconds
        while True:
            seen = {str(each.job_id): each for each in self.engine.poll(handles)}
            if all(each.phase == Phase.ENDED for each in seen.values()):
                return seen
            assert time.monotonic() < limit, f"jobs do not end: {seen}"
            time.sleep(0.02)

    def run(self, code: str, **changes: Any) -> tuple[Handle, Observation]:
        """Submit and wait for the end."""
        handle = self.submit(self.spec(code, **changes))
        return handle, self.wait(handle)

    # --- submit

    def test_a_job_runs_to_its_end(self) -> None:
        """Exit status 0 is COMPLETED, with both times and a sentence."""
        _handle, seen = self.run(HELLO)
        assert (seen.phase, seen.ending, seen.exit_code) == (Phase.ENDED, Ending.COMPLETED, 0)
        assert seen.started_at is not None
        assert seen.ended_at is not None
        assert seen.started_at <= seen.ended_at
        assert seen.reason is not None

    def test_the_same_job_twice_is_one_job(self) -> None:
        """A second submit gives the same handle and starts nothing."""
        spec = self.spec("print('ran')")
        first = self.submit(spec)
        assert self.engine.submit(spec) == first
        seen = self.wait(first)
        assert self.engine.submit(spec) == first
        assert self.wait(first) == seen
        if isinstance(self.engine, LogReader):
            assert self.engine.read_log(first, "stdout", 0, 100).data == b"ran\n"

    def test_the_same_id_with_other_content_is_a_conflict(self) -> None:
        """One id names one content."""
        spec = self.spec()
        self.submit(spec)
        assert self.refusal(self.spec("pass", job_id=spec.job_id, env={"A": "1"}), Conflict)

    def test_what_can_never_fit_is_refused_at_once(self) -> None:
        """Too many cores or an unknown device: a refusal with a text, and nothing submitted."""
        total = self.engine.capacity().cores.total
        too_big = self.spec(limits=self.limits(cores=total + 1))
        assert self.refusal(too_big, EngineRefused)
        assert self.refusal(self.spec(devices={"no-such-device": 1}), EngineRefused)
        assert self.engine.poll([Handle(too_big.job_id, str(too_big.job_id), seen_at())]) == []

    def test_many_jobs_at_once_are_as_many_single_ones(self) -> None:
        """BatchSubmitter: an answer for each in order; a refused one keeps no other from running."""
        engine = self.engine
        if not isinstance(engine, BatchSubmitter):
            return
        sweep, code = new_id(), "import os; print(os.environ['N'])"
        specs = [self.spec(code, env={"N": str(n)}, sweep=sweep, index=n) for n in range(4)]
        too_big = self.spec(limits=self.limits(cores=engine.capacity().cores.total + 1), sweep=sweep, index=4)
        alone = self.spec(code, env={"N": "alone"})
        first = engine.submit_many([*specs[:2], too_big, *specs[2:], alone])
        self.handles += [each for each in first if isinstance(each, Handle)]
        assert isinstance(first[2], EngineRefused)
        assert [getattr(each, "job_id", None) for each in first] == [
            *(each.job_id for each in specs[:2]), None, *(each.job_id for each in specs[2:]), alone.job_id
        ]  # fmt: skip
        changed = self.spec("pass", job_id=specs[1].job_id)
        again = engine.submit_many([specs[0], changed])
        assert again[0] == first[0]
        assert isinstance(again[1], Conflict)
        seen = self.wait_all(self.handles)
        assert {each.ending for each in seen.values()} == {Ending.COMPLETED}
        if isinstance(engine, LogReader):
            logs = [engine.read_log(each, "stdout", 0, 100).data for each in self.handles]
            assert logs == [b"0\n", b"1\n", b"2\n", b"3\n", b"alone\n"]

    def refusal(self, spec: JobSpec, kind: type[DomainError]) -> str:
        """The text with which ``submit`` refuses."""
        try:
            self.engine.submit(spec)
        except kind as error:
            return str(error)
        raise AssertionError(f"submit did not raise {kind.__name__}")

    def test_inputs_are_given_and_cannot_be_changed_at_their_source(self) -> None:
        """A job sees its inputs by name; what it does to them does not reach the source."""
        source = self.home / "source.bin"
        source.write_bytes(b"given")
        code = "import os; os.chmod('in.txt', 0o600); open('in.txt', 'a').write('!')"
        _handle, seen = self.run(code, inputs={"in.txt": str(source)})
        assert seen.ending == Ending.COMPLETED
        assert source.read_bytes() == b"given"

    # --- poll

    def test_an_unknown_job_is_left_out(self) -> None:
        """Unknown is not done."""
        stranger = Handle(new_id(), "nobody", seen_at())
        known = self.submit(self.spec())
        assert [each.job_id for each in self.engine.poll([stranger, known])] == [known.job_id]
        assert self.engine.poll([]) == []

    def test_a_new_engine_over_the_same_home_goes_on(self) -> None:
        """The engine needs no memory: its process may be replaced while jobs run."""
        handle = self.submit(self.spec("import time; time.sleep(0.5); print('done')"))
        self.wait(handle, Phase.RUNNING)
        self.engine = self.make_engine()
        assert self.wait(Handle.from_json(handle.to_json())).ending == Ending.COMPLETED

    def test_an_ended_job_stays_ended(self) -> None:
        """The record of an ended job does not change."""
        handle, seen = self.run("pass")
        assert self.look(handle) == seen
        self.engine.cancel([handle])
        assert self.look(handle) == seen

    # --- endings

    def test_a_failing_program_has_failed(self) -> None:
        """An exit status other than 0 is named with its number."""
        _handle, seen = self.run("raise SystemExit(3)")
        assert (seen.ending, seen.exit_code) == (Ending.EXIT_STATUS, 3)
        assert "3" in str(seen.reason)

    def test_a_crash_is_named(self) -> None:
        """A signal that was not ours is a crash."""
        _handle, seen = self.run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        assert seen.ending == Ending.SIGNALLED
        assert "SIGSEGV" in str(seen.reason)

    def test_a_command_that_does_not_exist_is_named(self) -> None:
        """Nothing ran, nothing is charged."""
        handle = self.submit(self.spec(argv=("no-such-command-anywhere",)))
        assert self.wait(handle).ending == Ending.NOT_STARTED
        assert self.engine.usage([handle]) == []

    def test_a_missing_output_is_no_success(self) -> None:
        """Exit status 0 without the promised file is not COMPLETED."""
        _handle, seen = self.run("pass", outputs=("result.json",))
        assert seen.ending == Ending.OUTPUT_MISSING
        assert "result.json" in str(seen.reason)

    def test_the_wall_clock_limit_ends_a_job(self) -> None:
        """Also one that ignores the polite signal; and the overtime is not charged."""
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
        handle, seen = self.run(code, limits=self.limits(wall_seconds=1))
        assert seen.ending == Ending.TIME_LIMIT
        (record,) = self.engine.usage([handle])
        assert record.core_ms == 1000

    # --- cancel

    def test_a_running_job_can_be_cancelled(self) -> None:
        """Cancel twice is cancel once."""
        handle = self.submit(self.spec("import time; time.sleep(60)"))
        self.wait(handle, Phase.RUNNING)
        self.engine.cancel([handle])
        self.engine.cancel([handle])
        assert self.wait(handle).ending == Ending.CANCELLED

    def test_a_waiting_job_can_be_cancelled(self) -> None:
        """A job that never started ends as CANCELLED and uses nothing."""
        blocker = self.submit(self.spec("import time; time.sleep(60)", exclusive=True))
        self.wait(blocker, Phase.RUNNING)
        waiting = self.submit(self.spec())
        assert self.look(waiting).phase == Phase.PENDING
        self.engine.cancel([waiting])
        assert self.wait(waiting).ending == Ending.CANCELLED
        assert self.engine.usage([waiting]) == []

    def test_cancelling_a_stranger_is_no_error(self) -> None:
        """The follower need not know what the engine knows."""
        self.engine.cancel([Handle(new_id(), "nobody", seen_at())])
        assert self.engine.poll([]) == []

    # --- usage and capacity

    def test_usage_is_what_was_allocated(self) -> None:
        """Whole cores × wall time, in whole milliseconds, whatever the program did with them."""
        handle, seen = self.run("import time; time.sleep(0.3)")
        (record,) = self.engine.usage([handle])
        assert (record.cores, record.core_ms, record.final) == (1, record.wall_ms, True)
        assert 300 <= record.wall_ms < 1000 * self.wait_seconds
        assert record.started_at == seen.started_at
        assert (record.submitted_at, record.restart) == (handle.submitted_at, handle.restart)
        assert self.engine.usage([handle]) == [record]

    def test_usage_of_a_running_job_is_not_final(self) -> None:
        """A running job's usage can be shown, and says that it goes on."""
        handle = self.submit(self.spec("import time; time.sleep(60)"))
        self.wait(handle, Phase.RUNNING)
        (record,) = self.engine.usage([handle])
        assert record.final is False

    def test_capacity_goes_down_and_comes_back(self) -> None:
        """A running job holds its cores until it has ended."""
        before = self.engine.capacity()
        assert 0 < before.cores.free <= before.cores.total
        handle = self.submit(self.spec("import time; time.sleep(60)"))
        self.wait(handle, Phase.RUNNING)
        assert self.engine.capacity().cores.free == before.cores.free - 1
        self.engine.cancel([handle])
        self.wait(handle)
        assert self.engine.capacity().cores == before.cores

    def test_nodes_are_told_once_each_and_use_no_more_than_they_have(self) -> None:
        """For engines that report nodes: names are unique, a used node has something used, and the same again."""
        if not isinstance(self.engine, NodeReporter):
            return
        seen = self.engine.nodes()
        assert seen
        assert len({each.name for each in seen}) == len(seen)
        for each in seen:
            assert 0 <= each.used <= each.devices
            assert (each.state is NodeState.USED) == (each.used > 0)
        assert {each.name for each in self.engine.nodes()} == {each.name for each in seen}

    def test_an_exclusive_job_runs_alone(self) -> None:
        """Nothing runs beside it, and it waits until nothing does."""
        stamp = "import sys, time; a = time.time(); time.sleep(0.2); print(a, time.time())"
        flags: Mapping[int, bool] = {0: False, 1: True, 2: False}
        handles = [self.submit(self.spec(stamp, exclusive=flag)) for flag in flags.values()]
        seen = self.wait_all(handles)
        spans = [(seen[str(h.job_id)].started_at, seen[str(h.job_id)].ended_at) for h in handles]
        (_a, first_end), (alone_start, alone_end), (last_start, _b) = spans
        assert first_end is not None
        assert alone_start is not None
        assert alone_end is not None
        assert last_start is not None
        assert first_end <= alone_start
        assert alone_end <= last_start

    # --- optional abilities

    def test_logs_can_be_read_in_pieces(self) -> None:
        """LogReader: both streams, from an offset, never more than asked; a stranger is NotFound."""
        engine = self.engine
        if not isinstance(engine, LogReader):
            return
        handle, _seen = self.run(HELLO)
        assert engine.read_log(handle, "stdout", 0, 100).data == b"hello\n"
        piece = engine.read_log(handle, "stderr", 1, 2)
        assert (piece.data, piece.offset, piece.size) == (b"op", 1, 5)
        try:
            engine.read_log(Handle(new_id(), "nobody", seen_at()), "stdout", 0, 1)
        except NotFound:
            return
        raise AssertionError("a stranger's log was read")

    def test_outputs_can_be_read_and_links_are_not_followed(self) -> None:
        """OutputReader: promised plain files only."""
        engine = self.engine
        if not isinstance(engine, OutputReader):
            return
        code = "import os; open('a.txt', 'w').write('abc'); os.symlink('/etc/passwd', 'b.txt')"
        handle, seen = self.run(code, outputs=("a.txt", "b.txt"))
        assert seen.ending == Ending.OUTPUT_MISSING
        assert dict(engine.outputs(handle)) == {"a.txt": 3}
        assert engine.read_output(handle, "a.txt", 1, 10).data == b"bc"

    def test_a_forgotten_job_is_unknown_and_never_starts_again(self) -> None:
        """Forgetter: ended jobs are kept until forgotten; running ones cannot be forgotten."""
        engine = self.engine
        if not isinstance(engine, Forgetter):
            return
        spec = self.spec("print('ran')")
        running = self.submit(self.spec("import time; time.sleep(60)"))
        handle = self.submit(spec)
        self.wait(handle)
        self.wait(running, Phase.RUNNING)
        assert engine.kept(10) == [handle.job_id]
        engine.forget([handle.job_id, running.job_id])
        assert [each.job_id for each in engine.poll([handle, running])] == [running.job_id]
        assert self.refusal(spec, Conflict)
        assert [each.job_id for each in engine.poll([handle, running])] == [running.job_id]


def seen_at() -> Any:
    """A moment for handles of strangers."""
    from bitgoeul.kernel.clock import now

    return now()
