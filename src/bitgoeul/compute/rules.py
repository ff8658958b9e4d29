"""What a job may ask, what it will cost, from which allocations it is held. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text

from .ports import FILE_NAME, Ending, Limits, UsageRecord
from .types import JobRequest, NotEnoughLeft

CORE_UNIT = "core_ms"
QUEUE_DAYS = 30
NAME_MAX = 120
ITEMS_MAX = 64
FILES_MAX = 16
FILE_BYTES_MAX = 1024 * 1024
ARGUMENTS_MAX = 256
TEXT_MAX = 8 * 1024
ARGUMENTS_BYTES_MAX = 64 * 1024
DIGEST = re.compile(r"[0-9a-f]{64}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
OWN_PREFIX = "BITGOEUL_"
RANGES: Mapping[str, tuple[int, int]] = {
    "cores": (1, 1024),
    "memory_mib": (16, 4 * 1024 * 1024),
    "wall_seconds": (1, 7 * 86400),
    "processes": (1, 4096),
    "file_mib": (1, 65536),
    "work_mib": (1, 1024 * 1024),
}
AFTER_MAX = 16
JOBS_MAX = 1_000
ALL_SHORT_OF_CORES = N_(
    "All {jobs} jobs need up to {need} core-seconds, and {available} are left: enough for {reaches_for} of them."
)
ALL_SHORT_OF_DEVICES = N_(
    "All {jobs} jobs need up to {need} device-seconds of {unit}, and {available} are left: "
    "enough for {reaches_for} of them."
)
NONE_FIT_CORES = N_(
    "All {jobs} jobs need up to {need} core-seconds, and {available} are left: not enough for any of them."
)
NONE_FIT_DEVICES = N_(
    "All {jobs} jobs need up to {need} device-seconds of {unit}, and {available} are left: "
    "not enough for any of them."
)
ACTIONS: Mapping[Ending, str] = {
    Ending.COMPLETED: "succeed",
    Ending.TIME_LIMIT: "time_out",
    Ending.CANCELLED: "cancel",
}


def action_for(ending: Ending) -> str:
    """The move of the state table for an ending; whatever is not named is a failure."""
    return ACTIONS.get(ending, "fail")


def check_name(name: str) -> str:
    """A job's name, trimmed; raises BadInput."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_MAX:
        raise BadInput(N_("Give a name of 1 to {limit} characters."), field="name", limit=NAME_MAX)
    return name


def check_request(request: JobRequest, devices: Mapping[str, str]) -> JobRequest:
    """The request itself when it can be run; raises BadInput that names the field and what would be right.

    ``devices`` maps the names a cluster offers to ledger units.
    """
    check_limits(request.limits)
    _check_argv(request.argv)
    _check_environment(request.env)
    _check_files(request)
    if len(request.after) > AFTER_MAX or len(set(request.after)) != len(request.after):
        raise BadInput(N_("A job can wait for at most {limit} others, each once."), field="after", limit=AFTER_MAX)
    for name, count in request.devices.items():
        if name not in devices:
            offered = ", ".join(sorted(devices)) or "-"
            raise BadInput(
                N_("There is no device “{name}”. Offered: {names}."), field="devices", name=name, names=offered
            )
        if not _whole(count) or not 1 <= count <= 1024:
            raise BadInput(N_("A number of devices must be a whole number from 1 to 1024."), field="devices")
    return request


def check_limits(limits: Limits) -> None:
    """Raise BadInput for the first limit outside its range."""
    for name, (low, high) in RANGES.items():
        value = getattr(limits, name)
        if not _whole(value) or not low <= value <= high:
            raise BadInput(
                N_("“{name}” must be a whole number from {low} to {high}."),
                field=name,
                name=name,
                low=low,
                high=high,
            )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_argv(argv: Sequence[str]) -> None:
    if not argv or not argv[0].strip() or len(argv) > ARGUMENTS_MAX:
        raise BadInput(
            N_("Give a command of 1 to {limit} words, the program first."), field="argv", limit=ARGUMENTS_MAX
        )
    if any("\0" in word for word in argv) or sum(len(w.encode()) for w in argv) > ARGUMENTS_BYTES_MAX:
        raise BadInput(
            N_("The command is longer than {limit} bytes. Put it into a script among the inputs."),
            field="argv",
            limit=ARGUMENTS_BYTES_MAX,
        )


def _check_environment(env: Mapping[str, str]) -> None:
    if len(env) > ITEMS_MAX:
        raise BadInput(N_("At most {limit} variables."), field="env", limit=ITEMS_MAX)
    for name, value in env.items():
        if not VARIABLE.fullmatch(name) or name.startswith(OWN_PREFIX):
            raise BadInput(
                N_("“{name}” cannot be a variable: use letters, digits and _, and not BITGOEUL_."),
                field="env",
                name=name,
            )
        if "\0" in value or len(value) > TEXT_MAX:
            raise BadInput(N_("The value of “{name}” is too long."), field="env", name=name)


def _check_files(request: JobRequest) -> None:
    for field, names in (("inputs", list(request.inputs)), ("outputs", list(request.outputs))):
        if len(names) > ITEMS_MAX or len(set(names)) != len(names):
            raise BadInput(N_("At most {limit} files, each name once."), field=field, limit=ITEMS_MAX)
        for name in names:
            if not FILE_NAME.fullmatch(name):
                raise BadInput(
                    N_("“{name}” is not a plain file name (letters, digits, . _ -)."), field=field, name=name
                )
    for name, digest in request.inputs.items():
        if not DIGEST.fullmatch(digest):
            raise BadInput(N_("The input “{name}” has no valid digest."), field="inputs", name=name)


def check_files(request: JobRequest, files: Mapping[str, bytes]) -> None:
    """Files given with a request: few, small, and not of the name of an input; raises BadInput."""
    if len(files) > FILES_MAX or any(len(data) > FILE_BYTES_MAX for data in files.values()):
        raise BadInput(
            N_("At most {limit} files of {size} MiB can be given with a job."),
            field="files",
            limit=FILES_MAX,
            size=FILE_BYTES_MAX // (1024 * 1024),
        )
    for name in files:
        if not FILE_NAME.fullmatch(name) or name in request.inputs:
            raise BadInput(
                N_("“{name}” is not a plain file name, or an input already has it."), field="files", name=name
            )


def estimate(request: JobRequest, devices: Mapping[str, str]) -> dict[str, int]:
    """The most a job can use, by ledger unit: cores × wall limit and devices × wall limit, in milliseconds.

    The engine never charges time beyond the wall limit, so this is also what is held.
    """
    return needs_of(request.limits.cores, request.limits.wall_seconds, request.devices, devices)


def needs_of(
    cores: int, wall_seconds: int, asked: Mapping[str, int], devices: Mapping[str, str]
) -> dict[str, int]:
    """The same of a form that is no whole request yet; ``asked`` counts devices by name."""
    needs = {CORE_UNIT: cores * wall_seconds * 1000}
    for name, count in asked.items():
        needs[devices[name]] = needs.get(devices[name], 0) + count * wall_seconds * 1000
    return needs


def used(record: UsageRecord, devices: Mapping[str, str]) -> dict[str, int]:
    """What a usage record charges, by ledger unit."""
    amounts = {CORE_UNIT: record.core_ms}
    for name, amount in record.device_ms.items():
        amounts[devices[name]] = amounts.get(devices[name], 0) + amount
    return amounts


@dataclass(frozen=True)
class Source:
    """An allocation a job could be held from."""

    allocation_id: UUID
    unit: str
    available: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Portion:
    """A part of a need, from one allocation."""

    allocation_id: UUID
    unit: str
    amount: int


def plan_holds(needs: Mapping[str, int], sources: Sequence[Source], moment: datetime) -> list[Portion]:
    """From which allocations a job is held: those that end first, first, so that least is lost to expiry.

    Raises NotEnoughLeft naming the first unit that falls short, what is needed and what is left.
    """
    return plan_many([needs], sources, moment)[0]


def plan_many(
    needs: Sequence[Mapping[str, int]], sources: Sequence[Source], moment: datetime
) -> list[list[Portion]]:
    """The same for several jobs, one after another: what one takes the next does not find.

    Raises NotEnoughLeft for all of them together; its detail says ``reaches_for``, how many of several there is
    enough for.
    """
    usable = [each for each in sources if each.starts_at <= moment < each.ends_at and each.available > 0]
    usable.sort(key=lambda each: (each.ends_at, each.allocation_id))
    left = {(each.unit, each.allocation_id): each.available for each in usable}
    by_unit: dict[str, list[UUID]] = {}
    for each in usable:
        by_unit.setdefault(each.unit, []).append(each.allocation_id)
    planned: list[list[Portion]] = []
    for wanted in needs:
        portions = [part for unit, need in wanted.items() for part in _taken(unit, need, by_unit, left)]
        for unit, need in wanted.items():
            if sum(part.amount for part in portions if part.unit == unit) < need:
                raise _short_of_all(unit, needs, usable, len(planned))
        planned.append(portions)
    return planned


def _taken(
    unit: str, need: int, by_unit: Mapping[str, list[UUID]], left: dict[tuple[str, UUID], int]
) -> list[Portion]:
    """Take up to ``need`` of a unit out of what is left; what is used up is not looked at again."""
    portions: list[Portion] = []
    queue = by_unit.get(unit, [])
    while need and queue:
        amount = min(need, left[unit, queue[0]])
        portions.append(Portion(queue[0], unit, amount))
        need -= amount
        left[unit, queue[0]] -= amount
        if not left[unit, queue[0]]:
            queue.pop(0)
    return portions


def _short_of_all(
    unit: str, needs: Sequence[Mapping[str, int]], usable: Sequence[Source], reaches_for: int
) -> NotEnoughLeft:
    need = sum(each.get(unit, 0) for each in needs)
    error = short(unit, need, sum(each.available for each in usable if each.unit == unit))
    if len(needs) > 1:
        some, none = (
            (ALL_SHORT_OF_CORES, NONE_FIT_CORES) if unit == CORE_UNIT else (ALL_SHORT_OF_DEVICES, NONE_FIT_DEVICES)
        )
        msgid = some if reaches_for else none
        counts = {"reaches_for": reaches_for, "jobs": len(needs)}
        error.text = Text(msgid, {**error.text.params, **counts})
        error.detail |= counts
    return error


def short(unit: str, need: int, available: int) -> NotEnoughLeft:
    """The refusal for a unit that falls short; amounts in its ledger scale (thousandths of a second)."""
    return NotEnoughLeft(
        N_("The job needs up to {need} core-seconds, and {available} are left.")
        if unit == CORE_UNIT
        else N_("The job needs up to {need} device-seconds of {unit}, and {available} are left."),
        need=seconds(need),
        available=seconds(available),
        unit=unit.removesuffix("_ms"),
        field="limits",
        remedy=Text(N_("Ask for less time or fewer resources, or apply for a further allocation.")),
        detail={"unit": unit, "need": need, "available": available},
    )


def seconds(milliseconds: int) -> str:
    """Milliseconds as seconds without useless zeros: 1500 → ``1.5``."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def split_use(portions: Sequence[Portion], amounts: Mapping[str, int]) -> list[int]:
    """What each portion bears of what was used: in order, up to its amount, the rest on the unit's last."""
    left = dict(amounts)
    shares: list[int] = []
    for index, portion in enumerate(portions):
        last = all(later.unit != portion.unit for later in portions[index + 1 :])
        share = left.get(portion.unit, 0) if last else min(portion.amount, left.get(portion.unit, 0))
        left[portion.unit] = left.get(portion.unit, 0) - share
        shares.append(share)
    return shares


def hold_until(submitted_at: datetime, wall_seconds: int) -> datetime:
    """When a job's hold expires: after the longest wait in the queue, its run, and a day to settle."""
    return submitted_at + timedelta(days=QUEUE_DAYS + 1, seconds=wall_seconds)


def waited_too_long(submitted_at: datetime, moment: datetime) -> bool:
    """Whether a queued job may no longer start, since its hold would end before it does."""
    return moment > submitted_at + timedelta(days=QUEUE_DAYS)
