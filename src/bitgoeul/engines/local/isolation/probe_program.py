"""What the engine runs under a tier before it trusts it: tries what must not work, says what worked, eats memory.

``python -I probe_program.py CANARY PORT PID``. Every line it prints names a protection that did not bite.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x10000000


def read(canary: str) -> None:
    """Read a file of the engine's home."""
    Path(canary).read_bytes()


def write(canary: str) -> None:
    """Write beside it."""
    Path(canary + ".written").write_bytes(b"x")


def connect(port: str) -> None:
    """Reach a service of this machine."""
    socket.create_connection(("127.0.0.1", int(port)), timeout=2).close()


def look(pid: str) -> None:
    """Read another process's environment."""
    if not Path(f"/proc/{pid}/environ").read_bytes():
        raise OSError


def namespace() -> None:
    """Make a user namespace."""
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
        raise OSError


def works(attempt: Callable[[], None]) -> bool:
    """Whether something that must be refused was not."""
    try:
        attempt()
    except OSError:
        return False
    return True


def main(canary: str, port: str, pid: str) -> None:
    """Try all, then take memory until ended."""
    attempts: dict[str, Callable[[], None]] = {
        "a file of the home could be read": lambda: read(canary),
        "a service of this machine could be reached": lambda: connect(port),
        "another process could be read": lambda: look(pid),
        "a user namespace could be made": namespace,
    }
    works(lambda: write(canary))  # in a container it may, in a directory of its own: who started us looks
    for name, attempt in attempts.items():
        if works(attempt):
            print(name, flush=True)
    print("tried", flush=True)
    kept: list[bytes] = []
    while len(kept) < 256:
        kept.append(os.urandom(1) * 2**20)


if __name__ == "__main__":
    main(*sys.argv[1:])
