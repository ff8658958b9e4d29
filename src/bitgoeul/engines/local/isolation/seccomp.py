"""The seccomp filter: no socket but AF_UNIX, dangerous calls refused, other architectures' calls killed.

A deny list over an allowing default: a call that is newer than this file is allowed. What it must hold alone are
sockets and namespaces; files and processes are held by Landlock or by the container around it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Iterable
from functools import cache

PR_SET_SECCOMP = 22
MODE_FILTER = 2
INSTRUCTION_BYTES = 8

# Names of x86-64 and aarch64; those that an architecture or an old libseccomp does not have are passed over.
REFUSED = (
    *("mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount"),
    *("fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "quotactl_fd", "acct", "fanotify_init"),
    *("unshare", "setns", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp"),
    *("pidfd_getfd", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter"),
    *("io_uring_register", "keyctl", "add_key", "request_key", "kexec_load", "kexec_file_load", "init_module"),
    *("finit_module", "delete_module", "reboot", "syslog", "settimeofday", "clock_settime", "clock_adjtime"),
    *("adjtimex", "sethostname", "setdomainname", "iopl", "ioperm", "modify_ldt", "vhangup", "lookup_dcookie"),
    *("name_to_handle_at", "open_by_handle_at", "uselib", "ustat", "sysfs", "_sysctl", "nfsservctl"),
)
# Newer than the libseccomp of Debian 12; these numbers are the same on both architectures.
REFUSED_NUMBERS = {"open_tree_attr": 467}
NAMESPACES = {
    "CLONE_NEWNS": 0x00020000,
    "CLONE_NEWCGROUP": 0x02000000,
    "CLONE_NEWUTS": 0x04000000,
    "CLONE_NEWIPC": 0x08000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
# Put characters into a terminal's input, which another program then reads.
TERMINAL_INPUT = (0x5412, 0x541C)


class NotHere(Exception):
    """This protection cannot be had here; the text says why."""


@cache
def program() -> bytes:
    """The filter as BPF instructions; raises `NotHere` without libseccomp or on another architecture."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise NotHere(f"seccomp: {error}; install libseccomp2") from error
    try:
        made = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
        made.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
        _fill(made, pyseccomp)
        return _export(made)
    except OSError as error:
        raise NotHere(f"seccomp: {error.strerror}") from error


def _fill(made: object, lib: object) -> None:
    refuse = lib.ERRNO(errno.EPERM)  # type: ignore[attr-defined]
    _rules(made, refuse, [*REFUSED, *REFUSED_NUMBERS.values()])
    for call in ("socket", "socketpair"):
        made.add_rule(refuse, call, lib.Arg(0, lib.NE, int(socket.AF_UNIX)))  # type: ignore[attr-defined]
    for flag in NAMESPACES.values():
        made.add_rule(refuse, "clone", lib.Arg(0, lib.MASKED_EQ, flag, flag))  # type: ignore[attr-defined]
    # Its flags stand in memory, where a filter cannot look; the C library falls back to clone.
    made.add_rule(lib.ERRNO(errno.ENOSYS), "clone3")  # type: ignore[attr-defined]
    for request in TERMINAL_INPUT:
        masked = lib.Arg(1, lib.MASKED_EQ, 0xFFFFFFFF, request)  # type: ignore[attr-defined]
        made.add_rule(refuse, "ioctl", masked)  # type: ignore[attr-defined]


def _rules(made: object, action: int, calls: Iterable[str | int]) -> None:
    for call in calls:
        try:
            made.add_rule(action, call)  # type: ignore[attr-defined]
        except (OSError, ValueError):
            if call in ("mount", "unshare", "ptrace", "bpf"):  # never silently without these
                raise


def _export(made: object) -> bytes:
    handle = os.memfd_create("seccomp")
    with os.fdopen(handle, "rb+") as file:
        made.export_bpf(file)  # type: ignore[attr-defined]
        file.seek(0)
        return file.read()


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def load(instructions: bytes) -> None:
    """Put this process and all it will start under the filter; needs no_new_privs. Raises OSError."""
    loaded = _Program(len(instructions) // INSTRUCTION_BYTES, instructions)
    if _libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(loaded), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
