"""bubblewrap: the command line of a container, and what it tells about the program in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import places
from .seccomp import NotHere

NOBODY = 65534
TMPFS_BYTES = 64 * 1024 * 1024
NEEDED = ("--size", "--json-status-fd", "--remount-ro", "--unshare-user")
OWN_PROCESSES = 2  # bubblewrap outside and its init inside


def find() -> tuple[str, bool]:
    """Path of bwrap and whether it can forbid nested user namespaces; raises `NotHere`."""
    path = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")
    if path is None:
        raise NotHere("bubblewrap is not installed")
    told = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=10, check=False)
    options = told.stdout + told.stderr
    missing = [option for option in NEEDED if option not in options]
    if missing:
        raise NotHere(f"this bubblewrap has no {', '.join(missing)}; 0.8 or newer is needed")
    return path, "--disable-userns" in options


def command(
    path: str, *, disable_userns: bool, work: Path, tmp: Path, status_fd: int, filter_fd: int, argv: Sequence[str]
) -> list[str]:
    """The whole command line. Paths inside are those outside, so that nothing else need know of the container."""
    return [
        path,
        *("--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *(["--disable-userns"] if disable_userns else []),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"),
        *("--die-with-parent", "--new-session", "--hostname", "job", "--cap-drop", "ALL"),
        *("--proc", "/proc", "--dev", "/dev"),
        *_tmpfs("/dev/shm"),  # noqa: S108 - the container's own
        *("--remount-ro", "/dev"),
        *_tmpfs("/tmp"),  # noqa: S108 - the container's own
        *_system(),
        *_each("--ro-bind-try", (*map(Path, (*places.SETTINGS, *places.MACHINE)), *places.code())),
        *_each("--bind", (work, tmp)),
        *("--remount-ro", "/", "--chdir", str(work)),
        *("--json-status-fd", str(status_fd), "--seccomp", str(filter_fd), "--"),
        *argv,
    ]


def _tmpfs(place: str) -> list[str]:
    return ["--size", str(TMPFS_BYTES), "--tmpfs", place]


def _system() -> list[str]:
    """/usr and the like; where /bin is a link into /usr the container gets the same link."""
    options: list[str] = []
    for place in map(Path, places.SYSTEM):
        if place.is_symlink():
            options += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            options += ["--ro-bind", str(place), str(place)]
    return options


def _each(option: str, paths: Sequence[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path), str(path))]


def read_status(text: str) -> dict[str, int]:
    """What bubblewrap wrote to its status descriptor: ``child-pid``, and ``exit-code`` if a program ran. Pure."""
    told: dict[str, int] = {}
    for line in text.splitlines():
        try:
            told.update(json.loads(line))
        except ValueError:  # a line half written when it died
            continue
    return told


def program_status(code: int) -> int:
    """The program's own status from bubblewrap's: 128 + n stands for signal n. Pure."""
    return 128 - code if 128 < code <= 128 + 64 else code
