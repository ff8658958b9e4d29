"""A private PostgreSQL server: its own data directory, its own port on loopback, its own socket directory.

python tools/postgres.py run DIRECTORY          in the foreground until Ctrl-C; data stays in DIRECTORY
python tools/postgres.py with COMMAND …         a throwaway server around one command, which finds its
                                                URL in TEST_DATABASE_URL

Standard library only. It never touches a cluster of the system: it only stops the process that it started. Started
by root, the server runs as the user of Debian's package.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trouble import Trouble

PACKAGE = "postgresql"
VERSION_MIN = 15
SERVER_USER = "postgres"
ROLE = "bitgoeul"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
SOCKET_PATH_BYTES_MAX = 107
PR_SET_PDEATHSIG = 1
URL_VARIABLE = "TEST_DATABASE_URL"
# What one private server needs: many small databases, and neither a log nor statistics worth keeping.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "timezone": "UTC",
}


def programs() -> Path | None:
    """The directory of the newest server's programs that is new enough; None when there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    fitting = [(version, path) for path in found if (version := version_of(path)) >= VERSION_MIN]
    return max(fitting)[1] if fitting else None


def version_of(folder: Path) -> int:
    """The major version of the server in ``folder``; 0 when it does not say."""
    done = subprocess.run([folder / "postgres", "-V"], capture_output=True, text=True, timeout=20, check=False)
    number = re.search(r"\) (\d+)", done.stdout)
    return int(number[1]) if number else 0


def need_programs() -> Path:
    """The server's programs; raises `Trouble` with the line that installs them."""
    folder = programs()
    if folder is None:
        raise Trouble(
            f"PostgreSQL {VERSION_MIN} or later is not installed.",
            f"sudo apt-get install --yes --no-install-recommends {PACKAGE}\nThen run the same command again.",
        )
    return folder


def free_port() -> int:
    """A port that nobody has now, below those that the kernel gives to outgoing connections.

    One of theirs would soon be some client's, and who starts a moment later could not listen on it.
    """
    for _try in range(1_000):
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    raise Trouble("No port from 15000 to 32000 is free.", "End what listens there, then try again.")


def dies_with_parent() -> Callable[[], None]:
    """For between fork and exec: the server shuts down fast when this process is gone, however it went."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def hook() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return hook


class Server:
    """One server on one directory, which it makes and fills when it is empty.

    ``start``, ``stop`` and ``kill`` may follow each other; the data and the port stay.
    """

    def __init__(self, folder: Path) -> None:
        self.bin = need_programs()
        self.folder = folder.resolve()
        self.data, self.log = self.folder / "data", self.folder / "server.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.user = SERVER_USER if os.geteuid() == 0 else None

    # Making

    def _make(self) -> None:
        """Folder, password and cluster, once; a directory that holds something else is refused."""
        if (self.data / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise Trouble(f"{self.folder} holds something else than a server.", "Name an empty or new directory.")
        self._own(self.folder)
        self._check_reachable()
        (self.folder / "socket").mkdir(mode=0o700)
        self._own(self.folder / "socket")
        secret = self.folder / "password"
        secret.touch(0o600)
        secret.write_text(secrets.token_urlsafe(24) + "\n", encoding="ascii")
        self._own(secret)
        arguments = ["-D", str(self.data), "-U", ROLE, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
        # As docs/how-to/production-postgresql.md makes it: Korean order, the same on every machine.
        arguments += ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=ko-KR"]
        done = self._run([str(self.bin / "initdb"), *arguments])
        if done.returncode:
            raise Trouble(
                f"The database server could not be made.\n{done.stdout[-2000:]}", f"See {self.folder}", 1
            )

    def _own(self, path: Path) -> None:
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _check_reachable(self) -> None:
        """The server's user must be able to walk to the folder; /root and private directories are closed to it."""
        if self._run(["test", "-w", str(self.folder)]).returncode:
            raise Trouble(
                f"The user {self.user} cannot reach {self.folder}.",
                "Root may not run the server itself. Name a directory that others can reach, as under /var/tmp.",
            )

    def _as_user(self) -> dict[str, Any]:
        """How a process becomes the server's user."""
        if not self.user:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=START_SECONDS_MAX, check=False, env=self._environ(), **self._as_user(),
        )  # fmt: skip

    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}

    # Running

    @property
    def password(self) -> str:
        """The password of the role that owns everything here."""
        return (self.folder / "password").read_text(encoding="ascii").strip()

    def url(self, name: str = "postgres") -> str:
        """The URL of one database of this server, by TCP on loopback."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{name}"

    def start(self, **settings: str) -> Server:
        """Make what is missing, start, and return when it answers; raises `Trouble` with the end of its log."""
        self._make()
        known, self.port = self.port, self.port or free_port()
        limit = time.monotonic() + START_SECONDS_MAX
        while not self._try_start(SETTINGS | settings, limit):
            # After a kill the old server's last processes may still hold its memory for a moment.
            if time.monotonic() > limit:
                raise Trouble(f"The database server does not start.\n{self._last_lines()}", f"See {self.log}", 1)
            time.sleep(0.2)
            self.port = known or free_port()
        return self

    def _try_start(self, settings: dict[str, str], limit: float) -> bool:
        options = {**settings, "port": str(self.port), "unix_socket_directories": self._socket_folder()}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.bin / "postgres"), "-D", str(self.data), *words],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ(),
                start_new_session=True, preexec_fn=dies_with_parent(), **self._as_user(),
            )  # fmt: skip
        while self.process.poll() is None and time.monotonic() < limit:
            if self.answers():
                return True
            time.sleep(0.05)
        return False

    def _socket_folder(self) -> str:
        """Its own directory; none when the path is too long for a socket (TCP serves all the same)."""
        path = f"{self.folder / 'socket'}/.s.PGSQL.{self.port}"
        return str(self.folder / "socket") if len(path.encode()) <= SOCKET_PATH_BYTES_MAX else ""

    def answers(self) -> bool:
        """Whether connections are taken now."""
        command = [str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "3"]
        return subprocess.run(command, timeout=20, check=False, env=self._environ()).returncode == 0

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])

    def stop(self) -> None:
        """End every connection and shut down in order; again changes nothing."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(STOP_SECONDS_MAX)

    def kill(self) -> None:
        """kill -9, as a machine that lost its power: what was committed must be there after the next start."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_SECONDS_MAX)

    def remove(self) -> None:
        """Stop and take everything away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def throwaway(**settings: str) -> Iterator[Server]:
    """A server in a new temporary directory, gone afterwards."""
    # Not below a private directory: started by root the server is another user.
    server = Server(Path(tempfile.mkdtemp(prefix="bitgoeul-postgres-", dir="/var/tmp")))
    try:
        yield server.start(**settings)
    finally:
        server.remove()


def clean_up_when_ended() -> None:
    """Let SIGTERM and SIGHUP end this program as Ctrl-C does, so that its servers go with it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def run(folder: Path) -> int:
    """Serve ``folder`` until a signal; tells the URL."""
    server = Server(folder)
    try:
        server.start()
        (server.folder / "url").touch(0o600)
        (server.folder / "url").write_text(server.url() + "\n", encoding="ascii")
        print(
            f"PostgreSQL answers. Use it with\n  BITGOEUL_DATABASE_URL_FILE={server.folder}/url ./run", flush=True
        )
        assert server.process is not None
        return server.process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()


def around(command: Sequence[str]) -> int:
    """Run one command with a throwaway server; its exit status."""
    with throwaway() as server:
        environ = os.environ | {URL_VARIABLE: server.url()}
        return subprocess.run(command, env=environ, check=False).returncode


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/postgres.py", description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("run", help="serve a directory until Ctrl-C").add_argument("folder", type=Path)
    around_one = actions.add_parser("with", help="run a command with a throwaway server")
    around_one.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    clean_up_when_ended()
    try:
        return run(given.folder) if given.action == "run" else around(given.command)
    except KeyboardInterrupt:
        return 130
    except Trouble as trouble:
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        return trouble.status


if __name__ == "__main__":
    sys.exit(main())
