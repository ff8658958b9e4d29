"""Helpers for views of every room; they know Django and no domain."""

from __future__ import annotations

from .downloads import attachment
from .finding import Found, Lowered, Sought, beginning, part_of, sought, with_id
from .forms import PortalForm, add_error
from .fragments import is_fragment, no_store
from .pages import Page, page_number, page_of, page_of_items
from .rest import WHOLE_MAX, Paged, PageNumber, RefusalOut, asked_of, paged, refusal_json, refusals
from .texts import render_text

__all__ = [
    "WHOLE_MAX",
    "Found",
    "Lowered",
    "Page",
    "PageNumber",
    "Paged",
    "PortalForm",
    "RefusalOut",
    "Sought",
    "add_error",
    "asked_of",
    "attachment",
    "beginning",
    "is_fragment",
    "no_store",
    "page_number",
    "page_of",
    "page_of_items",
    "paged",
    "part_of",
    "refusal_json",
    "refusals",
    "render_text",
    "sought",
    "with_id",
]
