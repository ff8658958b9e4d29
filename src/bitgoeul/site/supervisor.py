"""Web, worker and follower as one process tree that starts, heals and ends together.

The supervisor is one process with one thread. It waits for signals and for nothing else, so that a stop is
never late. Its children get a parent-death signal, since a kill -9 of the supervisor must leave nothing alive.
Jobs of the local engine live outside the children, in sessions of their own: a stop ends them too, a restart
(SIGUSR2) keeps them, because the supervisor then replaces itself in place, with the same pid and start time.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any

from bitgoeul.engines.local import stop as _loaded_now  # noqa: F401 - when we stop, the code on disk may be another
from bitgoeul.engines.local import stop_all
from bitgoeul.engines.local.processes import Identity, descendants, identity_of, send

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HANDLED = frozenset({*STOPS, signal.SIGUSR2, signal.SIGCHLD})
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
BACK_OFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
HEALTHY_SECONDS = 60.0
READY_SECONDS_MAX = 90.0
BEAT_SECONDS_MAX = 300.0
STOP_SECONDS_MAX = {"journey": 2.0, "web": 8.0, "worker": 8.0, "follower": 8.0}
JOBS_SECONDS_MAX = 10.0
LOG_BYTES_MAX = 8 * 2**20
TICK_SECONDS = 0.25
CANNOT_BIND = 126
# A child that ends so cannot serve until somebody acts, for example with a database of another form.
CANNOT_SERVE = 78
LOAD_CODE = (sys.executable, "-m", "bitgoeul.site.cli", "doctor", "--code-only")


class Refused(Exception):
    """The tree cannot start here; says what happened and what to do."""


def libc_prctl() -> Callable[..., int]:
    """The C library's ``prctl``, loaded before any fork so that a child only calls it."""
    function: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    return function


def bind_to_parent(parent: int, prctl: Callable[..., int]) -> Callable[[], None]:
    """What a child runs between fork and exec: take signals again and die when ``parent`` dies.

    SIGKILL and not SIGTERM: the signal must end a child that hangs too, and every child is built to bear it.
    """

    def hook() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        # The parent may have died between fork and prctl; then no signal will ever come.
        if prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(CANNOT_BIND)

    return hook


@dataclass
class Child:
    """One process that must run: how to start it, and what became of it."""

    name: str
    argv: list[str]
    pass_fds: tuple[int, ...] = ()
    once: bool = False
    process: subprocess.Popen[bytes] | None = None
    identity: Identity | None = None
    started: float = 0.0
    due: float = 0.0
    failures: int = 0
    status: int | None = None

    @property
    def beat_expected(self) -> bool:
        """Loops of our own tell by a file that they are not stuck; gunicorn watches its workers itself."""
        return self.name in ("worker", "follower")


def run_folder(home: Path) -> Path:
    """Where pid, lock and heartbeats stand."""
    return home / "run"


def read_state(home: Path) -> dict[str, Any] | None:
    """What a live supervisor of ``home`` wrote about itself; None when none is alive."""
    try:
        state: dict[str, Any] = json.loads((run_folder(home) / "supervisor.json").read_text(encoding="utf-8"))
        identity = Identity(state["pid"], state["start"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return state if identity.alive() else None


def take_lock(home: Path) -> int:
    """A descriptor that holds the home's lock; raises `Refused` while another supervisor holds it."""
    folder = run_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        state = {"url": "starting", "pid": "unknown"} | (read_state(home) or {})
        raise Refused(
            f"bitgoeul already runs on {home}: {state['url']}, pid {state['pid']}.\n"
            "Open that address, or stop it with Ctrl-C. BITGOEUL_HOME=/another/place ./run starts a second one."
        ) from None
    return descriptor


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, kept by the supervisor so that a web restart loses no visitor; `Refused` if taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    web = socket.socket(family, socket.SOCK_STREAM)
    web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        web.bind((host, port))
        web.listen(128)
    except PermissionError:
        web.close()
        raise Refused(
            f"Port {port} may not be used without root.\nTake one above 1023: ./run --port 8080"
        ) from None
    except OSError as error:
        web.close()
        raise Refused(
            f"Port {port} of {host} is taken by another program ({error.strerror}).\n"
            f"Take another port: ./run --port {free_port(host)}\n"
            f"See which program it is: ss -ltnp 'sport = :{port}'"
        ) from None
    return web


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Supervisor:
    """The tree of one home; ``run`` returns the exit status when everything has ended."""

    home: Path
    host: str
    port: int
    out: IO[str] = field(default_factory=lambda: sys.stdout)
    journey: list[str] | None = None
    closing: Callable[[str], list[str]] | None = None
    stay: bool = True
    lock: int | None = None
    listening: int | None = None
    command: list[str] = field(default_factory=lambda: [sys.executable, "-m", "bitgoeul.site.cli", "up"])
    check_command: list[str] = field(default_factory=lambda: [*LOAD_CODE])
    ready: bool = False
    stopping: bool = False
    refused: bool = False

    def run(self) -> int:
        """Start all, watch, and stop on a signal; raises `Refused` when it cannot start."""
        # From here on a signal waits until sigtimedwait takes it: none can fall between two steps of a start.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        self.prctl = libc_prctl()
        # What a dead child leaves behind comes to us instead of to init, and is reaped and ended with the rest.
        self.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        identity = identity_of(os.getpid())
        if identity is None:
            raise Refused("This system has no /proc; bitgoeul runs on Linux.")
        self.identity = identity
        self.lock = take_lock(self.home) if self.lock is None else self.lock
        self.web = listen(self.host, self.port) if self.listening is None else socket.socket(fileno=self.listening)
        self.port = self.web.getsockname()[1]
        (self.home / "static").mkdir(exist_ok=True)  # collected files, if any; the web process warns without it
        self.children = self._children()
        self.began = time.monotonic()
        try:
            return self._watch()
        finally:
            (run_folder(self.home) / "supervisor.json").unlink(missing_ok=True)

    @property
    def url(self) -> str:
        """The address a person opens; loopback is called by its name."""
        name = "localhost" if self.host in ("127.0.0.1", "::1") else self.host
        return f"http://{name}:{self.port}"

    def say(self, text: str) -> None:
        """Tell the person at the terminal; one who has gone (HUP) must not stop the stopping."""
        try:
            print(text, file=self.out, flush=True)
        except OSError:
            self.out = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - it lives as long as we do

    def _children(self) -> dict[str, Child]:
        module = [sys.executable, "-m"]
        gunicorn = [*module, "gunicorn", "--config", "python:bitgoeul.site.gunicorn_conf"]
        bound = ["--bind", f"fd://{self.web.fileno()}", "bitgoeul.site.wsgi:application"]
        children = [
            Child("web", gunicorn + bound, pass_fds=(self.web.fileno(),)),
            Child("worker", [*module, "bitgoeul.site.worker"]),
            Child("follower", [*module, "bitgoeul.site.follower"]),
        ]
        return {child.name: child for child in children}

    # The loop

    def _watch(self) -> int:
        while True:
            self._start_due()
            news = signal.sigtimedwait(HANDLED, TICK_SECONDS)
            if news is not None and news.si_signo in STOPS:
                self.say(f"\nStopping ({signal.Signals(news.si_signo).name}) …")
                self._stop(jobs=True)
                self.say("Stopped.")
                # A tree that stays was meant to be stopped; one attempt that was cut short did not hold.
                return 0 if self.stay else 128 + news.si_signo
            if news is not None and news.si_signo == signal.SIGUSR2 and self._fit_to_restart():
                self._replace()
            self._reap()
            if self.refused and not self.ready:
                self._stop(jobs=True)
                return 2
            journey = self.children.get("journey")
            if journey is not None and journey.status is not None and not self.stay:
                self._stop(jobs=True)
                return journey.status
            if not self.ready and not self._look_ready():
                return 1
            self._look_after()

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if child.process is None and child.status is None and child.due <= now:
                self._start(child)

    def _start(self, child: Child) -> None:
        logs = self.home / "log"
        logs.mkdir(parents=True, exist_ok=True)
        beat_path(self.home, child.name).unlink(missing_ok=True)
        environ = os.environ | {
            "BITGOEUL_HOME": str(self.home),
            "BITGOEUL_PORT": str(self.port),
            "BITGOEUL_SUPERVISOR": str(self.identity),
            "DJANGO_SETTINGS_MODULE": "bitgoeul.site.settings",
            "PYTHONUNBUFFERED": "1",
        }
        output = None if child.once else (logs / f"{child.name}.log").open("ab")
        try:
            child.process = subprocess.Popen(
                child.argv,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=child.pass_fds,
                start_new_session=True,  # the terminal's Ctrl-C reaches us alone, and we stop them in order
                preexec_fn=bind_to_parent(os.getpid(), self.prctl),
            )
        finally:
            if output is not None:
                output.close()
        child.identity = identity_of(child.process.pid)
        child.started = time.monotonic()
        self._write_state()

    def _reap(self) -> None:
        """Take note of every process that ended; adopted orphans of a dead child are buried here too."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            child = self._child_of(found.si_pid)
            if child is not None:
                kill_group(found.si_pid)  # before it is reaped its pid, and so its group's number, is still ours
            _pid, raw = os.waitpid(found.si_pid, 0)
            if child is not None and child.process is not None:
                child.process.returncode = os.waitstatus_to_exitcode(raw)
                self._ended(child, child.process.returncode)

    def _child_of(self, pid: int) -> Child | None:
        for child in self.children.values():
            if child.process is not None and child.process.pid == pid:
                return child
        return None

    def _ended(self, child: Child, status: int) -> None:
        child.process = child.identity = None
        if child.once:
            child.status = status
            return
        lived = time.monotonic() - child.started
        child.failures = 0 if lived > HEALTHY_SECONDS else child.failures
        wait = BACK_OFF_SECONDS[min(child.failures, len(BACK_OFF_SECONDS) - 1)]
        child.failures += 1
        child.due = time.monotonic() + wait
        if status == CANNOT_SERVE and not self.ready and not self.stopping:
            self.say(f"{child.name} cannot start.{self._last_lines(child, status)}" if not self.refused else "")
            self.refused = True
        elif not self.stopping:
            how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            self.say(
                f"{child.name} ended ({how}); it starts again in {wait:g} s.{self._last_lines(child, status)}"
            )

    def _last_lines(self, child: Child, status: int) -> str:
        if status <= 0:
            return ""
        path = self.home / "log" / f"{child.name}.log"
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 2000))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()[-5:]
        return "".join(f"\n    {line[:300]}" for line in lines) + f"\n  All of it: {path}"

    # Looking after

    def _look_ready(self) -> bool:
        """Whether to go on waiting: False once the time for a start is over (everything is stopped then)."""
        if self._healthy():
            self.ready = True
            self._write_state()
            self.say(f"Ready at {self.url} ({time.monotonic() - self.began:.1f} s).")
            for line in self.closing(self.url) if self.closing else ():
                self.say(line)
            if self.journey is not None:
                self.children["journey"] = Child("journey", [*self.journey, "--url", self.url], once=True)
            return True
        if time.monotonic() - self.began < READY_SECONDS_MAX:
            return True
        self.say(f"Not ready after {READY_SECONDS_MAX:g} s; stopping. The logs are in {self.home / 'log'}.")
        self._stop(jobs=True)
        return False

    def _healthy(self) -> bool:
        loops = [child for child in self.children.values() if child.beat_expected]
        if any(child.process is None or beat_age(self.home, child.name) is None for child in loops):
            return False
        return answers("127.0.0.1" if self.host == "0.0.0.0" else self.host, self.port)  # noqa: S104

    def _look_after(self) -> None:
        """End a loop that has told nothing for too long, and keep the logs bounded."""
        for child in self.children.values():
            age = beat_age(self.home, child.name) if child.beat_expected else None
            if age is not None and age > BEAT_SECONDS_MAX and child.process is not None:
                self.say(f"{child.name} has been silent for {age:.0f} s; ending it.")
                kill_group(child.process.pid)
            bound_log(self.home / "log" / f"{child.name}.log")

    def _write_state(self) -> None:
        children = {
            child.name: {"pid": child.identity.pid, "start": child.identity.start}
            for child in self.children.values()
            if child.identity is not None
        }
        state = {
            "pid": self.identity.pid,
            "start": self.identity.start,
            "port": self.port,
            "url": self.url,
            "ready": self.ready,
            "since": self.began,
            "children": children,
        }
        path = run_folder(self.home) / "supervisor.json"
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(path)

    # Stopping and restarting

    def _stop(self, *, jobs: bool) -> None:
        """End the children in the order in which they need each other, then the jobs, then whatever is left."""
        self.stopping = True
        for name in ("journey", "web", "worker", "follower"):
            child = self.children.get(name)
            if child is not None and child.process is not None:
                self._end(child)
        if not jobs:
            return
        # One folder a cluster; those that are not the local engine's hold no jobs/ and answer 0.
        engines = [path for path in (self.home / "engine").glob("*") if path.is_dir()]
        ended = sum(stop_all(path, JOBS_SECONDS_MAX) for path in engines)
        if ended:
            self.say(f"Ended {ended} running job(s).")
        for identity in descendants(os.getpid()):
            send(identity, signal.SIGKILL)
        self._bury(5.0)

    def _end(self, child: Child) -> None:
        """TERM, then KILL after the child's time or a second Ctrl-C."""
        if child.process is None:
            return
        os.kill(child.process.pid, signal.SIGTERM)  # not reaped yet, so the pid is still this child's
        limit = time.monotonic() + STOP_SECONDS_MAX[child.name]
        while child.process is not None and (left := limit - time.monotonic()) > 0:
            news = signal.sigtimedwait(HANDLED, min(left, TICK_SECONDS))
            if news is not None and news.si_signo == signal.SIGINT:
                break
            self._reap()
        if child.process is not None:
            self.say(f"{child.name} did not end by itself; killing it.")
            kill_group(child.process.pid)
            self._bury_child(child, 5.0)

    def _bury_child(self, child: Child, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while child.process is not None and time.monotonic() < limit:
            signal.sigtimedwait(HANDLED, 0.05)
            self._reap()

    def _bury(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while descendants(os.getpid()) and time.monotonic() < limit:
            signal.sigtimedwait(HANDLED, 0.05)
            self._reap()

    def _fit_to_restart(self) -> bool:
        """Whether the code on disk loads at all; replacing ourselves by code that does not would end the jobs."""
        try:
            check = subprocess.run(
                self.check_command,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                preexec_fn=bind_to_parent(os.getpid(), self.prctl),
            )
        except subprocess.TimeoutExpired:
            self.say("Not restarted: the code did not load within 60 s.")
            return False
        if check.returncode != 0:
            last = check.stderr.strip().splitlines()[-1:] or ["no reason given"]
            why = last[0] if check.returncode == CANNOT_SERVE else f"the code does not load ({last[0]})."
            self.say(f"Not restarted: {why}")
        return check.returncode == 0

    def _replace(self) -> None:
        """Become a new supervisor in place: same pid, same start time, same socket and lock; jobs live on."""
        self.say("Restarting; jobs go on …")
        self._stop(jobs=False)
        if self.lock is None:
            raise Refused("A supervisor without its lock cannot restart.")
        os.set_inheritable(self.lock, True)
        os.set_inheritable(self.web.fileno(), True)
        kept = ["--port", str(self.port), "--lock-fd", str(self.lock), "--listen-fd", str(self.web.fileno())]
        sys.stdout.flush()
        os.execv(sys.executable, [*self.command, *kept])  # noqa: S606 - an argument list, no shell


def kill_group(pid: int) -> None:
    """SIGKILL a child's process group; gone already is good."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def answers(host: str, port: int) -> bool:
    """Whether the web process serves a page; half a second is its limit."""
    connection = HTTPConnection(host, port, timeout=0.5)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def beat_path(home: Path, name: str) -> Path:
    """The file whose time says that the loop ``name`` is not stuck."""
    return run_folder(home) / f"{name}.beat"


def beat(home: Path, name: str) -> None:
    """Tell that the loop ``name`` has come round again."""
    path = beat_path(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def beat_age(home: Path, name: str) -> float | None:
    """Seconds since the loop's last sign of life; None before its first."""
    try:
        return max(0.0, time.time() - beat_path(home, name).stat().st_mtime)
    except FileNotFoundError:
        return None


def bound_log(path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Keep a log and one before it under ``bytes_max`` each; writers append, so emptying the file is safe."""
    try:
        if path.stat().st_size <= bytes_max:
            return
    except FileNotFoundError:
        return
    with path.open("rb+") as file:
        file.seek(-bytes_max, os.SEEK_END)
        path.with_suffix(".log.1").write_bytes(file.read(bytes_max))
        file.truncate(0)


def status_of(home: Path) -> Mapping[str, Any]:
    """For `doctor`: which processes of the tree are alive, by pid and start time."""
    state = read_state(home)
    if state is None:
        return {"running": False}
    children = {
        name: Identity(each["pid"], each["start"]).alive() for name, each in state.get("children", {}).items()
    }
    return {
        "running": True,
        "url": state["url"],
        "pid": state["pid"],
        "ready": state["ready"],
        "children": children,
    }
