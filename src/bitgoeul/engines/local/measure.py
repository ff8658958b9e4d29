"""What a job wrote and what it ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from .jobdir import JobDir

FILES_MAX = 50_000


def measure_files(directory: JobDir) -> tuple[int, int, int]:
    """Bytes in all, bytes of the largest file and number of entries of what the job wrote; links not followed."""
    count = 0
    todo = [directory.work, directory.path / "tmp"]
    sizes = [size_of(directory.path / name) for name in ("stdout", "stderr")]
    while todo and count <= FILES_MAX:
        try:
            entries = list(os.scandir(todo.pop()))
        except OSError:
            continue  # the job removed it while we looked
        count += len(entries)
        todo += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        sizes += [size_of(Path(entry.path)) for entry in entries if entry.is_file(follow_symlinks=False)]
    return sum(sizes), max(sizes, default=0), count


def size_of(path: Path) -> int:
    """A file's size in bytes, 0 when it is gone."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def is_plain(path: Path) -> bool:
    """Whether a plain file stands there; a link does not count."""
    return path.is_file() and not path.is_symlink()


def describe_machine() -> dict[str, str]:
    """What the job ran on, for its page and for records; nothing that names a person."""
    return {
        "engine": "local",
        "kernel": platform.release(),
        "machine": platform.machine(),
        "processors": str(len(os.sched_getaffinity(0))),
        "processor": _processor(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
