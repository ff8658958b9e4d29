"""The state table of an application."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bitgoeul.kernel.errors import WrongState
from bitgoeul.programmes.states import APPLICATION, MAIN_WAY, ApplicationState

S = ApplicationState


def test_nothing_is_allocated_before_the_agreement():
    assert APPLICATION.moves["allocate"].sources == {S.AGREED}
    assert APPLICATION.moves["agree"].sources == {S.SELECTED}


def test_the_ends_are_ends():
    assert APPLICATION.terminal == {S.REJECTED, S.ALLOCATED, S.WITHDRAWN}


@pytest.mark.parametrize("state", [S.AGREED, S.ALLOCATED, S.REJECTED, S.WITHDRAWN])
def test_an_agreement_cannot_be_withdrawn_from(state):
    with pytest.raises(WrongState):
        APPLICATION.target(state, "withdraw")


def test_the_main_way_follows_the_table():
    for here, there in pairwise(MAIN_WAY):
        assert there in {APPLICATION.target(here, action) for action in APPLICATION.actions(here)}
