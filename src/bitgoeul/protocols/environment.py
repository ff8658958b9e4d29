"""What the measuring machine was like: packages with digests, processor, load and stolen time."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Iterable
from importlib import metadata, resources
from pathlib import Path
from statistics import median
from typing import Any

SHARED = "bitgoeul.protocols"


def describe(packages: Iterable[str], harness: str) -> dict[str, Any]:
    """Python, kernel, processor and the packages that take part; a package's digest is that of its RECORD file.

    ``harness``: the module that holds the harness's own source.
    """
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "isolation": os.environ.get("BITGOEUL_ISOLATION", ""),
        "cores": os.cpu_count() or 0,
        "cores_allowed": len(os.sched_getaffinity(0)),
        "packages": [_package(name) for name in packages],
        "harness_digest": harness_digest(harness),
    }


def harness_digest(harness: str) -> str:
    """SHA-256 over the harness's, the shared and the targets' own source files, in name order."""
    total = hashlib.sha256()
    for package in (harness, SHARED, "bitgoeul.targets"):
        files = sorted(
            (f for f in resources.files(package).iterdir() if f.name.endswith(".py")), key=lambda f: f.name
        )
        for file in files:
            total.update(f"{package}/{file.name}\n".encode() + file.read_bytes())
    return total.hexdigest()


def load() -> dict[str, int]:
    """Load average of the last minute (thousandths) and the machine's processor time so far, in clock ticks."""
    ticks = [int(part) for part in _first_line("/proc/stat").split()[1:9]] or [0] * 8
    return {
        "load_1min_milli": round(os.getloadavg()[0] * 1000),
        "ticks_total": sum(ticks),
        "ticks_idle": ticks[3] + ticks[4],
        "ticks_stolen": ticks[7],
    }


def stamp_cost_ns(rounds: int = 2001) -> int:
    """The median distance of two clock readings that follow each other: what one pair of stamps costs."""
    clock = time.perf_counter_ns
    return int(median([-(clock() - clock()) for _ in range(rounds)]))


def _package(name: str) -> dict[str, str]:
    found = metadata.distribution(name)
    listing = found.read_text("RECORD") or ""
    return {"name": name, "version": found.version, "digest": hashlib.sha256(listing.encode()).hexdigest()}


def _processor() -> str:
    return _after("model name", _lines("/proc/cpuinfo")) or platform.processor() or "unknown"


def _after(key: str, lines: Iterable[str]) -> str:
    for line in lines:
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return ""


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _first_line(path: str) -> str:
    lines = _lines(path)
    return lines[0] if lines else ""
