"""What is left of an allocation against time, as lines of a small drawing. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from bitgoeul.resources.facade import Outlook

WIDTH, HEIGHT = 240, 64


@dataclass(frozen=True)
class Burn:
    """The paths of a drawing WIDTH × HEIGHT: what was left, an even pace to the end, and what is to come."""

    left: str
    even: str
    ahead: str
    today: int


def burn(one: Outlook) -> Burn:
    """The drawing of an allocation: from its start to its end, from nothing to all that it had."""
    whole = max(1, one.view.used + one.left)
    span = max(1, (one.ends - one.starts).days)

    def at(day: date, left: int) -> tuple[int, int]:
        x = WIDTH * min(max((day - one.starts).days, 0), span) // span
        return x, HEIGHT - HEIGHT * min(max(left, 0), whole) // whole

    seen = [at(one.starts, whole), *(at(day, whole - used) for day, used in one.points), at(one.today, one.left)]
    said, ahead = one.forecast, ""
    if said.runs_out_on:
        ahead = _path([seen[-1], at(said.runs_out_on, 0)])
    elif said.left_at_end is not None:
        ahead = _path([seen[-1], at(one.ends, said.left_at_end)])
    return Burn(_path(seen), _path([(0, 0), (WIDTH, HEIGHT)]), ahead, seen[-1][0])


def _path(points: Iterable[tuple[int, int]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)
