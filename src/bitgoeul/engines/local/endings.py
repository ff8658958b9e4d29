"""Why a job ended, decided from what the wrapper saw. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bitgoeul.compute.ports import Ending, Limits

Params = Mapping[str, str | int]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """What the wrapper knows at the end.

    ``cause`` is set when the wrapper itself ended the job. ``status`` is the program's exit status, negative for
    a signal, None when it never started. ``largest_file`` is in bytes, memory in KiB as the watch saw it;
    ``oom_kills`` counts processes that the kernel ended at the job's memory limit.
    """

    cause: Ending | None
    status: int | None
    memory_kib_max: int = 0
    largest_file: int = 0
    missing_outputs: Sequence[str] = ()
    detail: str = ""
    oom_kills: int = 0


@dataclass(frozen=True)
class Verdict:
    """The ending, the places of its sentence, and the exit code a shell would show."""

    ending: Ending
    params: Params = field(default_factory=dict)
    exit_code: int | None = None


def classify(seen: Seen, limits: Limits) -> Verdict:
    """Name the ending: what the wrapper did first, then what the program's end looks like."""
    code = _shell_code(seen.status)
    if seen.cause is not None:
        return Verdict(seen.cause, _limit_params(seen.cause, limits) | {"detail": seen.detail}, code)
    if seen.status == 0:
        return _succeeded(seen, code)
    limit = _hit_limit(seen, limits)
    if limit is not None:
        return Verdict(limit, _limit_params(limit, limits), code)
    if seen.status is not None and seen.status < 0:
        return Verdict(Ending.SIGNALLED, {"signal": _signal_name(-seen.status)}, code)
    return Verdict(Ending.EXIT_STATUS, {"exit_code": code if code is not None else -1}, code)


def _succeeded(seen: Seen, code: int | None) -> Verdict:
    if seen.missing_outputs:
        return Verdict(Ending.OUTPUT_MISSING, {"detail": ", ".join(seen.missing_outputs)}, code)
    return Verdict(Ending.COMPLETED, {}, code)


def _hit_limit(seen: Seen, limits: Limits) -> Ending | None:
    """A limit that the kernel enforced: some runtimes turn its signal or refusal into a plain failure."""
    if seen.status in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ) or seen.largest_file >= limits.file_mib * MIB:
        return Ending.FILE_LIMIT
    if seen.status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        return Ending.CPU_LIMIT
    if seen.oom_kills or seen.memory_kib_max >= limits.memory_mib * 1024:
        return Ending.MEMORY_LIMIT
    return None


def _limit_params(ending: Ending, limits: Limits) -> dict[str, str | int]:
    limit = {
        Ending.TIME_LIMIT: limits.wall_seconds,
        Ending.CPU_LIMIT: limits.cores * limits.wall_seconds,
        Ending.MEMORY_LIMIT: limits.memory_mib,
        Ending.PROCESS_LIMIT: limits.processes,
        Ending.FILE_LIMIT: limits.file_mib,
    }.get(ending)
    return {} if limit is None else {"limit": limit}


def _shell_code(status: int | None) -> int | None:
    return 128 - status if status is not None and status < 0 else status


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
