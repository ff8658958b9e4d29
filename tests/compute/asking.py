"""Short ways to say what a job should run."""

from __future__ import annotations

from bitgoeul.compute.ports import Limits
from bitgoeul.compute.types import JobRequest


def request(*argv: str, **changes) -> JobRequest:
    """A small request; limits by name."""
    limits = {"cores": 1, "memory_mib": 512, "wall_seconds": 20, "processes": 16, "file_mib": 16}
    limits.update({name: changes.pop(name) for name in list(changes) if name in limits})
    return JobRequest(argv=argv or ("true",), limits=Limits(**limits), **changes)


def python(code: str, **changes) -> JobRequest:
    """A request that runs Python code."""
    return request("python", "-c", code, **changes)
