"""What a hostile program tries: each attack runs as a job, and its effect is looked for from outside.

Bounded and harmless to the machine: small limits, directories and processes of our own, loopback only.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import Ending, JobSpec, Limits, Observation, Phase
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.engines.local.processes import identity_of, marked
from bitgoeul.kernel.ids import new_id

SECRET = "k9-secret-of-somebody-else"
TRY = "import ctypes, os, socket, sys, time\n"
LIMITS = Limits(cores=1, memory_mib=128, wall_seconds=20, processes=16, file_mib=16, work_mib=8)


@dataclass
class Ended:
    """A job that has ended: what the engine says, what it wrote, its records."""

    seen: Observation
    out: str
    errors: str
    job: JobDir

    @property
    def end(self) -> dict:
        return self.job.read("exit") or {}


class World:
    """One engine under one tier, with things around it that jobs must not reach."""

    def __init__(self, home: Path, tier: str) -> None:
        self.home = home
        self.engine = make_engine("local", home / "engine", {"cores": 2, "memory_mib": 4096, "isolation": tier})

    def run(self, code: str, **limits: int) -> Ended:
        """Run ``code`` as a job to its end."""
        argv = ("python", "-c", TRY + code)
        spec = JobSpec(new_id(), "attack", argv, {}, {}, (), Limits(**{**vars(LIMITS), **limits}), {})
        handle = self.engine.submit(spec)
        limit = time.monotonic() + 60
        while (seen := self.engine.poll([handle])[0]).phase != Phase.ENDED:
            assert time.monotonic() < limit
            time.sleep(0.02)
        out, errors = (
            self.engine.read_log(handle, name, 0, 100_000).data.decode() for name in ("stdout", "stderr")
        )
        assert seen.ending != Ending.NOT_STARTED, errors
        return Ended(seen, out, errors, JobDir(self.home / "engine" / "jobs" / handle.reference))

    def reads(self, path: Path | str) -> bool:
        """Whether a job gets at the content of ``path``."""
        done = self.run(f"print(open({str(path)!r}).read())")
        assert "PermissionError" in done.errors or "FileNotFoundError" in done.errors or done.out
        return bool(done.out.strip())

    def secret(self, name: str) -> Path:
        """A file of the installation that only its user may read."""
        path = self.home / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(SECRET, encoding="ascii")
        path.chmod(0o600)
        return path


@contextmanager
def victim(*argv: str, **env: str) -> Iterator[subprocess.Popen]:
    """A process of the platform's user, as the follower is one."""
    process = subprocess.Popen(argv or ("sleep", "120"), env={"PATH": os.environ["PATH"], **env})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def service(family: int, kind: int, address: object) -> Iterator[socket.socket]:
    """Something that listens on this machine."""
    with socket.socket(family, kind) as listening:
        listening.bind(address)
        listening.settimeout(0.2)
        if kind == socket.SOCK_STREAM:
            listening.listen(1)
        yield listening


def somebody_came(listening: socket.socket) -> bool:
    """Whether anything reached the service."""
    try:
        if listening.type == socket.SOCK_STREAM:
            listening.accept()[0].close()
        else:
            listening.recvfrom(100)
    except TimeoutError:
        return False
    return True


# --- attacks: whether they had their effect


def read_job(world: World) -> bool:
    other = world.run(f"open('mine', 'w').write({SECRET!r})")
    return world.reads(other.job.work / "mine")


def read_keys(world: World) -> bool:
    return world.reads(world.secret("keys/centre.key"))


def read_system(world: World) -> bool:
    return world.reads("/etc/shadow" if os.geteuid() == 0 else world.secret("private/mail"))


def write_outside(world: World) -> bool:
    target = world.home / "outside"
    world.run(f"open({str(target)!r}, 'w').write('x')")
    try:
        return target.exists()
    finally:
        target.unlink(missing_ok=True)


def tcp(world: World) -> bool:
    with service(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as listening:
        world.run(f"socket.create_connection({listening.getsockname()}, timeout=2)")
        return somebody_came(listening)


def udp(world: World) -> bool:
    with service(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as listening:
        code = f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {listening.getsockname()})"
        world.run(code)
        return somebody_came(listening)


def dns(world: World) -> bool:
    """A question in the form of RFC 1035 to a name server on loopback; nothing leaves the machine."""
    question = bytes.fromhex("abcd01000001000000000000") + b"\x07example\x02kr\x00" + bytes.fromhex("00010001")
    with service(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as listening:
        code = (
            f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 17).sendto({question!r}, {listening.getsockname()})"
        )
        world.run(code)
        return somebody_came(listening)


def unix_path(world: World) -> bool:
    path = str(world.home / "s")
    with service(socket.AF_UNIX, socket.SOCK_STREAM, path) as listening:
        world.run(f"socket.socket(socket.AF_UNIX).connect({path!r})")
        Path(path).unlink()
        return somebody_came(listening)


def unix_abstract(world: World) -> bool:
    address = f"\0bitgoeul-{new_id()}"
    with service(socket.AF_UNIX, socket.SOCK_STREAM, address) as listening:
        world.run(f"socket.socket(socket.AF_UNIX).connect({address!r})")
        return somebody_came(listening)


def end_another(world: World) -> bool:
    with victim() as process:
        world.run(f"os.kill({process.pid}, 9)")
        time.sleep(0.1)
        return identity_of(process.pid) is None


def ptrace(world: World) -> bool:
    """PTRACE_SEIZE (0x4206): takes hold without stopping the other."""
    with victim() as process:
        done = world.run(f"print(ctypes.CDLL(None).ptrace(0x4206, {process.pid}, None, None))")
        return done.out.strip() == "0"


def environ(world: World) -> bool:
    with victim(TOKEN=SECRET) as process:
        return SECRET in world.run(f"print(open('/proc/{process.pid}/environ').read())").out


def processes(world: World) -> bool:
    code = "\nfor n in os.listdir('/proc'):\n    if n.isdigit(): print(open(f'/proc/{n}/cmdline').read())"
    with victim("sleep", "119.875"):
        return "119.875" in world.run(code).out


USERNS = """
libc = ctypes.CDLL(None)
def clone3():
    args = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
    pid = libc.syscall(435, args, ctypes.sizeof(args))
    if pid == 0: os._exit(0)
    return pid > 0
def clone():
    pid = libc.syscall(56 if os.uname().machine == 'x86_64' else 220, 0x10000000 | 17, 0, 0, 0, 0)
    if pid == 0: os._exit(0)
    return pid > 0
def unshare(): return libc.unshare(0x10000000) == 0
"""


def userns(world: World) -> bool:
    """By each of the three calls that can make one."""
    code = USERNS + "print([f.__name__ for f in (clone3, clone, unshare) if f()])"
    return world.run(code).out.strip() != "[]"


def mount(world: World) -> bool:
    """As it stands, and again in namespaces of its own."""
    code = (
        USERNS + "os.mkdir('m')\nmade = libc.mount(b'none', b'm', b'tmpfs', 0, None) == 0\n"
        "made = made or (libc.unshare(0x10020000) == 0 and libc.mount(b'none', b'm', b'tmpfs', 0, None) == 0)\n"
        "print(made); libc.umount2(b'm', 2)"
    )
    return world.run(code).out.strip() == "True"


ESCAPEE = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        open("escaped", "w").write("x")
        time.sleep(60)
    os._exit(0)
while not os.path.exists("escaped"): time.sleep(0.01)
"""


def escape(world: World) -> bool:
    done = world.run(ESCAPEE)
    return marked(done.job.path.name) != []


EFFECTS: dict[str, Callable[[World], bool]] = {
    "read_job": read_job,
    "read_keys": read_keys,
    "read_system": read_system,
    "write_outside": write_outside,
    "tcp": tcp,
    "udp": udp,
    "dns": dns,
    "unix_path": unix_path,
    "unix_abstract": unix_abstract,
    "signal": end_another,
    "ptrace": ptrace,
    "environ": environ,
    "processes": processes,
    "userns": userns,
    "mount": mount,
    "escape": escape,
}
