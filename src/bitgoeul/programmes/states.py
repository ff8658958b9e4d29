"""The life of an application, from draft to allocation."""

from __future__ import annotations

from enum import StrEnum

from bitgoeul.kernel.machine import Machine, Move
from bitgoeul.kernel.text import N_, Text


class ApplicationState(StrEnum):
    """Where an application stands."""

    DRAFT = "DRAFT"
    """Only its organisation sees it; it can still be changed."""
    SUBMITTED = "SUBMITTED"
    """Handed in and no longer changed; not yet decided."""
    SELECTED = "SELECTED"
    """Decided in favour; nothing is allocated before both sides have signed."""
    REJECTED = "REJECTED"
    """Decided against, with reasons."""
    AGREED = "AGREED"
    """Both sides have signed; the allocation has not been granted yet."""
    ALLOCATED = "ALLOCATED"
    """The project exists and its allocations can be used."""
    WITHDRAWN = "WITHDRAWN"
    """Taken back by the applicant before an agreement."""


_S = ApplicationState

APPLICATION: Machine[ApplicationState] = Machine(
    name="application",
    states=ApplicationState,
    initial=_S.DRAFT,
    moves={
        "submit": Move(frozenset({_S.DRAFT}), _S.SUBMITTED, Text(N_("Submit"))),
        "select": Move(frozenset({_S.SUBMITTED}), _S.SELECTED, Text(N_("Select"))),
        "reject": Move(frozenset({_S.SUBMITTED}), _S.REJECTED, Text(N_("Reject"))),
        "agree": Move(frozenset({_S.SELECTED}), _S.AGREED, Text(N_("Complete the agreement"))),
        "allocate": Move(frozenset({_S.AGREED}), _S.ALLOCATED, Text(N_("Allocate"))),
        "withdraw": Move(frozenset({_S.DRAFT, _S.SUBMITTED, _S.SELECTED}), _S.WITHDRAWN, Text(N_("Withdraw"))),
    },
    labels={
        _S.DRAFT: Text(N_("Draft")),
        _S.SUBMITTED: Text(N_("Submitted")),
        _S.SELECTED: Text(N_("Selected")),
        _S.REJECTED: Text(N_("Rejected")),
        _S.AGREED: Text(N_("Agreed")),
        _S.ALLOCATED: Text(N_("Allocated")),
        _S.WITHDRAWN: Text(N_("Withdrawn")),
    },
    tones={
        _S.SUBMITTED: "progress",
        _S.SELECTED: "progress",
        _S.REJECTED: "bad",
        _S.AGREED: "progress",
        _S.ALLOCATED: "good",
    },
)

# The way that leads to an allocation, for the step indicator.
MAIN_WAY = (_S.DRAFT, _S.SUBMITTED, _S.SELECTED, _S.AGREED, _S.ALLOCATED)
