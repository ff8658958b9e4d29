"""The example at full size: what a year of 2,200 projects would have left. Pure: the same data, the same rows.

Everything is drawn from a seed of the data and the number of a project, so that any part can be made alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from bitgoeul.accounts.facade import (
    NewOrganisation,
    NewProject,
    OrganisationKind,
    check_digit,
    clean_registration_number,
    example_id,
)
from bitgoeul.compute.facade import JobRequest, JobState, Limits, PastJob
from bitgoeul.programmes.facade import PartnershipLine
from bitgoeul.resources.facade import GrantLine, Origin

CLUSTER = "gwangju-example"
ORIGIN = Origin("example", "history", "예시 이력")
HOUR_MS = 3_600_000
# Which device a project's jobs run on, with the ledger unit, the resource and the most of them a job takes.
DEVICES = (
    ("core", "core_ms", "cpu-core", 32),
    ("h100", "gpu_h100_ms", "gpu-h100", 8),
    ("software-target", "target_ms", "software-target", 1),
)
DEVICE_SHARES = (55, 40, 5)
# What a project may have beside its computing: resource, largest amount.
EXTRAS = (
    ("storage", 50_000_000),
    ("camp-desk", 240),
    ("camp-desk-2", 240),
    ("advice-mentor", 1_200),
    ("advice-regulation", 600),
    ("academy-seat", 6),
    ("grant-prototype", 30_000_000),
    ("simulator-cabin-passenger", 1_800),
    ("bench-impact", 3_000),
    ("bench-gait-analyser", 2_400),
    ("bench-tester-meter", 2_400),
    ("site-riverside-buk", 30),
)
ENDS = (
    (JobState.SUCCEEDED, "completed", 0, 86),
    (JobState.FAILED, "exit_status", 1, 7),
    (JobState.TIMED_OUT, "time_limit", None, 4),
    (JobState.CANCELLED, "cancelled", None, 3),
)
# Unfinished jobs: state and how many in all; their projects are the first whose period still runs.
OPEN_JOBS = ((JobState.QUEUED, 60), (JobState.RUNNING, 180), (JobState.UNKNOWN, 4))


@dataclass(frozen=True)
class Past:
    """One project's share: the project, what it was granted, and its jobs."""

    project: NewProject
    grants: tuple[GrantLine, ...]
    jobs: tuple[PastJob, ...]


@dataclass(frozen=True)
class History:
    """The data, and when the year ends: kept from the first load, so that a later one repeats it."""

    data: Mapping[str, Any]
    until: datetime

    @cached_property
    def counts(self) -> list[int]:
        """How many job usages each project has; uneven, and exactly the whole together."""
        projects, uses = self.data["projects"], self.data["uses"]
        mean = uses // projects
        counts = [max(1, mean + (number * 37) % 61 - 30) for number in range(projects)]
        step = 1 if sum(counts) < uses else -1
        number = 0
        while sum_left := uses - sum(counts):
            for _each in range(min(abs(sum_left), projects)):
                counts[number % projects] = max(1, counts[number % projects] + step)
                number += 1
        return counts

    def organisations(self) -> Iterator[NewOrganisation]:
        """The organisations beside those that people.json names."""
        heads, tails = self.data["name_heads"], self.data["name_tails"]
        kinds = [kind for kind in OrganisationKind if kind is not OrganisationKind.OPERATOR]
        for number in range(self.data["organisations"] - self.data["named_already"]):
            tail, head = divmod(number, len(heads))
            yield NewOrganisation(
                id=example_id("organisation", f"history-{number}"),
                name=f"{heads[head]}{tails[tail]} (예시)",
                kind=kinds[0] if number % 3 else kinds[number % len(kinds)],
                registration_number=registration_number(1_000 + number),
                is_example=True,
            )

    def partnerships(self) -> Iterator[PartnershipLine]:
        """The memoranda, spread over 2020–2025, and the offices opened after them."""
        dice = random.Random(f"{self.data['seed']}:partners")
        first, last = date(2020, 1, 6), date(2025, 10, 31)
        signed, opened = self.data["signed"], self.data["opened"]
        for number in range(signed):
            day = first + timedelta(days=dice.randrange((last - first).days))
            office = min(day + timedelta(days=dice.randint(20, 300)), last) if number < opened else None
            yield PartnershipLine(example_id("organisation", f"history-{number}"), day, office)

    def person_id(self, number: int) -> UUID:
        """The invented person who owns project ``number``."""
        return example_id("user", f"history-{number % len(self.data['people'])}")

    def past(self, number: int) -> Past:
        """Project ``number`` with its grants and jobs."""
        dice = random.Random(f"{self.data['seed']}:project:{number}")
        project = NewProject(
            id=example_id("project", f"history-{number}"),
            organisation_id=example_id(
                "organisation", f"history-{number % (self.data['organisations'] - self.data['named_already'])}"
            ),
            title=f"{self.data['topics'][number % len(self.data['topics'])]} {number + 1:04d} (예시)",
            owner_user_id=self.person_id(number),
        )
        device = dice.choices(DEVICES, DEVICE_SHARES)[0]
        starts = self.until - timedelta(days=self.data["days"])
        ends = self.until + timedelta(days=dice.randint(30, 300))
        if number % 3 == 0:
            ends = self.until - timedelta(days=dice.randint(5, 60))
        allocation_id = example_id("allocation", f"history-{number}-0")
        last = min(ends, self.until)
        jobs = tuple(
            self._job(dice, number, place, device, allocation_id, starts, last)
            for place in range(self.counts[number])
        )
        used = sum(amount for job in jobs for _allocation, _unit, amount in job.uses)
        grants = [self._grant(project.id, allocation_id, device[2], used * 5 // 4 + 40 * HOUR_MS, starts, ends)]
        for place in range(1, 1 + dice.choice((0, 1, 1, 2))):
            code, most = EXTRAS[(number + 5 * place) % len(EXTRAS)]
            extra_id = example_id("allocation", f"history-{number}-{place}")
            grants.append(self._grant(project.id, extra_id, code, dice.randint(1, most), starts, ends))
        return Past(project, tuple(grants), jobs)

    def _grant(
        self, project_id: UUID, id: UUID, code: str, amount: int, starts: datetime, ends: datetime
    ) -> GrantLine:
        return GrantLine(id, project_id, code, amount, starts, ends, ORIGIN)

    def _job(
        self,
        dice: random.Random,
        number: int,
        place: int,
        device: tuple[str, str, str, int],
        allocation_id: UUID,
        starts: datetime,
        last: datetime,
    ) -> PastJob:
        name, unit, _code, most = device
        seconds = dice.randint(60, 21_600)
        span = int((last - starts).total_seconds()) - seconds
        ended = starts + timedelta(seconds=seconds + dice.randrange(span))
        count = dice.randint(1, most)
        state, ending, status, _weight = dice.choices(ENDS, [each[3] for each in ENDS])[0]
        started = ended - timedelta(seconds=seconds)
        wall_ms = seconds * 1_000
        return PastJob(
            id=example_id("job", f"history-{number}-{place}"),
            project_id=example_id("project", f"history-{number}"),
            name=f"{dice.choice(self.data['jobs'])} {place + 1:03d}",
            state=state,
            request=request_of(name, count, seconds),
            submitted_by=f"user:{self.person_id(number)}",
            submitted_at=started - timedelta(seconds=dice.randint(5, 7_200)),
            started_at=started,
            ended_at=ended,
            exit_code=status,
            ending=ending,
            uses=((allocation_id, unit, count * wall_ms),),
            measured={"wall_ms": wall_ms, "cores": count if name == "core" else 8},
        )

    def open_jobs(self) -> Iterator[PastJob]:
        """The unfinished jobs of the example's queue, each with what it holds."""
        dice = random.Random(f"{self.data['seed']}:queue")
        # Every third project's period is over; of the others a few have most of the queue.
        open_projects = [number for number in range(min(self.data["projects"], 90)) if number % 3]
        for state, count in OPEN_JOBS:
            for place in range(count):
                yield self._open_job(dice, state, place, open_projects[dice.randrange(len(open_projects))])

    def _open_job(self, dice: random.Random, state: JobState, place: int, number: int) -> PastJob:
        past = random.Random(f"{self.data['seed']}:project:{number}")
        name, unit, _code, _most = past.choices(DEVICES, DEVICE_SHARES)[0]
        submitted = self.until - timedelta(minutes=dice.randint(1, 3_000))
        started = None if state is JobState.QUEUED else submitted + timedelta(seconds=dice.randint(5, 50))
        allocation_id = example_id("allocation", f"history-{number}-0")
        return PastJob(
            id=example_id("job", f"open-{state}-{place}"),
            project_id=example_id("project", f"history-{number}"),
            name=f"{dice.choice(self.data['jobs'])} {place + 1:03d}",
            state=state,
            request=request_of(name, 1, 1_800),
            submitted_by=f"user:{self.person_id(number)}",
            submitted_at=submitted,
            started_at=started,
            ended_at=None,
            holds=((allocation_id, unit, HOUR_MS // 2),),
        )


def registration_number(serial: int) -> str:
    """A number of the form 000-00-xxxxx with its check digit; no real firm has it."""
    first_nine = f"00000{serial:04d}"
    return clean_registration_number(f"{first_nine}{check_digit(first_nine)}")


def request_of(device: str, count: int, seconds: int) -> JobRequest:
    """What such a job would have asked for."""
    cores = count if device == "core" else 8
    return JobRequest(
        argv=("python", "run.py"),
        limits=Limits(cores=cores, memory_mib=16_384, wall_seconds=seconds, processes=64, file_mib=1_024),
        devices={} if device == "core" else {device: count},
    )
