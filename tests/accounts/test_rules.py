"""The business registration number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.accounts.rules import check_digit, clean_registration_number, show_registration_number
from bitgoeul.kernel.errors import BadInput


def test_a_known_number_and_its_forms():
    # 1*1+3*2+7*0+1*8+3*1+7*4+1*7+3*6+5*3 = 86, + floor(15/10) = 87 → check digit 3
    assert check_digit("120814763") == 3
    assert clean_registration_number(" 120-81-47633 ") == "1208147633"
    assert show_registration_number("1208147633") == "120-81-47633"
    assert show_registration_number("1208147633", masked=True) == "120-81-*****"


def test_a_number_that_ends_in_zero_is_right():
    ending = next(nine for nine in (f"{n:09d}" for n in range(1, 10_000)) if check_digit(nine) == 0)
    assert clean_registration_number(ending + "0") == ending + "0"


def test_empty_means_not_founded_yet():
    assert clean_registration_number("  ") == ""


@given(st.integers(0, 10**9 - 1), st.integers(1, 9))
def test_exactly_one_last_digit_fits(number, shift):
    nine = f"{number:09d}"
    right = check_digit(nine)
    assert 0 <= right <= 9
    assert clean_registration_number(f"{nine}{right}") == f"{nine}{right}"
    with pytest.raises(BadInput) as caught:
        clean_registration_number(f"{nine}{(right + shift) % 10}")
    assert caught.value.field == "registration_number"
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["123", "12345678901", "12-34-5678a", "１２３４５６７８９０", "120814763３"])
def test_what_is_not_ten_digits_is_refused(text):
    with pytest.raises(BadInput):
        clean_registration_number(text)
