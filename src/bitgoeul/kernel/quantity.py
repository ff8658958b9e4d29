"""Whole-number quantities: units with a scale fixed at birth, rounding once and half up."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadInput
from .text import N_, Text

MAX_AMOUNT = 2**63 - 1


@dataclass(frozen=True)
class Unit:
    """A unit of account: ``scale`` ledger amounts make one display unit (1000 ``core_ms`` = 1 core-second)."""

    code: str
    scale: int
    label: Text

    def show(self, amount: int) -> str:
        """An amount in display units as a plain decimal string, exact: 12345 at scale 1000 → ``12.345``."""
        sign, value = ("-", -amount) if amount < 0 else ("", amount)
        whole, rest = divmod(value, self.scale)
        digits = len(str(self.scale)) - 1
        return f"{sign}{whole}.{rest:0{digits}d}" if self.scale > 1 else f"{sign}{whole}"


def divide_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` rounded half up (away from zero on a tie when positive).

    Both whole, denominator positive; used once per record, never on sums of rounded values.
    """
    if denominator <= 0:
        raise ValueError("the denominator must be positive")
    return (2 * numerator + denominator) // (2 * denominator)


def check_amount(amount: int, field: str = "amount") -> int:
    """An amount that fits the store: a whole number from 1 to 2^63 − 1; raises BadInput otherwise."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= MAX_AMOUNT:
        raise BadInput(N_("An amount must be a whole number from 1 to {limit}."), field=field, limit=MAX_AMOUNT)
    return amount
