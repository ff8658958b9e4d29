"""State as a word, then a colour, then an icon: the one place that knows how a state looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bitgoeul.kernel.machine import Machine
from bitgoeul.kernel.text import N_, Text


@dataclass(frozen=True)
class Badge:
    """What the badge template shows: a word, a KRDS badge colour and an icon."""

    word: Text
    colour: str
    icon: str


# Tone of a state table → KRDS badge colour and icon; the icons differ in shape, not only in colour.
LOOKS: Mapping[str, tuple[str, str]] = {
    "neutral": ("bg-light-gray", "dot"),
    "progress": ("bg-light-primary", "turn"),
    "good": ("bg-light-success", "check"),
    "warning": ("bg-light-warning", "bang"),
    "bad": ("bg-light-danger", "cross"),
}

VERDICTS: Mapping[str, tuple[Text, str]] = {
    "PASSED": (Text(N_("Passed")), "good"),
    "WARNED": (Text(N_("Passed with a warning")), "warning"),
    "FAILED": (Text(N_("Failed")), "bad"),
    "INVALID": (Text(N_("Invalid")), "neutral"),
}


def tone_badge(word: Text, tone: str) -> Badge:
    """The badge of a word in a tone; an unknown tone looks neutral."""
    colour, icon = LOOKS.get(tone, LOOKS["neutral"])
    return Badge(word, colour, icon)


def state_badge(machine: Machine[Any], state: str) -> Badge:
    """The badge of one state, from the machine's own table."""
    known = machine.states(str(state))
    return tone_badge(machine.label(known), machine.tone(known))


def verdict_badge(outcome: str | StrEnum | None) -> Badge:
    """The badge of a verdict; no verdict yet is a word of its own."""
    if not outcome:
        return tone_badge(Text(N_("Not judged yet")), "neutral")
    word, tone = VERDICTS[str(outcome).upper()]
    return tone_badge(word, tone)
