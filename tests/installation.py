"""A real installation for tests that need the real processes: own home, own port, own process tree.

`template_home` is migrated and loaded with the example once a run; every `installation` starts from a copy of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

import databases
from bitgoeul.engines.local.processes import Identity, all_pids, descendants, identity_of
from bitgoeul.site import supervisor

T = TypeVar("T")
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
COMMAND_SECONDS_MAX = 120.0


def wait_for(what: Callable[[], T], seconds: float = 20.0, every: float = 0.05) -> T:
    """What ``what`` returns once it is true; AssertionError after ``seconds``."""
    limit = time.monotonic() + seconds
    while True:
        if found := what():
            return found
        if time.monotonic() > limit:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process of that home, free of the test run's own settings; it names its database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BITGOEUL_")}
    own = {"BITGOEUL_HOME": str(home), "DJANGO_SETTINGS_MODULE": "bitgoeul.site.settings"}
    return kept | own | databases.settings_of(home) | more


def command(home: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `bitgoeul …` on that home and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "bitgoeul.site.cli", *arguments],
        env=environment(home, **options.pop("environ", {})),
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", COMMAND_SECONDS_MAX),
        check=False,
        **options,
    )


def copy_home(source: Path, target: Path) -> Path:
    """Copy a home at rest, with its database."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("bitgoeul.sqlite3*", "run"), dirs_exist_ok=True)
    databases.copy(source, target)
    return target


class Installation:
    """One home, and the process tree on it while it is up."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None
        self.terminal = home / "terminal.txt"

    def start(self, *arguments: str, port: int = 0, ready: bool = True, **environ: str) -> Installation:
        """`bitgoeul up` on a free port; waits until it is ready."""
        with self.terminal.open("ab") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bitgoeul.site.cli", "up", "--port", str(port), *arguments],
                env=environment(self.home, **environ),
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
            )
        if ready:
            wait_for(self._ready, READY_SECONDS_MAX)
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"ended at start:\n{self.said()}{self.log('web')[-3000:]}"
        state = self.state()
        return bool(state and state["ready"])

    def state(self) -> dict[str, Any] | None:
        """What the supervisor says of itself; None while there is none."""
        return supervisor.read_state(self.home)

    @property
    def url(self) -> str:
        """The address of the portal."""
        state = self.state()
        assert state is not None, self.said()
        return f"http://127.0.0.1:{state['port']}"

    def child(self, name: str) -> Identity:
        """Pid and start time of web, worker or follower."""
        state = self.state()
        assert state is not None, self.said()
        each = state["children"][name]
        return Identity(each["pid"], each["start"])

    def everyone(self) -> list[Identity]:
        """The supervisor and all below it, alive now."""
        assert self.process is not None
        itself = identity_of(self.process.pid)
        return [*([itself] if itself else []), *descendants(self.process.pid)]

    def kill(self, name: str) -> None:
        """kill -9 one child; it may just have died by itself."""
        try:
            os.kill(self.child(name).pid, signal.SIGKILL)
        except (KeyError, ProcessLookupError):
            return

    def said(self) -> str:
        """Everything on the terminal so far."""
        return self.terminal.read_text(encoding="utf-8", errors="replace") if self.terminal.exists() else ""

    def log(self, name: str) -> str:
        """The log of one child."""
        path = self.home / "log" / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def client(self, **options: Any) -> httpx.Client:
        """A browser-like client with its own cookies."""
        return httpx.Client(base_url=self.url, follow_redirects=True, timeout=30.0, **options)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """`bitgoeul …` on this home."""
        return command(self.home, *arguments, **options)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End the tree; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=STOP_SECONDS_MAX)

    def close(self) -> None:
        """Leave nothing running, whatever the test did."""
        try:
            self._end()
        finally:
            databases.drop(self.home)

    def _end(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        try:
            self.stop(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            for identity in self.everyone():
                os.kill(identity.pid, signal.SIGKILL)
            self.process.wait(timeout=STOP_SECONDS_MAX)
            raise


def processes_of(home: Path) -> list[Identity]:
    """Every live process that was started for that home, whoever its parent is now; a zombie is dead."""
    marker, found = f"BITGOEUL_HOME={home}".encode(), []
    for pid in all_pids():
        identity = identity_of(pid)
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if identity is not None and marker in environ:
            found.append(identity)
    return found


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that is migrated and holds the example, sealed; never started, only copied."""
    home = tmp_path_factory.mktemp("template-home")
    for arguments in (("migrate",), ("example", "load"), ("audit", "verify")):
        done = command(home, *arguments, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def stopped_installation(template_home: Path, tmp_path: Path) -> Iterator[Installation]:
    """A fresh copy of the example, not running; start it yourself."""
    found = Installation(copy_home(template_home, tmp_path / "home"))
    yield found
    found.close()


@pytest.fixture
def installation(stopped_installation: Installation) -> Installation:
    """A fresh copy of the example with its process tree ready on a free port; stopped after the test."""
    return stopped_installation.start()


@pytest.fixture(scope="module")
def shared_installation(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One running copy for a whole module of tests that do not disturb each other."""
    found = Installation(copy_home(template_home, tmp_path_factory.mktemp("shared") / "home"))
    yield found.start()
    found.close()
