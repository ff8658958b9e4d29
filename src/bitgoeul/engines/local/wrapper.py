"""One job's supervisor: starts the program, limits and watches it, ends its whole tree, writes how it ended.

``python -m bitgoeul.engines.local.wrapper DIRECTORY`` is started by the engine with the lock of DIRECTORY already
held by an inherited descriptor: the lock says that the job lives, from before the first line here until the kernel
closes the descriptor. No signal handlers: signals are waited for. One thread supervises; where devices are
measured a second one does that alone, begun after the last fork. Nothing waits for it before the exit record is
written; after that a read under way has a second to end, in which the lock is still held.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from bitgoeul.compute.ports import Ending, Tier
from bitgoeul.kernel.clock import now, rfc3339

from .bury import never_started
from .confine import MIB, become_subreaper, confiner, environment
from .devices import watch_of
from .endings import Seen, classify
from .files import Record
from .isolation.cgroups import Cgroup
from .isolation.enclosure import Enclosure
from .jobdir import JobDir
from .measure import FILES_MAX, describe_machine, is_plain, measure_files
from .processes import Identity, anonymous_kib, cpu_ms, group_of, identity_of, kill_descendants, send, tree
from .samples import Samples

WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TICK_SECONDS = 0.2
HEARTBEAT_SECONDS = 1.0
FILES_SECONDS = 2.0
GRACE_SECONDS = 2.0
CLEAR_SECONDS = 60.0


class Wrapper:
    """The life of one job, from its start record to its exit record."""

    def __init__(
        self, directory: JobDir, supervisor: Identity | None, told: Mapping[str, str] | None = None
    ) -> None:
        grant = directory.grant()
        if grant is None:
            raise FileNotFoundError(directory.path / "launch.json")
        self.directory, self.spec, self.grant = directory, directory.spec(), grant
        self.supervisor, self.told = supervisor, told or {}
        self.devices = watch_of((directory.read("launch") or {}).get("telemetry"), self.grant)
        self.enclosure = Enclosure(directory.isolation(), directory.path.name)
        self.cause: Ending | None = None
        self.detail = ""
        self.kill_at: float | None = None
        self.status: int | None = None
        self.memory_kib_max = 0
        self.samples = Samples()
        self.began_at: datetime = now()
        self.began = time.monotonic()
        self.next_heartbeat = self.next_files = 0.0
        self.child: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Run the job to its end and write the exit record."""
        if self.directory.has("cancel"):
            self.directory.write("exit", never_started(self._asked_cause()))
            return
        become_subreaper()
        self._write_start()
        try:
            self._start()
        except (OSError, subprocess.SubprocessError) as error:
            told = getattr(error, "strerror", None) or "its isolation could not be set up"
            self.cause, self.detail = Ending.NOT_STARTED, f"{self.spec.argv[0]}: {told}"
        else:
            if self.devices is not None:
                self.devices.start()
            self._watch()
            self._clear()
        record = self._exit_record()
        if not self.enclosure.remove():
            print("the cgroup could not be removed", file=sys.stderr)
        self.directory.write("exit", record)
        if self.devices is not None:
            self.devices.stop()

    # --- start

    def _write_start(self) -> None:
        self.began_at, self.began = now(), time.monotonic()
        me = identity_of(os.getpid())
        self.directory.write(
            "start",
            {
                "wrapper": str(me),
                "started_at": rfc3339(self.began_at),
                "environment": {**describe_machine(), **self.told, **self.enclosure.isolation.describe()},
            },
        )

    def _start(self) -> None:
        path = self.directory.path
        files = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        out, err = (os.open(path / name, files, 0o600) for name in ("stdout", "stderr"))
        try:
            self.enclosure.prepare(self.spec.argv, self.spec.limits, path, quota=not self.grant.exclusive)
            self.child = subprocess.Popen(
                self.enclosure.argv,
                cwd=self.directory.work,
                env=environment(self.spec, self.grant, path, str(self.enclosure.tier)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=self.enclosure.pass_fds,
                preexec_fn=confiner(self.spec, self.grant, self.enclosure),  # safe: one thread yet
            )
        finally:
            self.enclosure.close()
            os.close(out)
            os.close(err)

    # --- watch

    def _watch(self) -> None:
        while self.child is not None and self.child.returncode is None:
            info = signal.sigtimedwait(WATCHED, self._patience())
            if info is not None and info.si_signo != signal.SIGCHLD:
                self._end(self._asked_cause())
            self._reap()
            if self.child.returncode is None:
                self._check(time.monotonic())

    def _patience(self) -> float:
        """Seconds until the next tick or the wall limit, whichever comes first."""
        left = self.began + self.spec.limits.wall_seconds - time.monotonic()
        return min(TICK_SECONDS, left) if left > 0 else TICK_SECONDS

    def _check(self, moment: float) -> None:
        """Every limit and every reason to end, once a tick."""
        if self.kill_at is not None and moment >= self.kill_at:
            self._kill_tree()
        elif moment - self.began >= self.spec.limits.wall_seconds:
            self._end(Ending.TIME_LIMIT)
        elif self.directory.has("cancel"):
            self._end(self._asked_cause())
        self._check_tree()
        if moment >= self.next_heartbeat:
            self.next_heartbeat = moment + HEARTBEAT_SECONDS
            self._check_supervisor()
            self._heartbeat()
        if moment >= self.next_files:
            self._check_files(moment)

    def _check_tree(self) -> None:
        pids = tree(os.getpid())
        memory_kib = anonymous_kib(pids)
        self.memory_kib_max = max(self.memory_kib_max, memory_kib)
        self.samples.saw(memory_kib)
        if len(pids) > self.spec.limits.processes + self.enclosure.own_processes:
            self._end(Ending.PROCESS_LIMIT, at_once=True)
        elif memory_kib > self.spec.limits.memory_mib * 1024 or self._oom_kills():
            self._end(Ending.MEMORY_LIMIT, at_once=True)

    def _check_supervisor(self) -> None:
        if self.supervisor is not None and not self.supervisor.alive():
            self._end(Ending.STOPPED)

    def _check_files(self, moment: float) -> None:
        total, _largest, count = measure_files(self.directory)
        self.next_files = moment + max(FILES_SECONDS, 20 * (time.monotonic() - moment))
        if total > self.spec.limits.work_mib * MIB or count > FILES_MAX:
            self._end(Ending.FILE_LIMIT, at_once=True)

    def _heartbeat(self) -> None:
        child = identity_of(self.child.pid) if self.child else None
        record = {**self._sampled(), "child": str(child) if child else None}
        try:
            self.directory.write("heartbeat", record, durable=False)
        except OSError as error:  # a full disk must not end the job's supervision
            print(f"no heartbeat written: {error}", file=sys.stderr)

    def _asked_cause(self) -> Ending:
        """Why somebody wants the end; a signal without a record is the platform or the machine going down."""
        return Ending((self.directory.read("cancel") or {}).get("cause", Ending.STOPPED))

    # --- end

    def _end(self, cause: Ending, *, at_once: bool = False) -> None:
        """Begin to end the job; the first cause stays. The program gets a moment to close its files."""
        if self.cause is None:
            self.cause = cause
            self.kill_at = time.monotonic() + (0.0 if at_once else GRACE_SECONDS)
            if not at_once and self.child is not None:
                self._ask_to_end(self.child.pid)
        if at_once:
            self._kill_tree()

    def _ask_to_end(self, leader: int) -> None:
        """TERM to the program's process group; a container's own processes would end it without a moment left."""
        if self.enclosure.tier is not Tier.CONTAINER:
            signal_group(leader, signal.SIGTERM)
            return
        init = self.enclosure.init_pid()
        inside = tree(init) if init else []
        for member in group_of(inside[0], inside) if inside else ():
            send(member, signal.SIGTERM)

    def _oom_kills(self) -> int:
        return self.enclosure.cgroup.oom_kills() if self.enclosure.cgroup else 0

    def _kill_tree(self) -> None:
        self.enclosure.kill()
        kill_descendants(os.getpid())

    def _clear(self) -> None:
        """End whatever the program left behind, also what called setsid; a fork bomb loses by repetition."""
        limit = time.monotonic() + CLEAR_SECONDS
        while self._reap() and time.monotonic() < limit:
            self._kill_tree()
            signal.sigtimedwait((signal.SIGCHLD,), 0.01)

    def _reap(self) -> bool:
        """Take in ended children; False once there is none left at all."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.memory_kib_max = max(self.memory_kib_max, usage.ru_maxrss)
            if self.child is not None and pid == self.child.pid:
                self.child.returncode = os.waitstatus_to_exitcode(status)
                self._note_status(self.child.returncode)

    def _note_status(self, status: int) -> None:
        """The program's own status; one whose enclosure ended before it could start has none."""
        if self.cause is None and self.enclosure.never_ran(status):
            self.cause, self.detail = Ending.NOT_STARTED, last_line(self.directory.path / "stderr")
        else:
            self.status = self.enclosure.program_status(status)

    # --- records

    def _sampled(self, *, last: bool = False) -> Record:
        """What was measured, and how it went until now."""
        measured = self._measured()
        if self.devices is None:
            self.samples.add(measured["wall_ms"], measured["cpu_ms"], last=last)
            return {**measured, "samples": self.samples.points}
        self.samples.add(measured["wall_ms"], measured["cpu_ms"], self.devices.take, last=last)
        self.devices.pace(self.samples.every_ms)
        return {**measured, "samples": self.samples.points, "devices": self.devices.facts()}

    def _measured(self) -> Record:
        """Times and memory from the job's cgroup where it counts them, else from its processes as we saw them."""
        cgroup = self.enclosure.cgroup
        counted = (cgroup.cpu_ms(), cgroup.memory_kib_max()) if cgroup else (None, None)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        seen = int((usage.ru_utime + usage.ru_stime) * 1000) + cpu_ms(tree(os.getpid()))
        return {
            "wall_ms": int((time.monotonic() - self.began) * 1000),
            "cpu_ms": seen if counted[0] is None else counted[0],
            "memory_kib_max": self.memory_kib_max if counted[1] is None else counted[1],
            "metering": metering(cgroup, counted),
        }

    def _exit_record(self) -> Record:
        measured = self._sampled(last=True)
        _total, largest, _count = measure_files(self.directory)
        missing = [name for name in self.spec.outputs if not is_plain(self.directory.work / name)]
        oom_kills = self._oom_kills()
        seen = Seen(self.cause, self.status, self.memory_kib_max, largest, missing, self.detail, oom_kills)
        verdict = classify(seen, self.spec.limits)
        return {
            **measured,
            "oom_kills": oom_kills,
            "ending": verdict.ending,
            "params": dict(verdict.params),
            "exit_code": verdict.exit_code,
            "started_at": rfc3339(self.began_at),
            "ended_at": rfc3339(self.began_at + timedelta(milliseconds=measured["wall_ms"])),
        }


def signal_group(leader: int, number: signal.Signals) -> None:
    """Signal the program's process group, if it still has one."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def metering(cgroup: Cgroup | None, counted: tuple[int | None, int | None]) -> str:
    """Where processor time and memory were read, as the usage record says it."""
    if cgroup is None or counted == (None, None):
        return "processes"
    return f"cgroup v{cgroup.version}" if None not in counted else f"cgroup v{cgroup.version}, processes"


def last_line(path: Path, bytes_max: int = 500) -> str:
    """The last line of a file; of a container that could not start a program, what it said."""
    try:
        text = path.read_bytes()[-bytes_max:].decode(errors="replace").strip()
    except OSError as error:  # the job's directory is gone; its cgroup must still be removed
        return error.strerror or ""
    return text.rpartition("\n")[2].removeprefix("bwrap: execvp ").removeprefix("bwrap: ")


def main(arguments: list[str]) -> int:
    """Run the job in the directory named by the first argument."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    os.umask(0o077)
    named = os.environ.get("BITGOEUL_SUPERVISOR")
    Wrapper(JobDir(Path(arguments[0])), Identity.parse(named) if named else None).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
