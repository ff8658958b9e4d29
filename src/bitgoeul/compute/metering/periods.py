"""Days and months of a zone, and what of a span falls into each, exactly. Pure.

Moments are whole seconds since 1970 in UTC; a span is ``[start, end)``. A day begins when its midnight is first
reached in the zone; where clocks jump over midnight, at the jump. So days may have 23 or 25 hours, and a date that
a zone skipped has none; together they cover all time without gap or overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text

PeriodKind = Literal["day", "month"]
# The zone in which the site counts its days and months.
SITE_ZONE = "Asia/Seoul"
# Days made at once around a moment asked for.
REACH_DAYS = 400
DAY_SECONDS = 86_400


class Period(NamedTuple):
    """One day or month: its name (``2026-11-26`` or ``2026-11``) and its span in seconds since 1970."""

    name: str
    start: int
    end: int


def zone(name: str, field: str) -> ZoneInfo:
    """The time zone of that name; raises BadInput naming the field."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(
            N_("{option}: there is no time zone “{name}”."),
            option=field,
            field=field,
            name=name,
            remedy=Text(N_("Name one of the IANA database, such as Asia/Seoul or UTC.")),
        ) from None


class Borders:
    """The days or months of one zone; made as they are asked for and kept."""

    def __init__(self, zone: ZoneInfo, kind: PeriodKind) -> None:
        self.zone, self.kind = zone, kind
        self._begins: list[date] = []
        self._names: list[str] = []
        self._starts: list[int] = []

    def at(self, moment: int) -> Period:
        """The period that holds a moment."""
        index = self._index(moment)
        return Period(self._names[index], self._starts[index], self._starts[index + 1])

    def start_of(self, name: str) -> int:
        """When the period of that name begins."""
        return self._midnight(date.fromisoformat(name if self.kind == "day" else f"{name}-01"))

    def name_at(self, moment: int) -> str:
        """The name of the period that holds a moment."""
        index = self._index(moment)  # first: it may make new names
        return self._names[index]

    def between(self, first: int, last: int) -> Iterator[Period]:
        """Every period from the one that holds ``first`` to the one that holds ``last``, both included."""
        self._index(first)  # so that looking up the last one adds no periods before the first
        last_index = self._index(last)
        for index in range(self._index(first), last_index + 1):
            if self._starts[index] < self._starts[index + 1]:
                yield Period(self._names[index], self._starts[index], self._starts[index + 1])

    def split(self, start: int, end: int) -> list[tuple[str, int]]:
        """The seconds of ``[start, end)`` in each period, in order; they add up to ``end - start``."""
        if end <= start:
            return []
        index = self._index(start)
        if end <= self._starts[index + 1]:
            return [(self._names[index], end - start)]
        return [(name, min(end, until) - max(start, since)) for name, since, until in self.between(start, end - 1)]

    def split_amount(self, start: int, end: int, amount: int) -> list[tuple[str, int]]:
        """``amount`` over the periods of ``[start, end)`` in proportion to the time; the parts add up exactly.

        Each border gets what had come up to it, rounded down, so no part depends on how the rest is divided. An
        amount over an empty span belongs to the period of its moment.
        """
        if end <= start:
            return [(self.name_at(start), amount)] if amount else []
        index = self._index(start)
        if end <= self._starts[index + 1]:
            return [(self._names[index], amount)]
        parts, done, passed = [], 0, 0
        for name, seconds in self.split(start, end):
            passed += seconds
            until = share(amount, passed, end - start)
            parts.append((name, until - done))
            done = until
        return parts

    def _index(self, moment: int) -> int:
        if not self._starts or not self._starts[0] <= moment < self._starts[-1]:
            self._reach(moment)
        return bisect_right(self._starts, moment) - 1

    def _reach(self, moment: int) -> None:
        """Make the periods around a moment, and those between it and the ones there are."""
        day = date(1970, 1, 1) + timedelta(days=moment // DAY_SECONDS)
        first, last = day - timedelta(days=REACH_DAYS), day + timedelta(days=REACH_DAYS)
        begins = self._begins
        if not begins:
            self._keep(self._from_to(first, last), behind=True)
        elif first < begins[0]:
            self._keep([each for each in self._from_to(first, begins[0]) if each < begins[0]], behind=False)
        if last > begins[-1]:
            self._keep([each for each in self._from_to(begins[-1], last) if each > begins[-1]], behind=True)

    def _from_to(self, first: date, last: date) -> list[date]:
        return list(_days(first, last) if self.kind == "day" else _months(first, last))

    def _keep(self, days: list[date], *, behind: bool) -> None:
        place = len(self._begins) if behind else 0
        length = 10 if self.kind == "day" else 7
        self._begins[place:place] = days
        self._names[place:place] = [day.isoformat()[:length] for day in days]
        self._starts[place:place] = [self._midnight(day) for day in days]

    def _midnight(self, day: date) -> int:
        """When the date is first reached: with fold 0 datetime reads a skipped time by the clock before."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def _months(first: date, last: date) -> Iterator[date]:
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month + 1):
        yield date(number // 12, number % 12 + 1, 1)


def share(amount: int, part: int, whole: int) -> int:
    """What of ``amount`` has come after ``part`` of ``whole``, rounded down."""
    return amount * part // whole
