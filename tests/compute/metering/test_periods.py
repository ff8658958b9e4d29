"""Days and months of a zone cover all time; whatever is cut, nothing is lost to the second."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as portal
from hypothesis import given, settings
from hypothesis import strategies as st

from bitgoeul.compute.metering import SITE_ZONE, Borders, hours, share, zone
from bitgoeul.kernel.errors import BadInput

from .lines import line, read, sums

# With clock changes at midnight, a date that was skipped, and half hours.
ZONES = [
    "Asia/Seoul", "UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe",
    "America/St_Johns", "Asia/Kathmandu", "Asia/Beirut",
]  # fmt: skip
MOMENTS = st.integers(min_value=631_152_000, max_value=2_000_000_000)
borders_of = cache(lambda name, kind: Borders(ZoneInfo(name), kind))
KINDS = st.sampled_from(["day", "month"])


@given(st.sampled_from(ZONES), KINDS, MOMENTS, st.integers(0, 200 * 86_400))
def test_a_split_adds_up_and_follows_the_borders(name, kind, start, length):
    borders = borders_of(name, kind)
    parts = borders.split(start, start + length)
    assert sum(seconds for _, seconds in parts) == length
    assert all(seconds > 0 for _, seconds in parts)
    assert [period for period, _ in parts] == sorted({period for period, _ in parts})


@given(st.sampled_from(ZONES), KINDS, MOMENTS, st.integers(0, 200 * 86_400), st.integers(0, 10**12))
def test_an_amount_is_split_without_rest(name, kind, start, length, amount):
    parts = borders_of(name, kind).split_amount(start, start + length, amount)
    assert sum(part for _, part in parts) == amount
    assert all(part >= 0 for _, part in parts)


@given(st.sampled_from(ZONES), MOMENTS, st.integers(0, 90 * 86_400), st.lists(st.integers(0, 90 * 86_400)))
def test_any_cut_of_a_span_gives_the_same_days(name, start, length, cuts):
    borders = borders_of(name, "day")
    points = sorted({start, start + length, *(start + cut for cut in cuts if cut < length)})
    pieces: dict[str, int] = {}
    for one, other in pairwise(points):
        for day, seconds in borders.split(one, other):
            pieces[day] = pieces.get(day, 0) + seconds
    assert pieces == dict(borders.split(start, start + length))


@given(st.sampled_from(ZONES), KINDS, MOMENTS)
def test_every_moment_lies_in_the_period_that_its_zone_says(name, kind, moment):
    period = borders_of(name, kind).at(moment)
    assert period.start <= moment < period.end
    local = datetime.fromtimestamp(moment, ZoneInfo(name)).date().isoformat()
    # St. John's turned its clocks back over midnight: the minute before belongs to two dates, a day to one.
    if name != "America/St_Johns":
        assert period.name == local[: len(period.name)]


RECENT = st.integers(min_value=1_790_000_000, max_value=1_800_000_000)


@settings(max_examples=40)
@given(st.lists(st.tuples(RECENT, st.integers(0, 40 * 86_400), st.integers(0, 64)), min_size=1, max_size=12),
       st.data())  # fmt: skip
def test_any_cut_of_an_export_into_overlapping_windows_gives_the_same_figures(jobs, data):
    lines = [
        line(JobID=str(number), Submit=str(start), Start=str(start), End=str(start + length), Elapsed=str(length),
             AllocTRES=f"cpu={cores},node=1")
        for number, (start, length, cores) in enumerate(jobs, 1)
    ]  # fmt: skip
    whole, _ = read(*lines)
    order = data.draw(st.permutations(lines))
    cut = data.draw(st.integers(0, len(order)))
    windows = [record for part in (order[: cut + 1], order[cut:], order) for record in read(*part)[0]]
    assert sums(windows, zone=SITE_ZONE) == sums(whole, zone=SITE_ZONE)
    total = sum(value for (metric, _), value in sums(whole).items() if metric == "cpu_hours")
    assert total == sum(1000 * cores * length for _, length, cores in jobs)


def test_days_of_a_clock_change_have_23_and_25_hours():
    borders = Borders(ZoneInfo("Europe/Berlin"), "day")
    spring, autumn = (borders.at(int(datetime(2026, *day, 12, tzinfo=ZoneInfo("UTC")).timestamp())) for day in
                      ((3, 29), (10, 25)))  # fmt: skip
    assert (spring.end - spring.start, autumn.end - autumn.start) == (23 * 3600, 25 * 3600)


def test_a_date_that_a_zone_skipped_has_no_time():
    start = int(datetime(2011, 12, 29, 20, tzinfo=ZoneInfo("UTC")).timestamp())
    days = Borders(ZoneInfo("Pacific/Apia"), "day").split(start, start + 86_400)
    assert days == [("2011-12-29", 14 * 3600), ("2011-12-31", 10 * 3600)]


def test_the_sites_zone_is_that_of_the_portal():
    assert portal.TIME_ZONE == SITE_ZONE


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "\0"])
def test_an_unknown_zone_is_refused_by_option_and_name(name):
    with pytest.raises(BadInput, match="--zone: there is no time zone"):
        zone(name, "--zone")


def test_hours_are_written_with_nine_decimals():
    assert [hours(each) for each in (0, 1_800_000, 1, 3_600_000_000_000)] == [
        "0.000000000", "0.500000000", "0.000000278", "1000000.000000000",
    ]  # fmt: skip
    assert share(10, 1, 3) == 3
