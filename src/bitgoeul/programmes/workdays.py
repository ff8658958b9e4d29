"""Korean working days: Monday to Friday without public holidays, in Seoul time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

import holidays

from bitgoeul.kernel.clock import SEOUL

DAYS_AHEAD_MAX = 3660


@lru_cache(maxsize=16)
def _holidays_of(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("KR", years=year))


def is_working_day(day: date) -> bool:
    """True from Monday to Friday unless the day is a public holiday in Korea."""
    return day.weekday() < 5 and day not in _holidays_of(day.year)


def seoul_day(moment: datetime) -> date:
    """The calendar day in Seoul at an aware moment."""
    return moment.astimezone(SEOUL).date()


def add_working_days(day: date, count: int) -> date:
    """The day on which ``count`` working days after ``day`` have begun; ``count`` 0 gives ``day`` itself."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def working_days_left(now: datetime, until: datetime) -> int:
    """Working days from the day after ``now`` to the day of ``until``, both in Seoul.

    0 when ``until`` is later today, -1 when it has passed. Counts at most ten years ahead, so a date far away
    costs a bounded time.
    """
    if now >= until:
        return -1
    today, last = seoul_day(now), seoul_day(until)
    days = min((last - today).days, DAYS_AHEAD_MAX)
    return sum(is_working_day(today + timedelta(days=ahead)) for ahead in range(1, days + 1))
