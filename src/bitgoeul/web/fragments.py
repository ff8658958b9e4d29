"""Fragments for HTMX, full pages for everybody else."""

from __future__ import annotations

from typing import TypeVar

from django.http import HttpRequest, HttpResponseBase

R = TypeVar("R", bound=HttpResponseBase)


def is_fragment(request: HttpRequest) -> bool:
    """True when HTMX asks for a part of a page (not a boosted or restored whole page)."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def no_store(response: R) -> R:
    """Keep an answer with private content out of every cache."""
    response["Cache-Control"] = "no-store"
    return response
