"""Devices and jobs as squares: one shape for each state, so that colour is never alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

COLUMNS = 64
SQUARES_MAX = 1_280
STEP = 12
SIDE = 9
MARKS = ("used", "idle", "drained", "unknown")


@dataclass(frozen=True)
class Drawing:
    """An SVG's size and its path for each state; one square stands for ``each`` devices."""

    width: int
    height: int
    each: int
    paths: Mapping[str, str]


def draw(counts: Mapping[str, int]) -> Drawing:
    """Squares in rows of COLUMNS, first the used, then idle, drained and unknown ones.

    More than SQUARES_MAX devices are drawn several to a square; a state that has any has at least one square.
    """
    devices = sum(counts.get(mark, 0) for mark in MARKS)
    each = max(1, -(-devices // SQUARES_MAX))
    sizes = {mark: -(-counts.get(mark, 0) // each) for mark in MARKS}
    total = sum(sizes.values())
    paths, start = {}, 0
    for mark in MARKS:
        paths[mark] = "".join(_squares(mark, start, sizes[mark]))
        start += sizes[mark]
    width = min(COLUMNS, max(1, total)) * STEP
    return Drawing(width, max(1, -(-total // COLUMNS)) * STEP, each, paths)


def draw_each(marks: Sequence[str], columns: int = COLUMNS) -> Drawing:
    """A square for each mark, row after row: the same thing always stands at the same place."""
    paths: dict[str, list[str]] = {}
    for number, mark in enumerate(marks):
        paths.setdefault(mark, []).extend(_square(mark, number, columns))
    width, rows = min(columns, max(1, len(marks))), max(1, -(-len(marks) // columns))
    return Drawing(width * STEP, rows * STEP, 1, {mark: "".join(parts) for mark, parts in paths.items()})


def _squares(mark: str, start: int, count: int) -> Iterator[str]:
    for number in range(start, start + count):
        yield from _square(mark, number, COLUMNS)


def _square(mark: str, number: int, columns: int) -> Iterator[str]:
    x, y = number % columns * STEP + 1, number // columns * STEP + 1
    yield f"M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z"
    if mark in ("drained", "failed"):
        yield f"l{SIDE} {SIDE}"
    if mark == "failed":
        yield f"m0 -{SIDE}l-{SIDE} {SIDE}"
    if mark == "cancelled":
        yield f"m0 4h{SIDE}"
    if mark in ("unknown", "running"):
        yield "m4 4h1v1h-1z"
