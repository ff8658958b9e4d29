"""What a job would cost and how soon it could start, as its form shows it while it is filled in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.text import N_, Text
from bitgoeul.resources import facade as resources

from .engines import engine_of
from .models import Cluster, Job, NodeType
from .ports import Capacity, Slots
from .states import NOT_STARTED
from .words import plain_word

CORE = "core"
# A form asks again with every letter typed; a cluster is asked once for many of them.
CAPACITY_SECONDS = 5.0
_asked: dict[str, tuple[float, Capacity | None, Text | None]] = {}


@dataclass(frozen=True)
class PriceLine:
    """What a job would hold of one unit, what is left now, what would be left after, and its worth in KRW."""

    unit: str
    need: int
    left: int
    krw: int | None

    @property
    def after(self) -> int:
        """What would be left; negative when it falls short."""
        return self.left - self.need

    @property
    def missing(self) -> int:
        """How much is missing; 0 when it suffices."""
        return max(0, -self.after)


@dataclass(frozen=True)
class Price:
    """The lines of a job's price, or of several; ``krw`` is the sum where every line has a price, else None.

    Of ``jobs`` that cost the same, what is left is enough for ``reaches_for``.
    """

    lines: tuple[PriceLine, ...]
    is_example: bool
    jobs: int = 1

    @property
    def reaches_for(self) -> int:
        """For how many of the jobs there is enough."""
        return min((line.left * self.jobs // line.need for line in self.lines if line.missing), default=self.jobs)

    @property
    def krw(self) -> int | None:
        """The whole in KRW; None where a unit has no price: a part would mislead."""
        worths = [line.krw for line in self.lines]
        return sum(each for each in worths if each is not None) if worths and None not in worths else None


def price(project_id: UUID, needs: Mapping[str, int], jobs: int = 1) -> Price:
    """What ``jobs`` that need so much of each ledger unit each cost at most, at today's prices."""
    left, known = left_of(project_id), resources.prices_on()
    lines = tuple(
        PriceLine(unit, need, left.get(unit, 0), known[unit].worth(need) if unit in known else None)
        for unit, each in needs.items()
        if (need := each * jobs)
    )
    return Price(lines, any(known[line.unit].is_example for line in lines if line.unit in known), jobs)


def left_of(project_id: UUID) -> dict[str, int]:
    """What the project has left, by unit, as far as jobs can use it now."""
    left: dict[str, int] = {}
    moment, active = now(), resources.AllocationState.ACTIVE
    for one in resources.allocations(project_ids=[project_id]).get(project_id, []):
        if one.state == active and not one.overrun and one.starts_at <= moment < one.ends_at:
            left[one.unit] = left.get(one.unit, 0) + max(0, one.available)
    return left


@dataclass(frozen=True)
class Place:
    """One kind of place of a cluster: ``asked`` by the job, ``largest`` on one node (None where not known)."""

    name: str
    asked: int
    slots: Slots
    largest: int | None

    @property
    def label(self) -> str:
        """The word for it."""
        return plain_word(self.name)

    @property
    def too_large(self) -> bool:
        """Whether the cluster has not that many, or no node of it."""
        return self.asked > self.slots.total or (self.largest is not None and self.asked > self.largest)

    @property
    def busy(self) -> bool:
        """Whether so many are there, but not free now."""
        return not self.too_large and self.asked > self.slots.free


@dataclass(frozen=True)
class Room:
    """What a cluster has and how a job that asks for so much would stand there; ``ahead`` jobs wait before it.

    Without ``places`` the cluster does not answer, and ``problem`` says why.
    """

    title: str
    ahead: int
    places: tuple[Place, ...]
    problem: Text | None

    @property
    def says(self) -> Text:
        """How soon it could start, in a sentence."""
        if self.problem is not None:
            return Text(N_("The cluster does not answer at the moment. Jobs can be submitted and wait."))
        if any(place.too_large for place in self.places):
            return Text(N_("No node has that much: the job would be refused."))
        if self.ahead:
            return Text(N_("Jobs waiting before it: {count}."), {"count": self.ahead})
        if any(place.busy for place in self.places):
            return Text(N_("It would be the next to start, as soon as enough is free."))
        return Text(N_("It could start at once."))

    @property
    def tone(self) -> str:
        """How the sentence is shown."""
        if self.problem is not None:
            return "warning"
        if any(place.too_large for place in self.places):
            return "bad"
        return "neutral" if self.ahead or any(place.busy for place in self.places) else "good"


def room(cluster: Cluster, cores: int, memory_mib: int, devices: Mapping[str, int]) -> Room:
    """How a job would stand at a cluster now, in two queries and at most one question to it every five seconds."""
    ahead = Job.objects.filter(cluster=cluster, state__in=sorted(NOT_STARTED), ended_at=None).count()
    capacity, problem = _capacity(cluster)
    if capacity is None:
        return Room(cluster.title, ahead, (), problem)
    largest = dict(
        NodeType.objects.filter(partition__cluster=cluster)
        .values_list("device")
        .annotate(most=Max("devices_per_node"))
    )
    # What another cluster has and this one lacks is asked of it in vain.
    offered = {name: slots for name, slots in capacity.devices.items() if name in cluster.device_units}
    offered |= {name: Slots(0, 0) for name, asked in devices.items() if asked and name not in offered}
    places = [
        Place(CORE, cores, capacity.cores, largest.get(CORE)),
        Place("memory_mib", memory_mib, capacity.memory_mib, None),
        *(Place(name, devices.get(name, 0), slots, largest.get(name)) for name, slots in sorted(offered.items())),
    ]
    return Room(cluster.title, ahead, tuple(places), None)


def _capacity(cluster: Cluster) -> tuple[Capacity | None, Text | None]:
    at, known, problem = _asked.get(cluster.code, (float("-inf"), None, None))
    if time.monotonic() - at < CAPACITY_SECONDS:
        return known, problem
    try:
        known, problem = engine_of(cluster).capacity(), None
    except DomainError as error:
        known, problem = None, error.text
    _asked[cluster.code] = (time.monotonic(), known, problem)
    return known, problem
