"""Finding catalogue entries."""

from __future__ import annotations

from bitgoeul.accounts import facade as accounts
from bitgoeul.web.facade import Found, Sought

from .catalogue import chosen, resource_view
from .types import CatalogueFilter


def find_entries(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By any part of name, provider, place or code, as on the catalogue's page; the catalogue is public."""
    rows = chosen(CatalogueFilter(text=wanted.text))[start : start + count]
    return [Found(one.code, one.label, one.provider) for one in map(resource_view, rows)]
