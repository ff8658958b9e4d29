"""Errors, texts, ids, clock, quantities and state tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.kernel import clock, ids
from bitgoeul.kernel.errors import BadInput, NotAllowed, WrongState
from bitgoeul.kernel.machine import Machine, Move
from bitgoeul.kernel.quantity import MAX_AMOUNT, Unit, check_amount, divide_half_up
from bitgoeul.kernel.text import Text


class Light(StrEnum):
    RED = "RED"
    GREEN = "GREEN"
    OFF = "OFF"


LIGHT = Machine(
    name="light",
    states=Light,
    initial=Light.RED,
    moves={
        "go": Move(frozenset({Light.RED}), Light.GREEN, Text("Go")),
        "break": Move(frozenset({Light.RED, Light.GREEN}), Light.OFF, Text("Break")),
    },
)


def test_machine_is_a_table():
    assert LIGHT.target(Light.RED, "go") is Light.GREEN
    assert LIGHT.actions(Light.GREEN) == ["break"]
    assert LIGHT.terminal == {Light.OFF}
    assert "RED --> GREEN: go" in LIGHT.mermaid()


def test_machine_refuses_and_names_what_is_possible():
    with pytest.raises(WrongState) as caught:
        LIGHT.target(Light.GREEN, "go")
    assert caught.value.detail == {"action": "go", "state": "GREEN", "possible": ["break"]}


def test_errors_carry_code_field_remedy_and_default_text():
    error = BadInput("At most {n}.", field="cores", remedy=Text("Ask for fewer."), n=3)
    assert error.to_json() == {
        "code": "bad_input",
        "message": "At most 3.",
        "detail": {"field": "cores", "remedy": "Ask for fewer."},
    }
    assert str(NotAllowed().text) == "You are not allowed to do this."


def test_a_text_that_does_not_fit_never_raises():
    assert str(Text("{missing}", {"n": 1})) == "{missing} {'n': 1}"
    assert Text.from_json(Text("{a}", {"a": "x"}).to_json()) == Text("{a}", {"a": "x"})


def test_new_ids_are_version_7_ordered_and_unique():
    made = [ids.new_id() for _ in range(2000)]
    assert {i.version for i in made} == {7}
    assert len(set(made)) == 2000
    stamps = [i.int >> 80 for i in made]
    assert stamps == sorted(stamps)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_derived_ids_repeat_and_differ(a, b):
    assert (ids.derive("t", *a) == ids.derive("t", *b)) == (a == b)


def test_times_need_a_zone():
    seoul = datetime(2026, 11, 22, 9, tzinfo=timezone(timedelta(hours=9)))
    assert clock.rfc3339(seoul) == "2026-11-22T00:00:00.000000Z"
    assert clock.parse_rfc3339(clock.rfc3339(seoul)) == seoul
    assert clock.now().tzinfo is UTC
    with pytest.raises(ValueError, match="zone"):
        clock.rfc3339(datetime(2026, 1, 1))


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_rounding_is_half_up(n, d):
    exact = Fraction(n, d)
    rounded = divide_half_up(n, d)
    assert rounded - Fraction(1, 2) <= exact < rounded + Fraction(1, 2)


@given(st.integers(-(10**12), 10**12))
def test_a_unit_shows_amounts_exactly(amount):
    shown = Unit("core_ms", 1000, Text("core-second")).show(amount)
    assert Fraction(shown) == Fraction(amount, 1000)


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1, True, 1.5, "3"])
def test_amounts_are_positive_whole_numbers(amount):
    with pytest.raises(BadInput):
        check_amount(amount)
