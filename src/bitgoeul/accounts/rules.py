"""Rules of accounts that need no database: the Korean business registration number."""

from __future__ import annotations

import re

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text

WEIGHTS = (1, 3, 7, 1, 3, 7, 1, 3, 5)
DIGITS = 10


def check_digit(first_nine: str) -> int:
    """The tenth digit of a 사업자등록번호.

    Weights 1,3,7,1,3,7,1,3,5 over the first nine digits, plus floor(5 × ninth / 10); the digit is
    (10 − sum mod 10) mod 10. The last ``mod 10`` matters: without it numbers that end in 0 are refused.
    """
    digits = [int(digit) for digit in first_nine]
    total = sum(weight * digit for weight, digit in zip(WEIGHTS, digits, strict=True)) + 5 * digits[8] // 10
    return (10 - total % 10) % 10


def clean_registration_number(text: str) -> str:
    """The ten digits of ``text`` (dashes and spaces allowed); empty stays empty.

    Raises BadInput naming the field when there are not ten digits or the check digit is wrong. It proves the
    form only, not that the firm is open.
    """
    digits = re.sub(r"[\s-]", "", text)
    if not digits:
        return ""
    remedy = Text(N_("Copy the ten digits from the registration certificate, as 000-00-00000."))
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", digits):
        raise BadInput(
            N_("A business registration number has ten digits."), field="registration_number", remedy=remedy
        )
    if check_digit(digits[:9]) != int(digits[9]):
        raise BadInput(
            N_("The last digit of the business registration number does not fit the others."),
            field="registration_number",
            remedy=remedy,
        )
    return digits


def show_registration_number(digits: str, *, masked: bool = False) -> str:
    """``000-00-00000``; masked, the last five digits are hidden."""
    if not digits:
        return ""
    tail = "*" * 5 if masked else digits[5:]
    return f"{digits[:3]}-{digits[3:5]}-{tail}"
