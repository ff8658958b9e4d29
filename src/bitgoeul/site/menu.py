"""The portal's main menu: six doors that everybody has, and one's own home."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from django.urls import NoReverseMatch, get_script_prefix, reverse

from bitgoeul.accounts.types import OperatorRole
from bitgoeul.kernel.text import N_, Text


@dataclass(frozen=True)
class Entry:
    """One entry: its word, its address, and whether the page being read stands under it."""

    label: Text
    url: str
    active: bool


PUBLIC = (
    (Text(N_("Get started")), "programmes:start"),
    (Text(N_("Calls")), "programmes:calls"),
    (Text(N_("Catalogue")), "site:catalogue"),
    (Text(N_("Stage board")), "site:board"),
    (Text(N_("Check evidence")), "trials:verify"),
    (Text(N_("Public figures")), "outcomes:figures"),
)
OWN = ((Text(N_("My home")), "site:home"),)


OPERATOR = ((Text(N_("Usage")), "site:use"), (Text(N_("Fleet and queue")), "compute:fleet"))
DECIDERS = ((Text(N_("Decisions")), "site:decisions"),)


def _of_operator(roles: Collection[OperatorRole]) -> tuple[tuple[Text, str], ...]:
    decides = not {OperatorRole.STAFF, OperatorRole.AUDITOR}.isdisjoint(roles)
    return (*(DECIDERS if decides else ()), *(OPERATOR if roles else ()))


def entries(path: str, *, signed_in: bool, roles: Collection[OperatorRole] = ()) -> list[Entry]:
    """The entries for a reader; a room that is not installed has no entry."""
    found = []
    for label, name in (*(OWN if signed_in else ()), *PUBLIC, *_of_operator(roles)):
        url = _address(name, get_script_prefix())
        if url:
            found.append(Entry(label, url, path == url or (url != "/" and path.startswith(url))))
    return found


@cache
def _address(name: str, _prefix: str) -> str:
    """The address of a door; empty when its room is not installed. A process asks once for each mount."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
