"""Landlock by system call: a process may read and write only what it was given; see landlock(7)."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
GET_VERSION = 1
PATH_BENEATH = 1
SIGNALS_ABI = 6

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = (1 << bit for bit in range(4))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
# The highest file right of each interface version.
FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
TCP_BIND_AND_CONNECT = 0b11
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
READ = EXECUTE | READ_FILE | READ_DIR
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def version() -> int:
    """The kernel's Landlock interface; raises OSError when it has none or it is switched off."""
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(GET_VERSION))


def attributes(abi: int) -> bytes:
    """What a ruleset of this kernel handles; pure. Rights that an old kernel does not know would be refused."""
    files = FILE_RIGHTS[min(abi, max(FILE_RIGHTS))]
    if abi < 4:
        return struct.pack("=Q", files)
    if abi < SIGNALS_ABI:
        return struct.pack("=QQ", files, TCP_BIND_AND_CONNECT)
    return struct.pack("=QQQ", files, TCP_BIND_AND_CONNECT, ABSTRACT_SOCKETS_AND_SIGNALS)


def ruleset(listed: Iterable[Path], readable: Iterable[Path], writable: Iterable[Path]) -> int:
    """A descriptor of a ruleset: names below ``listed``, reading and running below ``readable``, all below
    ``writable``; else nothing.

    No TCP port may be bound or connected. Paths that do not exist are passed over. Raises OSError.
    """
    abi = version()
    wanted = attributes(abi)
    every = FILE_RIGHTS[min(abi, max(FILE_RIGHTS))]
    handle = _call(CREATE_RULESET, wanted, ctypes.c_size_t(len(wanted)), ctypes.c_uint32(0))
    for paths, rights in ((listed, READ_DIR), (readable, READ), (writable, every)):
        for path in paths:
            _allow(handle, path, rights & every)
    return handle


def _allow(handle: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= ON_A_FILE
        rule = struct.pack("=Qi", rights, place)
        _call(ADD_RULE, ctypes.c_int(handle), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(place)


def restrict(handle: int) -> None:
    """Put this process and all it will start under the ruleset; needs no_new_privs. Raises OSError."""
    _call(RESTRICT_SELF, ctypes.c_int(handle), ctypes.c_uint32(0))
