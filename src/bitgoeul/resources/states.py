"""The states of an allocation, as a table."""

from __future__ import annotations

from enum import StrEnum

from bitgoeul.kernel.machine import Machine, Move
from bitgoeul.kernel.text import N_, Text


class AllocationState(StrEnum):
    """Where an allocation stands."""

    ACTIVE = "ACTIVE"
    """New work may hold from it within its period."""
    SUSPENDED = "SUSPENDED"
    """Nothing new may start; what runs goes on. Unlike RECALLED the balance stays."""
    RECALLED = "RECALLED"
    """The operator took the unused rest back."""
    EXPIRED = "EXPIRED"
    """Its period is over; the unused rest went back by itself."""


S = AllocationState

ALLOCATION: Machine[AllocationState] = Machine(
    name="allocation",
    states=S,
    initial=S.ACTIVE,
    moves={
        "suspend": Move(frozenset({S.ACTIVE}), S.SUSPENDED, Text(N_("Suspend"))),
        "resume": Move(frozenset({S.SUSPENDED}), S.ACTIVE, Text(N_("Resume"))),
        "recall": Move(frozenset({S.ACTIVE, S.SUSPENDED}), S.RECALLED, Text(N_("Recall"))),
        "expire": Move(frozenset({S.ACTIVE, S.SUSPENDED}), S.EXPIRED, Text(N_("Expire"))),
    },
    labels={
        S.ACTIVE: Text(N_("Active")),
        S.SUSPENDED: Text(N_("Suspended")),
        S.RECALLED: Text(N_("Recalled")),
        S.EXPIRED: Text(N_("Ended")),
    },
    tones={S.ACTIVE: "good", S.SUSPENDED: "warning", S.RECALLED: "bad", S.EXPIRED: "neutral"},
)
