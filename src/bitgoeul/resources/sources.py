"""Where a usage record came from, as a page: the way down from a figure to what is under it.

Resources does not know jobs or reservations: a higher room's kind is a key of the record's ``detail``, and
``site/wiring`` says which page shows a thing of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

_pages: dict[str, Callable[[str], str]] = {}


def register_source(kind: str, page_of: Callable[[str], str]) -> None:
    """Say which page shows a source of ``kind``; again with the same kind replaces it."""
    _pages[kind] = page_of


def source_page(detail: Mapping[str, object]) -> str:
    """The address of the page that shows a usage record's source; empty when nobody shows it."""
    return next((page(str(detail[kind])) for kind, page in _pages.items() if kind in detail), "")
