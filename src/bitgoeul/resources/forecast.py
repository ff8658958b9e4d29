"""What an allocation comes to, at the pace of the last weeks. Pure.

The method has one line: the mean of the last 28 full days goes on. It is not asked of an allocation that is too
new or was used on too few days, for a mean of two days tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

WINDOW_DAYS = 28
AGE_DAYS_MIN = 14
USED_DAYS_MIN = 5
IDLE_DAYS = 30
# From this part of the grant on, what would be left at the end is worth a word.
LEFT_OVER_PERMILLE = 200


class Ahead(StrEnum):
    """What is to come; each differs from its neighbour in who has to do something."""

    SPENT = "spent"
    """Nothing is left."""
    RUNS_OUT = "out"
    """It will be used up before its end."""
    LASTS = "lasts"
    """It lasts until its end, and little is left over."""
    LEFT_OVER = "left"
    """At least LEFT_OVER_PERMILLE of the grant will be left at its end."""
    UNKNOWN = "unknown"
    """Too little was seen to say."""


@dataclass(frozen=True)
class Pace:
    """What was used lately, in ledger amounts.

    ``recent`` in the last WINDOW_DAYS full days, on ``used_days`` different ones; ``last_use`` the last day of all
    with a use.
    """

    recent: int = 0
    used_days: int = 0
    last_use: date | None = None


@dataclass(frozen=True)
class Forecast:
    """What is to come: the day on which it runs out, or what is left at the end; neither where nothing is said."""

    ahead: Ahead
    runs_out_on: date | None = None
    left_at_end: int | None = None


def forecast(*, granted: int, left: int, pace: Pace, starts: date, ends: date, today: date) -> Forecast:
    """The mean of the last WINDOW_DAYS days goes on until ``ends``; days are those of the site's zone."""
    if left <= 0:
        return Forecast(Ahead.SPENT)
    window = min(WINDOW_DAYS, (today - starts).days)
    if window < AGE_DAYS_MIN or pace.used_days < USED_DAYS_MIN or pace.recent <= 0:
        return Forecast(Ahead.UNKNOWN)
    remaining = (ends - today).days
    days = left * window // pace.recent
    if days < remaining:
        return Forecast(Ahead.RUNS_OUT, runs_out_on=today + timedelta(days=days))
    at_end = left - pace.recent * remaining // window
    much = at_end * 1_000 >= granted * LEFT_OVER_PERMILLE
    return Forecast(Ahead.LEFT_OVER if much else Ahead.LASTS, left_at_end=at_end)


def is_idle(*, pace: Pace, starts: date, today: date) -> bool:
    """True when it had IDLE_DAYS to be used and was not."""
    since = today - timedelta(days=IDLE_DAYS)
    return starts <= since and (pace.last_use is None or pace.last_use <= since)
