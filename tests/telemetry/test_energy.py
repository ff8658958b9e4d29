"""Energy of a window: what the samples carry, and what they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.telemetry import Boundary, NotMeasured, Sample, energy
from bitgoeul.telemetry.energy import Method, WhyNot


def power(at_ms, mw, **changes):
    return at_ms, Sample("test", Boundary.CARD, 0, "card-0", power_mw=mw, **changes)


def counter(at_ms, mj, mw=None):
    return at_ms, Sample("test", Boundary.CARD, 0, "card-0", energy_mj=mj, power_mw=mw)


def refusal(taken, begin_ms, end_ms, **values):
    with pytest.raises(NotMeasured) as refused:
        energy(taken, begin_ms, end_ms, **{"interval_ms": 1_000, **values})
    return refused.value.refusal


def test_a_sample_with_power_says_what_it_covers():
    with pytest.raises(ValueError, match="covers"):
        Sample("test", power_mw=1)
    with pytest.raises(ValueError, match="covers"):
        Sample("test", energy_mj=1)


def test_even_power_over_a_window_between_samples():
    found = energy([power(at, 200_000) for at in range(0, 5_000, 1_000)], 500, 3_700, interval_ms=1_000)
    assert (found.energy_mj, found.mean_power_mw, found.method) == (640_000, 200_000, Method.TRAPEZOID)
    assert (found.boundary, found.samples) == (Boundary.CARD, 3)


def test_power_that_rises_evenly():
    found = energy([power(0, 0), power(1_000, 100_000), power(2_000, 200_000)], 0, 2_000, interval_ms=1_000)
    assert (found.energy_mj, found.mean_power_mw) == (200_000, 100_000)


def test_the_counter_is_preferred_and_its_edges_lie_on_the_line():
    taken = [counter(0, 1_000, 9), counter(1_000, 2_000, 9), counter(2_000, 6_000, 9)]
    found = energy(taken, 500, 1_500, interval_ms=1_000)
    assert (found.energy_mj, found.method, found.mean_power_mw) == (2_500, Method.COUNTER, 2_500)


def test_a_counter_says_nothing_of_what_was_after_its_last_sample():
    taken = [counter(0, 1_000), counter(1_000, 2_000)]
    assert refusal(taken, 0, 1_500) is WhyNot.OUTSIDE
    with_power = [counter(0, 1_000, 1_000), counter(1_000, 2_000, 1_000)]
    assert energy(with_power, 0, 1_500, interval_ms=1_000).method is Method.TRAPEZOID


def test_a_gap_is_not_bridged():
    taken = [power(at, 100) for at in (0, 1_000, 2_000, 5_001, 6_000)]
    assert refusal(taken, 0, 6_000) is WhyNot.GAP
    assert energy(taken, 0, 6_000, interval_ms=1_000, gap_intervals=4).mean_power_mw == 100
    # A gap before the window does not matter to it.
    assert energy(taken, 5_001, 6_000, interval_ms=1_000).mean_power_mw == 100


def test_samples_without_a_figure_are_a_gap():
    silent = [(at, Sample("test", None, 0, "card-0", busy_permille=5)) for at in range(1_000, 5_000, 1_000)]
    assert refusal([power(0, 100), *silent, power(5_000, 100)], 0, 5_000) is WhyNot.GAP


@pytest.mark.parametrize(("begin_ms", "end_ms"), [(-4_000, 2_000), (0, 6_000)])
def test_a_window_far_outside_the_samples_is_refused(begin_ms, end_ms):
    assert refusal([power(at, 100) for at in (0, 1_000, 2_000)], begin_ms, end_ms) is WhyNot.GAP


def test_other_refusals_by_name():
    assert refusal([], 0, 1_000) is WhyNot.NO_SAMPLES
    assert refusal([power(0, 1)], 1_000, 1_000) is WhyNot.EMPTY_WINDOW
    assert refusal([power(1_000, 1), power(0, 1)], 0, 1_000) is WhyNot.OUT_OF_ORDER
    assert refusal([counter(0, 5_000), counter(1_000, 4_000)], 0, 1_000) is WhyNot.COUNTER_RESET
    chassis = (1_000, Sample("test", Boundary.CHASSIS, 0, "card-0", power_mw=1))
    assert refusal([power(0, 1), chassis], 0, 1_000) is WhyNot.MIXED
    other = (1_000, Sample("test", Boundary.CARD, 1, "card-1", power_mw=1))
    assert refusal([power(0, 1), other], 0, 1_000) is WhyNot.MIXED


@given(
    st.lists(st.integers(0, 700_000), min_size=3, max_size=40),
    st.integers(0, 900),
    st.integers(1, 900),
)
def test_two_halves_are_the_whole_and_never_beyond_the_extremes(powers, early, late):
    taken = [power(index * 1_000, mw) for index, mw in enumerate(powers)]
    begin, end = early, (len(powers) - 1) * 1_000 - (900 - late)
    middle = (begin + end) // 2
    whole = energy(taken, begin, end, interval_ms=1_000)
    halves = [energy(taken, begin, middle, interval_ms=1_000), energy(taken, middle, end, interval_ms=1_000)]
    assert abs(whole.energy_mj - sum(each.energy_mj for each in halves)) <= 1
    assert min(powers) <= whole.mean_power_mw <= max(powers)
