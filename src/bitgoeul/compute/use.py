"""What a job made of what it was given: as it went, and what to ask for next time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from django.utils.translation import gettext

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import Unavailable
from bitgoeul.kernel.text import N_, Text

from . import device_use
from .device_use import Devices, UseChart
from .engines import engine_of
from .models import Job, JobSamples
from .ports import Ending, Handle, Limits, Sample
from .queries import checked_job
from .types import JobRequest

# A job that was over at once tells nothing of what it needs.
TELLING_MS = 10_000
MEMORY_STEP_MIB = 256
SHORT_OF_LIMIT = 4
SECONDS_STEP = 60


@dataclass(frozen=True)
class Measured:
    """What an engine measured of a job, whole: cores given, milliseconds, KiB."""

    cores: int
    wall_ms: int
    cpu_ms: int
    memory_kib_max: int


@dataclass(frozen=True)
class JobUse:
    """A job's use so far; ``samples`` are empty where its engine takes none, ``measured`` before it started.

    ``devices`` tells who measures its devices; None where nobody does, or it has none.
    """

    measured: Measured | None
    samples: Sequence[Sample]
    advice: Sequence[Text]
    devices: Devices | None = None


def job_use(*, actor: accounts.Actor, job_id: UUID) -> JobUse:
    """The use of one job: from the engine while it is unfinished, as kept afterwards; with advice at its end.

    A cluster that cannot be asked at the moment gives nothing.
    """
    row = checked_job(actor, job_id)
    if row.ended_at is None:
        return _live(row)
    kept = JobSamples.objects.filter(pk=row.pk).first()
    samples = [Sample(*point) for point in kept.points] if kept else []
    names = Measured.__annotations__
    if not names.keys() <= row.measured.keys():  # never started, or imported from where less was measured
        return JobUse(None, samples, [])
    known = Measured(**{name: row.measured[name] for name in names})
    limits = JobRequest.from_json(row.request).limits
    found = advice(known, samples, limits, row.ending)
    return JobUse(known, samples, found, device_use.devices_of(row.environment))


def _live(row: Job) -> JobUse:
    try:
        records = engine_of(row.cluster).usage([Handle.from_json(row.handle)]) if row.handle else []
    except Unavailable:
        records = []
    if not records:
        return JobUse(None, [], [])
    one = records[0]
    measured = Measured(one.cores, one.wall_ms, one.cpu_ms, one.memory_kib_max)
    return JobUse(measured, one.samples, [], device_use.devices_of(one.environment))


def cores_busy(samples: Sequence[Sample]) -> list[float]:
    """How many cores were busy on average up to each sample from the one before it."""
    points = [Sample(0, 0, 0), *samples]
    return [
        max(0, late.cpu_ms - early.cpu_ms) / max(1, late.wall_ms - early.wall_ms)
        for early, late in pairwise(points)
    ]


def advice(measured: Measured, samples: Sequence[Sample], limits: Limits, ending: str) -> list[Text]:
    """What to ask for next time, most costly first; nothing for a job too short to tell."""
    if ending == Ending.TIME_LIMIT:
        return [Text(N_("It met its time limit. Let it save its state on the way, or ask for more time."))]
    if measured.wall_ms < TELLING_MS:
        return []
    found = [
        device_use.about_devices(samples),
        _about_cores(measured, samples),
        _about_time(measured, limits),
        _about_memory(measured, samples, limits),
    ]
    return [each for each in found if each is not None]


def _about_cores(measured: Measured, samples: Sequence[Sample]) -> Text | None:
    """Never fewer cores than were busy at once in any part of its time."""
    average = measured.cpu_ms / measured.wall_ms
    busiest = max(cores_busy(samples), default=average)
    enough = max(1, math.ceil(max(average, busiest) - 0.1))
    if enough >= measured.cores:
        return None
    return Text(
        N_(
            "On average {busy} of {cores} cores were busy, {busiest} at most: ask for {enough}, and it costs less."
        ),
        {"busy": f"{average:.1f}", "cores": measured.cores, "busiest": f"{busiest:.1f}", "enough": enough},
    )


def _about_time(measured: Measured, limits: Limits) -> Text | None:
    took = math.ceil(measured.wall_ms / 1000)
    enough = math.ceil(took * 2 / SECONDS_STEP) * SECONDS_STEP
    if took * SHORT_OF_LIMIT > limits.wall_seconds or enough >= limits.wall_seconds:
        return None
    return Text(
        N_("It took {took} of {limit} seconds: ask for {enough}, less is set aside and it may start sooner."),
        {"took": took, "limit": limits.wall_seconds, "enough": enough},
    )


def _about_memory(measured: Measured, samples: Sequence[Sample], limits: Limits) -> Text | None:
    """A cgroup's highest memory counts cached files too, which never end a job: samples say how near it came."""
    needed = math.ceil(measured.memory_kib_max / 1024)
    near = math.ceil(max((each.memory_kib for each in samples), default=measured.memory_kib_max) / 1024)
    enough = math.ceil(needed * 1.25 / MEMORY_STEP_MIB) * MEMORY_STEP_MIB
    values: dict[str, str | int] = {"needed": needed, "limit": limits.memory_mib, "enough": enough}
    if near * 10 > limits.memory_mib * 9:
        return Text(N_("It needed {needed} of {limit} MiB of memory: ask for {enough} to be safe."), values)
    if needed * SHORT_OF_LIMIT <= limits.memory_mib and enough < limits.memory_mib:
        return Text(
            N_("It needed {needed} of {limit} MiB of memory: {enough} are enough, and it may start sooner."),
            values,
        )
    return None


def charts(use: JobUse, limits: Limits) -> list[UseChart]:
    """Cores that were busy, memory, and what its devices did over time; none with fewer than two samples."""
    if len(use.samples) < 2 or use.measured is None:
        return []
    labels = [f"{each.wall_ms / 1000:.0f}" for each in use.samples]
    common = {"kind": "line", "labels": labels, "x_label": gettext("Seconds since the start")}
    cores, memory = use.measured.cores, [math.ceil(each.memory_kib / 1024) for each in use.samples]
    average = use.measured.cpu_ms / max(1, use.measured.wall_ms)
    return [
        UseChart(
            "cores-chart",
            gettext("Processor cores that were busy"),
            gettext("{average} of {cores} on average").format(average=f"{average:.1f}", cores=cores),
            {
                **common,
                "series": [
                    {"name": gettext("busy"), "values": [round(each, 2) for each in cores_busy(use.samples)]}
                ],
                "limits": [{"name": gettext("given"), "value": cores}],
                "y_label": gettext("Cores"),
            },
        ),
        UseChart(
            "memory-chart",
            gettext("Memory it held"),
            gettext("{most} of {limit} MiB at most").format(most=max(memory), limit=limits.memory_mib),
            {
                **common,
                "series": [{"name": gettext("in use"), "values": memory}],
                "limits": [{"name": gettext("limit"), "value": limits.memory_mib}],
                "unit": "MiB",
            },
        ),
        *device_use.charts(use.samples, use.devices, common),
    ]
