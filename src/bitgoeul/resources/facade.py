"""What other rooms may ask of the resources room."""

from __future__ import annotations

from .budgets import budgets
from .catalogue import ORDERS, centres, entries, entries_to_export, entry, granted_of, resources
from .example import load_example
from .finding import find_entries
from .metering import settle_use
from .prices import prices, prices_on, set_price
from .queries import allocation, allocations, statement, usage
from .services import (
    define_centre,
    define_resource,
    expire_due,
    grant,
    grant_many,
    hold_for,
    recall,
    release_holds,
    resume,
    suspend,
)
from .sources import register_source
from .states import ALLOCATION, AllocationState
from .types import (
    AllocationNotUsable,
    AllocationView,
    Budget,
    CatalogueFilter,
    Category,
    CentreView,
    Details,
    GrantLine,
    HoldLine,
    Origin,
    Price,
    ResourceView,
    Sector,
    UsageView,
    UseLine,
    Way,
)

__all__ = [
    "ALLOCATION",
    "ORDERS",
    "AllocationNotUsable",
    "AllocationState",
    "AllocationView",
    "Budget",
    "CatalogueFilter",
    "Category",
    "CentreView",
    "Details",
    "GrantLine",
    "HoldLine",
    "Origin",
    "Price",
    "ResourceView",
    "Sector",
    "UsageView",
    "UseLine",
    "Way",
    "allocation",
    "allocations",
    "budgets",
    "centres",
    "define_centre",
    "define_resource",
    "entries",
    "entries_to_export",
    "entry",
    "expire_due",
    "find_entries",
    "grant",
    "grant_many",
    "granted_of",
    "hold_for",
    "load_example",
    "prices",
    "prices_on",
    "recall",
    "register_source",
    "release_holds",
    "resources",
    "resume",
    "set_price",
    "settle_use",
    "statement",
    "suspend",
    "usage",
]
