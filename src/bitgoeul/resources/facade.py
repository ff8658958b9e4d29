"""What other rooms may ask of the resources room."""

from __future__ import annotations

from .budgets import budgets
from .catalogue import ORDERS, centres, entries, entries_to_export, entry, granted_of, resources
from .example import load_example
from .exports import OF_A_DAY, OF_A_RECORD, days_to_export, usage_to_export
from .finding import find_entries
from .forecast import Ahead, Forecast, Pace
from .metering import settle_use
from .outlook import FLAGS as OUTLOOK_FLAGS
from .outlook import ORDERS as OUTLOOK_ORDERS
from .outlook import Outlook, outlook_page, outlooks, outlooks_to_export
from .prices import prices, prices_on, set_price
from .queries import allocation, allocations, late_usage, statement, usage, usage_sums
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
    LateUse,
    Origin,
    Price,
    ResourceView,
    Sector,
    UsageView,
    UseBy,
    UseLine,
    UseRow,
    UseWanted,
    Way,
)
from .use import use_rows, use_to_export, use_totals

__all__ = [
    "ALLOCATION",
    "OF_A_DAY",
    "OF_A_RECORD",
    "ORDERS",
    "OUTLOOK_FLAGS",
    "OUTLOOK_ORDERS",
    "Ahead",
    "AllocationNotUsable",
    "AllocationState",
    "AllocationView",
    "Budget",
    "CatalogueFilter",
    "Category",
    "CentreView",
    "Details",
    "Forecast",
    "GrantLine",
    "HoldLine",
    "LateUse",
    "Origin",
    "Outlook",
    "Pace",
    "Price",
    "ResourceView",
    "Sector",
    "UsageView",
    "UseBy",
    "UseLine",
    "UseRow",
    "UseWanted",
    "Way",
    "allocation",
    "allocations",
    "budgets",
    "centres",
    "days_to_export",
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
    "late_usage",
    "load_example",
    "outlook_page",
    "outlooks",
    "outlooks_to_export",
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
    "usage_sums",
    "usage_to_export",
    "use_rows",
    "use_to_export",
    "use_totals",
]
