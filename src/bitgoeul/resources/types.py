"""What the resources room takes, gives and refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bitgoeul.kernel.errors import LimitReached
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


class AllocationNotUsable(LimitReached):
    """Nothing new can start from this allocation."""

    code = "allocation_not_usable"


DEFAULT_TEXTS = (N_("Nothing new can start from this allocation."),)


@dataclass(frozen=True)
class Origin:
    """Where an allocation comes from; opaque here, so that use can be grouped by it later."""

    kind: str
    id: str
    label: str = ""


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

    @property
    def category_label(self) -> Text:
        """The word for its category."""
        return CATEGORY_LABELS[self.category]


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
class HoldLine:
    """``amount`` to set aside from an allocation under the caller's ``hold_id``."""

    hold_id: UUID
    allocation_id: UUID
    amount: int


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
