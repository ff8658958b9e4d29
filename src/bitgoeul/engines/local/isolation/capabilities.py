"""Give up every capability, for jobs of a platform that runs as root."""

from __future__ import annotations

import ctypes
import os
import struct

PR_CAPBSET_DROP = 24
PR_CAP_AMBIENT = 47
CLEAR_ALL = 4
VERSION_3 = 0x20080522
CAPABILITIES_MAX = 64

_libc = ctypes.CDLL(None, use_errno=True)


def drop_all() -> None:
    """No capability from here on; with no_new_privs none comes back at exec, even for root. Raises OSError."""
    _libc.prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)
    for number in range(CAPABILITIES_MAX):
        if _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:  # past the last one, or not allowed: see below
            break
    head, none = struct.pack("=Ii", VERSION_3, 0), bytes(24)
    if _libc.capset(head, none) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
