"""Energy and mean power of one device over a stretch of time, or why nobody can say it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from .reading import half_up
from .samples import Boundary, Sample

# So many intervals may lie between two samples before what was between them is unknown.
GAP_INTERVALS = 3
Point = tuple[int, int]


class WhyNot(StrEnum):
    """Why there is no figure."""

    EMPTY_WINDOW = "empty_window"
    NO_SAMPLES = "no_samples"
    MIXED = "mixed"
    OUT_OF_ORDER = "out_of_order"
    GAP = "gap"
    OUTSIDE = "outside"
    COUNTER_RESET = "counter_reset"


class NotMeasured(Exception):
    """The samples do not carry a figure for the window."""

    def __init__(self, refusal: WhyNot, detail: str = "") -> None:
        super().__init__(f"{refusal}: {detail}" if detail else str(refusal))
        self.refusal = refusal


class Method(StrEnum):
    """How energy was found."""

    COUNTER = "counter"
    """The difference of the device's own energy counter."""
    TRAPEZOID = "trapezoid"
    """Power between two samples taken to change evenly."""


@dataclass(frozen=True)
class Energy:
    """What one device used from ``begin_ms`` to ``end_ms`` of the caller's clock, and what the figure covers."""

    boundary: Boundary
    method: Method
    begin_ms: int
    end_ms: int
    energy_mj: int
    mean_power_mw: int
    samples: int


def energy(
    taken: Sequence[tuple[int, Sample]],
    begin_ms: int,
    end_ms: int,
    *,
    interval_ms: int,
    gap_intervals: int = GAP_INTERVALS,
) -> Energy:
    """Energy of a window from samples ``(at_ms, sample)`` of one device, all times on one clock.

    The counter is preferred where every sample has one. The window must lie between the first and the last sample,
    or end at most one gap beyond: what was before or after is then taken to be as the nearest sample. Raises
    NotMeasured for samples of several devices or boundaries, for a counter that went back, and where two samples
    lie further apart than ``gap_intervals`` × ``interval_ms``.
    """
    if end_ms <= begin_ms:
        raise NotMeasured(WhyNot.EMPTY_WINDOW)
    if any(late < early for (early, _), (late, _) in pairwise(taken)):
        raise NotMeasured(WhyNot.OUT_OF_ORDER)
    boundary = _boundary([sample for _at, sample in taken])
    gap_ms = gap_intervals * interval_ms
    counted = [(at, sample.energy_mj) for at, sample in taken if sample.energy_mj is not None]
    powers = [(at, sample.power_mw) for at, sample in taken if sample.power_mw is not None]
    method, points = Method.TRAPEZOID, powers
    if len(counted) == len(taken) > 1 and (covers(counted, begin_ms, end_ms) or not powers):
        method, points = Method.COUNTER, counted
    _check_gaps(points, begin_ms, end_ms, gap_ms)
    measure = _by_counter if method is Method.COUNTER else _by_power
    found = measure(points, begin_ms, end_ms)
    inside = sum(begin_ms <= at <= end_ms for at, _value in points)
    mean = half_up(found * 1000 / (end_ms - begin_ms))
    return Energy(boundary, method, begin_ms, end_ms, half_up(found), mean, inside)


def covers(points: Sequence[Point], begin_ms: int, end_ms: int) -> bool:
    """Whether points lie on both sides of a window: what a counter was outside of them nobody knows."""
    return points[0][0] <= begin_ms and end_ms <= points[-1][0]


def _boundary(samples: Sequence[Sample]) -> Boundary:
    measured = [each for each in samples if each.boundary is not None]
    boundaries = {each.boundary for each in measured}
    if len(boundaries) > 1 or len({each.device for each in measured}) > 1:
        raise NotMeasured(WhyNot.MIXED)
    if not measured or measured[0].boundary is None:
        raise NotMeasured(WhyNot.NO_SAMPLES)
    return measured[0].boundary


def _check_gaps(points: Sequence[Point], begin_ms: int, end_ms: int, gap_ms: int) -> None:
    if not points:
        raise NotMeasured(WhyNot.NO_SAMPLES)
    times = [at for at, _value in points]
    # Only what touches the window counts.
    before = max((at for at in times if at <= begin_ms), default=begin_ms)
    after = min((at for at in times if at >= end_ms), default=end_ms)
    inside = [at for at in times if begin_ms < at < end_ms]
    for early, late in pairwise([before, *inside, after]):
        if late - early > gap_ms:
            raise NotMeasured(WhyNot.GAP, f"{late - early} ms from {early} on")


def _by_counter(points: Sequence[Point], begin_ms: int, end_ms: int) -> float:
    if not covers(points, begin_ms, end_ms):
        raise NotMeasured(WhyNot.OUTSIDE)
    if any(late < early for (_, early), (_, late) in pairwise(points)):
        raise NotMeasured(WhyNot.COUNTER_RESET)
    value = _line(points)
    return value(end_ms) - value(begin_ms)


def _by_power(points: Sequence[Point], begin_ms: int, end_ms: int) -> float:
    value = _line(points)
    corners = [begin_ms, *(at for at, _power in points if begin_ms < at < end_ms), end_ms]
    # mW × ms are thousandths of a mJ.
    return sum((value(early) + value(late)) / 2 * (late - early) for early, late in pairwise(corners)) / 1000


def _line(points: Sequence[Point]) -> Callable[[int], float]:
    """The value between two points on the straight line, outside of all that of the nearest."""

    times = [at for at, _value in points]

    def value(at_ms: int) -> float:
        place = bisect_right(times, at_ms)
        if place in (0, len(points)):
            return float(points[max(0, place - 1)][1])
        (left, low), (right, high) = points[place - 1], points[place]
        return low + (high - low) * (at_ms - left) / (right - left)

    return value
