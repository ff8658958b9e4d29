"""The portal's main menu: six doors that everybody has, and one's own home."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

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


OPERATOR = ((Text(N_("Fleet and queue")), "compute:fleet"),)


def entries(path: str, *, signed_in: bool, operator: bool = False) -> list[Entry]:
    """The entries for a reader; a room that is not installed has no entry."""
    found = []
    for label, name in (*(OWN if signed_in else ()), *PUBLIC, *(OPERATOR if operator else ())):
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        found.append(Entry(label, url, path == url or (url != "/" and path.startswith(url))))
    return found
