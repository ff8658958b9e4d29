"""What use is summed under: the call that led to a grant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .queries import current_calls
from .types import Words

HEAD = "call:"
GROUPS_MAX = 200


def use_group(code: str) -> str:
    """The name under which the use of what a call granted is summed."""
    return f"{HEAD}{code}"


def group_titles(groups: Iterable[str]) -> Mapping[str, Words]:
    """The titles of the calls that groups name, as the calls stand, in one query; other groups are left out."""
    codes = {group.removeprefix(HEAD) for group in groups if group.startswith(HEAD)}
    rows = current_calls().filter(code__in=codes).values_list("code", "body__title")
    return {use_group(code): Words(ko=title["ko"], en=title["en"]) for code, title in rows}


def groups() -> Mapping[str, Words]:
    """Every call's group with its title, by code; at most GROUPS_MAX."""
    rows = current_calls().order_by("code").values_list("code", "body__title")[:GROUPS_MAX]
    return {use_group(code): Words(ko=title["ko"], en=title["en"]) for code, title in rows}
