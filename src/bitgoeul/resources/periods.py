"""The period of a statement: whole days in the portal's own time zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils.timezone import get_current_timezone, localdate, make_aware

YEARS = (2000, 2200)  # beyond them a day later, or the same day in another zone, may not exist
DAYS = 90


def period(since: date | None, until: date | None) -> tuple[datetime, datetime]:
    """From the first day's beginning to the last day's end; the last 90 days where nothing is asked."""
    today = localdate()
    first = since or today - timedelta(days=DAYS)
    last = max(until or today, first)
    return _midnight(first), _midnight(last) + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return make_aware(datetime(day.year, day.month, day.day), get_current_timezone())
