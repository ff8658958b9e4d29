"""Korean working days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.programmes.workdays import add_working_days, is_working_day, seoul_day, working_days_left

DAYS = st.dates(date(2025, 1, 1), date(2027, 6, 30))


def at(year, month, day, hour=3):
    return datetime(year, month, day, hour, tzinfo=UTC)


def test_weekends_and_public_holidays_do_not_count():
    assert not is_working_day(date(2026, 11, 22))  # a Sunday
    assert not is_working_day(date(2026, 12, 25))  # Christmas, a Friday
    assert not is_working_day(date(2026, 2, 17))  # Seollal
    assert is_working_day(date(2026, 11, 23))


def test_working_days_left():
    assert working_days_left(at(2026, 11, 24), at(2026, 11, 27)) == 3
    assert working_days_left(at(2026, 11, 27), at(2026, 11, 30)) == 1
    assert working_days_left(at(2026, 12, 24), at(2026, 12, 28)) == 1
    assert working_days_left(at(2026, 11, 24), at(2026, 11, 24, 9)) == 0
    assert working_days_left(at(2026, 11, 24), at(2026, 11, 24)) == -1


def test_the_day_is_the_one_in_seoul():
    assert seoul_day(at(2026, 11, 24, 16)) == date(2026, 11, 25)


def test_a_date_far_away_costs_a_bounded_time():
    assert working_days_left(at(2026, 1, 1), at(2999, 1, 1)) < 3660


@given(DAYS, st.integers(0, 30))
def test_adding_working_days_lands_on_one_and_counts_back(day, count):
    last = add_working_days(day, count)
    assert count == 0 or is_working_day(last)
    assert sum(is_working_day(day + timedelta(days=n)) for n in range(1, (last - day).days + 1)) == count
