"""The tiers of isolation that this machine has, found once a run."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest

from bitgoeul.compute.ports import Tier
from bitgoeul.engines.local.isolation import choose
from bitgoeul.engines.local.isolation.enclosure import Isolation


@cache
def found(tier: Tier) -> Isolation:
    """What the engine makes of a wish for ``tier`` here."""
    with tempfile.TemporaryDirectory(prefix="tiers-") as home:
        return choose.best(Path(home), str(tier))


def needs(tier: Tier) -> Isolation:
    """The isolation of ``tier``; skips the test, with the reason, where there is none."""
    isolation = found(tier)
    if isolation.tier is not tier:
        pytest.skip(f"no {tier} here: {isolation.why_not.get(str(tier), '?')}")
    return isolation
