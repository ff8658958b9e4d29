"""Lists come in pages: bounded, counted once, with a stable address for each page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest

T = TypeVar("T")
U = TypeVar("U")

PER_PAGE = 20
PER_PAGE_MAX = 100


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list: ``number`` from 1, ``total`` items over all pages."""

    items: Sequence[T]
    number: int
    per_page: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page; 1 for an empty list."""
        return max(1, -(-self.total // self.per_page))

    @property
    def previous(self) -> int | None:
        """The page before, or None."""
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        """The page after, or None."""
        return self.number + 1 if self.number < self.last else None

    def map(self, function: Callable[[T], U]) -> Page[U]:
        """The same page with each item replaced."""
        return Page([function(item) for item in self.items], self.number, self.per_page, self.total)


def page_number(request: HttpRequest, name: str = "page") -> int:
    """The page the address asks for; 1 when it asks for nothing sensible."""
    text = request.GET.get(name, "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 9 else 1


def page_of(
    queryset: QuerySet[Any, T], number: int = 1, per_page: int = PER_PAGE, total: int | None = None
) -> Page[T]:
    """Page ``number`` of ``queryset`` in two queries; a number past the end gives the last page.

    Who knows ``total``, the number of rows, saves the query that counts them.
    """
    per_page = min(max(1, per_page), PER_PAGE_MAX)
    total = queryset.count() if total is None else total
    number = min(max(1, number), max(1, -(-total // per_page)))
    start = (number - 1) * per_page
    return Page(list(queryset[start : start + per_page]), number, per_page, total)


def page_of_items(items: Sequence[T], number: int = 1, per_page: int = PER_PAGE) -> Page[T]:
    """Page ``number`` of what is at hand already; a number past the end gives the last page."""
    number = min(max(1, number), max(1, -(-len(items) // per_page)))
    start = (number - 1) * per_page
    return Page(items[start : start + per_page], number, per_page, len(items))
