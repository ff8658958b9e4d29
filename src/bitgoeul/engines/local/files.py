"""Small JSON records written so that a crash leaves the old one or the new one, and locks that die with us."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def write_record(path: Path, record: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write ``path`` in one step: a temporary file, flushed to disk when ``durable``, then renamed over it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(record, file, ensure_ascii=False, sort_keys=True)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync_directory(path.parent)


def read_record(path: Path) -> Record | None:
    """The record, or None when there is none."""
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return record


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file_system(path: Path) -> None:
    """Make durable what was written on the file system of ``path``, once for many files: syncfs(2)."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(handle)


def try_lock(path: Path) -> int | None:
    """Take the file's lock without waiting: a descriptor that holds it until closed, or None when it is held.

    The lock belongs to the open file: a process that inherits the descriptor holds it on after we are gone, and
    the kernel lets go of it when the last holder dies, however it dies.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def is_held(path: Path) -> bool:
    """Whether some process holds the file's lock now; ask only under the engine's own lock."""
    if not path.exists():
        return False
    handle = try_lock(path)
    if handle is None:
        return True
    os.close(handle)
    return False


@contextmanager
def locked(path: Path, wait_seconds: float = 10.0) -> Iterator[None]:
    """Hold the engine's lock; raises TimeoutError when another process keeps it too long.

    Sections under it do no copying and no waiting, so that all callers get their turn.
    """
    limit = time.monotonic() + wait_seconds
    handle = try_lock(path)
    while handle is None:
        if time.monotonic() > limit:
            raise TimeoutError(f"{path} is held by another process")
        time.sleep(0.002)
        handle = try_lock(path)
    try:
        yield
    finally:
        os.close(handle)
