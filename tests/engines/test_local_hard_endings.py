"""Programs that behave badly, and supervisors that die: each ends by name, in bounded time, with nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bitgoeul.compute.conformance import EngineConformance
from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import Ending, Phase, Tier
from bitgoeul.engines.local import stop_all
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.engines.local.processes import Identity, identity_of, marked, read_stat
from engines.tiers import needs

SLEEP = "import time; time.sleep(60)"
ESCAPEE = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        open("escaped", "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
while not (os.path.exists("escaped") and open("escaped").read()):
    time.sleep(0.01)
"""


class Base(EngineConformance):
    __test__ = False
    tier = Tier.LIMITS

    def setup_method(self):
        needs(self.tier)
        super().setup_method()

    def make_engine(self):
        config = {"cores": 2, "memory_mib": 4096, "isolation": str(self.tier)}
        return make_engine("local", self.home / "engine", config)

    def directory(self, handle) -> JobDir:
        return JobDir(self.home / "engine" / "jobs" / handle.reference)

    def record(self, handle, name: str) -> dict:
        """A record that is about to be written."""
        limit = time.monotonic() + 10
        while (found := self.directory(handle).read(name)) is None:
            assert time.monotonic() < limit
            time.sleep(0.02)
        return found

    def nothing_left(self, handle) -> bool:
        plan = self.directory(handle).isolation().cgroups
        return marked(handle.reference) == [] and (plan is None or handle.reference not in plan.names())


def only(*names):
    """Keep the helpers of the kit, run the tests named here."""

    def keep(cls):
        for name in dir(EngineConformance):
            if name.startswith("test_"):
                setattr(cls, name, None)
        cls.__test__ = True
        return cls

    return keep


@only()
class TestBadPrograms(Base):
    def test_a_memory_hog(self):
        code = "import time\nkept = []\nwhile True: kept.append(b'x' * 2**20 * 4); time.sleep(0.001)"
        handle, seen = self.run(code, limits=self.limits(memory_mib=200))
        assert seen.ending == Ending.MEMORY_LIMIT
        assert self.nothing_left(handle)

    def test_memory_is_counted_over_all_processes(self):
        code = "import os, time\nfor _ in range(3): os.fork()\nkept = b'x' * 2**20 * 40\ntime.sleep(30)"
        _handle, seen = self.run(code, limits=self.limits(memory_mib=200))
        assert seen.ending == Ending.MEMORY_LIMIT

    def test_a_fork_bomb_is_bounded(self):
        code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
        began = time.monotonic()
        handle, seen = self.run(code)
        assert seen.ending == Ending.PROCESS_LIMIT
        assert time.monotonic() - began < 15
        assert self.nothing_left(handle)

    def test_the_supervisors_environment_holds_no_secret_either(self, monkeypatch):
        monkeypatch.setenv("BITGOEUL_SECRET_KEY", "must not leak")
        code = "import os; print(open(f'/proc/{os.getppid()}/environ').read())"
        handle, _seen = self.run(code)
        assert b"SECRET" not in self.engine.read_log(handle, "stdout", 0, 10_000).data

    def test_a_disk_hog_in_one_file(self):
        code = "f = open('big', 'wb')\nwhile True: f.write(b'x' * 2**20)"
        _handle, seen = self.run(code, limits=self.limits(file_mib=4))
        assert seen.ending == Ending.FILE_LIMIT
        assert "4 MiB" in str(seen.reason)

    def test_a_disk_hog_in_many_files(self):
        code = (
            "import itertools, time\n"
            "for n in itertools.count():\n    open(str(n), 'wb').write(b'x' * 2**20); time.sleep(0.01)"
        )
        limits = self.limits(work_mib=8)
        _handle, seen = self.run(code, limits=limits)
        assert seen.ending == Ending.FILE_LIMIT

    def test_a_log_hog_is_bounded(self):
        handle, seen = self.run("while True: print('x' * 1000)", limits=self.limits(file_mib=2))
        assert seen.ending == Ending.FILE_LIMIT
        assert self.engine.read_log(handle, "stdout", 0, 1).size == 2 * 2**20

    def test_what_calls_setsid_does_not_escape(self):
        handle, seen = self.run(ESCAPEE)
        assert seen.ending == Ending.COMPLETED
        escaped = int((self.directory(handle).work / "escaped").read_text())
        if self.tier is not Tier.CONTAINER:  # there it is the number inside
            assert identity_of(escaped) is None
        assert self.nothing_left(handle)

    def test_a_busy_program_meets_the_processor_limit_or_the_clock(self):
        _handle, seen = self.run("while True: pass", limits=self.limits(wall_seconds=1))
        assert seen.ending in (Ending.TIME_LIMIT, Ending.CPU_LIMIT)

    def test_the_environment_is_clean(self, monkeypatch):
        monkeypatch.setenv("BITGOEUL_SECRET_KEY", "must not leak")
        handle, _seen = self.run("import os; print(sorted(os.environ))", env={"MODE": "quick"})
        names = self.engine.read_log(handle, "stdout", 0, 10_000).data.decode()
        assert "'MODE'" in names
        assert "SECRET" not in names

    def test_device_numbers_are_told(self):
        code = "import os; print(os.environ['BITGOEUL_DEVICE_SOFTWARE_TARGET'], os.environ['BITGOEUL_CORES'])"
        handle, _seen = self.run(code, devices={"software-target": 1})
        assert self.engine.read_log(handle, "stdout", 0, 100).data == b"0 1\n"
        (record,) = self.engine.usage([handle])
        assert record.device_ms == {"software-target": record.wall_ms}

    def test_a_pipe_as_output_cannot_hang_the_reader(self):
        handle, seen = self.run("import os; os.mkfifo('a.txt')", outputs=("a.txt",))
        assert seen.ending == Ending.OUTPUT_MISSING
        assert dict(self.engine.outputs(handle)) == {}


@pytest.mark.slow
class TestBadProgramsUnderLandlock(TestBadPrograms):
    tier = Tier.LANDLOCK


class TestBadProgramsInContainers(TestBadPrograms):
    tier = Tier.CONTAINER


@only()
class TestDeadSupervisors(Base):
    def test_a_killed_wrapper_is_noticed_and_its_job_ended(self):
        handle = self.submit(self.spec("import os, time; os.fork(); time.sleep(60)"))
        self.wait(handle, Phase.RUNNING)
        self.record(handle, "heartbeat")
        wrapper = self.directory(handle).wrapper()
        os.kill(wrapper.pid, signal.SIGKILL)
        seen = self.wait(handle)
        assert seen.ending == Ending.ENGINE_LOST
        assert self.nothing_left(handle)
        (record,) = self.engine.usage([handle])
        assert record.final
        assert self.engine.capacity().running == 0

    def test_a_wrapper_killed_before_it_began_is_started_again(self):
        blocker = self.submit(self.spec("import time; time.sleep(0.5)", exclusive=True))
        handle = self.submit(self.spec("print('ran')"))
        self.wait(blocker, Phase.RUNNING)
        directory = self.directory(handle)
        directory.write(
            "launch",
            {
                "grant": {"cores": [0], "memory_mib": 1, "devices": {}, "exclusive": False},
                "launches": 1,
                "launched_at": "2026-01-01T00:00:00Z",
            },
        )
        assert self.wait(handle).ending == Ending.COMPLETED
        assert self.engine.read_log(handle, "stdout", 0, 100).data == b"ran\n"

    def test_a_wrapper_that_never_begins_is_given_up(self):
        handle = self.submit(self.spec())
        directory = self.directory(handle)
        directory.write(
            "launch",
            {
                "grant": {"cores": [0], "memory_mib": 1, "devices": {}, "exclusive": False},
                "launches": 3,
                "launched_at": "2026-01-01T00:00:00Z",
            },
        )
        assert self.wait(handle).ending == Ending.NOT_STARTED

    def test_a_stopped_wrapper_is_overdue(self):
        handle = self.submit(self.spec(SLEEP))
        self.wait(handle, Phase.RUNNING)
        directory = self.directory(handle)
        os.kill(directory.wrapper().pid, signal.SIGSTOP)
        directory.write("start", {**directory.read("start"), "started_at": "2026-01-01T00:00:00Z"})
        assert self.wait(handle).ending == Ending.ENGINE_LOST
        assert self.nothing_left(handle)

    def test_a_job_ends_when_the_named_supervisor_is_gone(self, monkeypatch):
        platform = subprocess.Popen(["sleep", "60"])
        monkeypatch.setenv("BITGOEUL_SUPERVISOR", str(identity_of(platform.pid)))
        handle = self.submit(self.spec(SLEEP))
        self.wait(handle, Phase.RUNNING)
        platform.kill()  # a zombie from here on: nobody has waited for it
        seen = self.wait(handle)
        assert seen.ending == Ending.STOPPED
        assert read_stat(platform.pid).state == "Z"
        platform.wait()

    def test_stop_all_leaves_nothing_running_and_keeps_what_waits(self):
        running = self.submit(self.spec(ESCAPEE + "time.sleep(60)", exclusive=True))
        waiting = self.submit(self.spec("print('later')"))
        self.wait(running, Phase.RUNNING)
        assert stop_all(self.home / "engine", 10) == 1
        assert self.nothing_left(running)
        assert self.look(running).ending == Ending.STOPPED
        assert self.wait(waiting).ending == Ending.COMPLETED

    def test_stop_all_kills_a_wrapper_that_does_not_answer(self):
        handle = self.submit(self.spec(SLEEP))
        self.wait(handle, Phase.RUNNING)
        self.record(handle, "heartbeat")
        os.kill(self.directory(handle).wrapper().pid, signal.SIGSTOP)
        assert stop_all(self.home / "engine", 0.5) == 1
        assert self.nothing_left(handle)
        assert self.look(handle).ending == Ending.ENGINE_LOST

    def test_stop_all_without_an_engine_is_nothing(self):
        assert stop_all(self.home / "nowhere", 1) == 0

    def test_jobs_outlive_the_process_that_started_them(self):
        spec = self.spec("import time; time.sleep(1); print('alive')")
        script = (
            "import json, os, pathlib, sys\n"
            "from bitgoeul.compute.plugins import make_engine\n"
            "from bitgoeul.compute.ports import JobSpec\n"
            "engine = make_engine('local', pathlib.Path(sys.argv[1]), {'cores': 2})\n"
            "handle = engine.submit(JobSpec.from_json(json.loads(sys.argv[2])))\n"
            "engine.poll([handle])\n"
            "os.kill(os.getpid(), 9)\n"
        )
        import json

        arguments = [sys.executable, "-c", script, str(self.home / "engine"), json.dumps(spec.to_json())]
        assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
        handle = self.submit(spec)
        assert self.wait(handle).ending == Ending.COMPLETED
        assert self.engine.read_log(handle, "stdout", 0, 100).data == b"alive\n"


@pytest.mark.slow
class TestDeadSupervisorsUnderLandlock(TestDeadSupervisors):
    tier = Tier.LANDLOCK


class TestDeadSupervisorsInContainers(TestDeadSupervisors):
    tier = Tier.CONTAINER


@only()
class TestManyCallers(Base):
    def test_many_submitters_and_pollers_start_each_job_once(self):
        mark = self.home / "ran"
        specs = [
            self.spec(f"open({str(mark)!r}, 'a').write('{n}\\n')", argv=("sh", "-c", f"echo {n} >> {mark}"))
            for n in range(12)
        ]

        def go(_worker: int) -> None:
            engine = self.make_engine()
            for spec in specs:
                engine.poll([engine.submit(spec)])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(go, range(4)))
        self.wait_all([self.submit(spec) for spec in specs])
        assert sorted(map(int, mark.read_text().split())) == list(range(12))

    def test_no_more_jobs_run_than_there_are_cores(self):
        code = "import time; a = time.time(); time.sleep(0.1); print(a, time.time())"
        handles = [self.submit(self.spec(code)) for _ in range(6)]
        self.wait_all(handles)
        spans = [tuple(map(float, self.engine.read_log(h, "stdout", 0, 100).data.split())) for h in handles]
        for begin, _end in spans:
            assert sum(b <= begin < e for b, e in spans) <= 2

    def test_leftovers_of_crashed_submissions_are_swept(self):
        staging = Path(self.home / "engine" / "staging")
        (staging / "job.999999999:1.5").mkdir()
        (staging / f"job.{identity_of(os.getpid())}.5").mkdir()
        self.engine.kept(1)
        assert [place.name for place in staging.iterdir()] == [f"job.{identity_of(os.getpid())}.5"]


def test_a_reused_pid_is_another_process():
    me = identity_of(os.getpid())
    assert me.alive()
    assert not Identity(me.pid, me.start - 1).alive()


def test_a_name_with_parentheses_and_spaces_is_read(tmp_path):
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "5"], executable=str(program))
    try:
        time.sleep(0.05)
        assert read_stat(child.pid).parent == os.getpid()
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("text", ["", "12", "a:b"])
def test_a_wrong_supervisor_is_refused(text):
    with pytest.raises(ValueError, match="invalid literal"):
        Identity.parse(text)
