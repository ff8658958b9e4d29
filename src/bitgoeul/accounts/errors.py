"""Refusals of the accounts room that a page answers with a way on."""

from __future__ import annotations

from typing import ClassVar

from bitgoeul.kernel.errors import LimitReached, NotAllowed


class SecondFactorNeeded(NotAllowed):
    """Your role at the operator works only after signing in with a second factor."""

    code: ClassVar[str] = "second_factor_needed"


class ElevationNeeded(NotAllowed):
    """This needs a timed elevation, asked for with a reason."""

    code: ClassVar[str] = "elevation_needed"


class ScopeMissing(NotAllowed):
    """The token lacks a scope."""

    code: ClassVar[str] = "scope_missing"


class TooManyFailures(LimitReached):
    """Too many attempts have failed; wait before the next one."""

    code: ClassVar[str] = "too_many_failures"
    status: ClassVar[int] = 429


REFUSALS: dict[str, type[NotAllowed]] = {
    one.code: one for one in (SecondFactorNeeded, ElevationNeeded, ScopeMissing)
}
