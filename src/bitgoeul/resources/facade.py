"""What other rooms may ask of the resources room."""

from __future__ import annotations

from .example import load_example
from .metering import settle_use
from .queries import allocation, allocations, catalogue, resources, statement, usage
from .services import define_resource, expire_due, grant, hold_for, recall, release_holds, resume, suspend
from .sources import register_source
from .states import ALLOCATION, AllocationState
from .types import (
    AllocationNotUsable,
    AllocationView,
    Category,
    HoldLine,
    Origin,
    ResourceView,
    UsageView,
    UseLine,
)

__all__ = [
    "ALLOCATION",
    "AllocationNotUsable",
    "AllocationState",
    "AllocationView",
    "Category",
    "HoldLine",
    "Origin",
    "ResourceView",
    "UsageView",
    "UseLine",
    "allocation",
    "allocations",
    "catalogue",
    "define_resource",
    "expire_due",
    "grant",
    "hold_for",
    "load_example",
    "recall",
    "register_source",
    "release_holds",
    "resources",
    "resume",
    "settle_use",
    "statement",
    "suspend",
    "usage",
]
