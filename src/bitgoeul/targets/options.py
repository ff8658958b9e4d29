"""What the built-in targets share: options that are refused by name, and the processor's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bitgoeul.trials.ports import Fault, SubjectFault


def only(options: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse an option that the target does not have; SubjectFault (NOT_READY) names those it has."""
    names = sorted(known)
    for name in options:
        if name not in names:
            raise SubjectFault(
                Fault.NOT_READY, f"the target has no option “{name}”; it has: {', '.join(names) or 'none'}"
            )


def chosen(options: Mapping[str, str], name: str, default: str, there: Sequence[str]) -> str:
    """The one option ``name``, which must be among ``there``; SubjectFault (NOT_READY) names those."""
    only(options, [name])
    value = options.get(name, default)
    if value not in there:
        raise SubjectFault(
            Fault.NOT_READY, f"the installed runtime has no {name} “{value}”; it has: {', '.join(there) or 'none'}"
        )
    return value


def processor() -> dict[str, str]:
    """``chip``: the processor as its kernel names it; nothing where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(names, "")
    return {"chip": name} if name else {}
