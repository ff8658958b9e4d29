"""Which targets are installed, and how one is made. The built-in ones come through the same door.

What the centre's own package brings runs inside the measuring child. Anybody else's class is only named by its
entry point: it is imported and made in a process of its own, never beside the referee's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any

from bitgoeul.targets.process import ProcessTarget
from bitgoeul.trials.ports import Fault, SubjectFault, Target

GROUP = "bitgoeul.targets"
OWN = "bitgoeul"


def names() -> list[str]:
    """The codes of all installed targets, in order."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def make(code: str, options: Mapping[str, str], *, complaints: Path | None = None) -> Target:
    """The target ``code`` with these options; raises SubjectFault (NOT_READY) saying which are installed.

    ``complaints``: a file for what a process of the target's own writes to standard error.
    """
    entry = _entry(code)
    if _own(entry):
        target: Target = entry.load()(options)
        return target
    return ProcessTarget(entry.value, options, complaints=complaints)


def in_process(code: str) -> bool:
    """Whether the target runs inside the measuring child."""
    return _own(_entry(code)) and code not in ("python", "pipe")


def packages(code: str) -> Sequence[Mapping[str, str]]:
    """The packages that the target stands on: name, version, SHA-256 of its list of files."""
    entry = _entry(code)
    own = _own(entry)
    wanted = getattr(entry.load(), "packages", ()) if own else ()
    found = [] if own or entry.dist is None else [package(entry.dist)]
    return found + [package(each) for each in filter(None, map(_installed, wanted))]


def package(found: Distribution) -> dict[str, str]:
    """Name, version and the digest of the installed files' own list."""
    listing = found.read_text("RECORD") or ""
    return {
        "name": found.metadata["Name"],
        "version": found.version,
        "digest": hashlib.sha256(listing.encode()).hexdigest(),
    }


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _entry(code: str) -> EntryPoint:
    found = list(entry_points(group=GROUP, name=code))
    if not found:
        raise SubjectFault(
            Fault.NOT_READY, f"no target “{code}” is installed here; installed are: {', '.join(names())}"
        )
    values = {entry.value for entry in found}
    if len(values) > 1:
        raise SubjectFault(Fault.NOT_READY, f"two targets call themselves “{code}”: {', '.join(sorted(values))}")
    return found[0]


def _own(entry: EntryPoint) -> bool:
    name: Any = entry.dist.metadata["Name"] if entry.dist is not None else ""
    return str(name).lower() == OWN
