"""What the resources room takes, gives and refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from bitgoeul.kernel.errors import LimitReached
from bitgoeul.kernel.quantity import divide_half_up
from bitgoeul.kernel.text import N_, Label, Text

from .states import AllocationState


class Category(StrEnum):
    """What kind of thing a resource is."""

    COMPUTE = "COMPUTE"
    STORAGE = "STORAGE"
    EQUIPMENT = "EQUIPMENT"
    SIMULATOR = "SIMULATOR"
    SITE = "SITE"
    DESK = "DESK"
    ADVICE = "ADVICE"
    COURSE = "COURSE"
    MONEY = "MONEY"


CATEGORY_LABELS: Mapping[Category, Text] = {
    Category.COMPUTE: Text(N_("Compute")),
    Category.STORAGE: Text(N_("Storage")),
    Category.EQUIPMENT: Text(N_("Test equipment")),
    Category.SIMULATOR: Text(N_("Driving simulator")),
    Category.SITE: Text(N_("Demonstration site")),
    Category.DESK: Text(N_("Desk or office")),
    Category.ADVICE: Text(N_("Advice")),
    Category.COURSE: Text(N_("Course")),
    Category.MONEY: Text(N_("Money")),
}


class Sector(StrEnum):
    """The field that a resource serves."""

    AUTOMOTIVE = "AUTOMOTIVE"
    HEALTHCARE = "HEALTHCARE"
    ENERGY = "ENERGY"
    MOBILITY = "MOBILITY"
    CITY = "CITY"
    AI_CHIP = "AI_CHIP"
    COMPUTING = "COMPUTING"


SECTOR_LABELS: Mapping[Sector, Text] = {
    Sector.AUTOMOTIVE: Text(N_("Automotive")),
    Sector.HEALTHCARE: Text(N_("Healthcare")),
    Sector.ENERGY: Text(N_("Energy")),
    Sector.MOBILITY: Text(N_("Mobility")),
    Sector.CITY: Text(N_("City life")),
    Sector.AI_CHIP: Text(N_("AI chips")),
    Sector.COMPUTING: Text(N_("Computing")),
}


class Way(StrEnum):
    """How equipment is used; the two are booked apart, for research budgets may pay them from other lines."""

    SELF_USE = "SELF_USE"
    """The customer operates it, against a fee, after safety training."""
    COMMISSIONED = "COMMISSIONED"
    """The centre tests and gives a report."""
    EITHER = "EITHER"
    """Both are offered."""


WAY_LABELS: Mapping[Way, Text] = {
    Way.SELF_USE: Text(N_("Self-use")),
    Way.COMMISSIONED: Text(N_("Commissioned test")),
    Way.EITHER: Text(N_("Self-use or commissioned test")),
}


class AllocationNotUsable(LimitReached):
    """Nothing new can start from this allocation."""

    code = "allocation_not_usable"


DEFAULT_TEXTS = (N_("Nothing new can start from this allocation."),)


@dataclass(frozen=True)
class Origin:
    """Where an allocation comes from; opaque here. ``group`` is what use is summed under; empty: its kind."""

    kind: str
    id: str
    label: str = ""
    group: str = ""


@dataclass(frozen=True)
class CentreView:
    """Who runs what is offered, and where; ``is_planned`` says that it is announced, not open."""

    code: str
    name: Label
    place: Label
    is_planned: bool


NO_WORDS = Label("", "")


@dataclass(frozen=True)
class Details:
    """What an entry says beyond its name.

    ``in_service_by`` is the year by whose end it was in service; ``grid_minutes`` the smallest booking;
    ``quantity`` how many of the kind there are. ``is_invented`` says that the thing or its name is made up for an
    example, ``is_planned`` that it is announced only.
    """

    centre: str = ""
    about: Label = NO_WORDS
    sector: Sector | None = None
    way: Way | None = None
    in_service_by: int | None = None
    grid_minutes: int | None = None
    quantity: int = 1
    is_planned: bool = False
    is_invented: bool = False


@dataclass(frozen=True)
class ResourceView:
    """An entry of the catalogue."""

    code: str
    category: Category
    unit: str
    label: Label
    provider: Label
    location: Label
    is_example: bool
    details: Details = Details()

    @property
    def category_label(self) -> Text:
        """The word for its category."""
        return CATEGORY_LABELS[self.category]

    @property
    def sector_label(self) -> Text | None:
        """The word for its field, if it has one."""
        return SECTOR_LABELS[self.details.sector] if self.details.sector else None

    @property
    def way_label(self) -> Text | None:
        """The words for how it is used, for equipment."""
        return WAY_LABELS[self.details.way] if self.details.way else None


@dataclass(frozen=True)
class CatalogueFilter:
    """Which entries to list, and in which order (a key of ``queries.ORDERS``); empty means all."""

    category: Category | None = None
    centre: str = ""
    sector: Sector | None = None
    text: str = ""
    order: str = ""


@dataclass(frozen=True)
class AllocationView:
    """An allocation and what is left of it, all amounts in ledger amounts of ``unit``.

    ``available`` = granted − taken back − used − held; ``overrun`` is what was used beyond it.
    """

    id: UUID
    project_id: UUID
    resource_code: str
    label: Label
    unit: str
    granted: int
    used: int
    held: int
    available: int
    overrun: int
    state: AllocationState
    starts_at: datetime
    ends_at: datetime
    origin: Origin


@dataclass(frozen=True)
class GrantLine:
    """``amount`` of a resource for a project over ``[starts_at, ends_at)``; ``id`` is the idempotency key."""

    id: UUID
    project_id: UUID
    resource_code: str
    amount: int
    starts_at: datetime
    ends_at: datetime
    origin: Origin


@dataclass(frozen=True)
class HoldLine:
    """``amount`` to set aside from an allocation under the caller's ``hold_id``; ``memo`` says for what."""

    hold_id: UUID
    allocation_id: UUID
    amount: int
    memo: str = ""


@dataclass(frozen=True)
class Budget:
    """What a project has used of a unit and has left, in ledger amounts; what is held counts as left."""

    project_id: UUID
    unit: str
    used: int
    left: int

    @property
    def whole(self) -> int:
        """Everything it may ever have used, as things stand."""
        return self.used + self.left


@dataclass(frozen=True)
class UseLine:
    """What was used: ``source_key`` is the identity of the record it comes from.

    The same key again with the same amount changes nothing; with another amount it is a corrected record and
    the difference becomes a correction entry.
    """

    allocation_id: UUID
    amount: int
    source_key: str
    started_at: datetime
    ended_at: datetime
    hold_id: UUID | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


class Entry(NamedTuple):
    """A usage row about to be written: ``change`` is what it adds to what was charged before.

    ``posting_id`` is the ledger's idempotency key: one posting for each revision of a source record.
    """

    line: UseLine
    revision: int
    change: int
    posting_id: UUID


@dataclass(frozen=True)
class UsageView:
    """One usage record as it stands after its corrections (``revision`` 0 = never corrected)."""

    id: UUID
    source_key: str
    revision: int
    allocation_id: UUID
    unit: str
    amount: int
    posting_id: UUID
    started_at: datetime
    ended_at: datetime
    recorded_at: datetime
    detail: Mapping[str, object]


@dataclass(frozen=True)
class Price:
    """What ``amount`` of a unit (in its ledger scale) costs in whole KRW from the day ``since`` on."""

    id: UUID
    unit: str
    krw: int
    amount: int
    since: date
    source: str
    is_example: bool = False

    def worth(self, amount: int) -> int:
        """What an amount costs in whole KRW, rounded half up once."""
        return divide_half_up(amount * self.krw, self.amount)


class UseBy(StrEnum):
    """What use is summed by; always apart by unit, for two units are never added."""

    PROGRAMME = "programme"
    KIND = "kind"
    DEVICE = "device"
    PROJECT = "project"


@dataclass(frozen=True)
class LateUse:
    """A change of what was charged for the closed month ``late_for`` (``2026-10``), standing at ``booked_at``."""

    project_id: UUID
    unit: str
    late_for: str
    ended_at: datetime
    booked_at: datetime
    change: int


@dataclass(frozen=True)
class UseWanted:
    """Which use to sum: months from ``since`` to ``until``, both their first days and both counted; empty: all."""

    since: date
    until: date
    by: UseBy = UseBy.PROGRAMME
    unit: str = ""
    programme: str = ""
    kind: str = ""


@dataclass(frozen=True)
class UseRow:
    """What was charged of one unit under one ``key`` (a programme's group, a kind, a project's id), by month."""

    key: str
    unit: str
    total: int
    months: Mapping[date, int]
