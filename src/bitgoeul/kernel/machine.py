"""State machines as frozen tables: one can print them, draw them and test them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

from .errors import WrongState
from .text import N_, Text

S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class Move(Generic[S]):
    """One action of a machine: from which states, to which state, and the word on its button."""

    sources: frozenset[S]
    target: S
    label: Text


@dataclass(frozen=True)
class Machine(Generic[S]):
    """A table of moves.

    ``name`` is the kind of the thing that moves and the prefix of its topics (``job`` → ``job.finish``);
    ``labels`` and ``tones`` give each state its word and its tone
    (``neutral``, ``progress``, ``good``, ``warning``, ``bad``) for badges.
    """

    name: str
    states: type[S]
    initial: S
    moves: Mapping[str, Move[S]]
    labels: Mapping[S, Text] = field(default_factory=dict)
    tones: Mapping[S, str] = field(default_factory=dict)

    def target(self, state: S, action: str) -> S:
        """The state after ``action``; raises WrongState when the table has no such move."""
        move = self.move(action)
        if state not in move.sources:
            raise WrongState(
                N_("“{action}” is not possible while the state is “{state}”."),
                action=str(move.label),
                state=str(self.label(state)),
                detail={"action": action, "state": str(state), "possible": self.actions(state)},
            )
        return move.target

    def move(self, action: str) -> Move[S]:
        """The move named ``action``; a name that is not in the table is a programming error (KeyError)."""
        return self.moves[action]

    def actions(self, state: S) -> list[str]:
        """The actions that ``state`` allows, in the table's order."""
        return [name for name, move in self.moves.items() if state in move.sources]

    def label(self, state: S) -> Text:
        """The word for a state."""
        return self.labels.get(state, Text(str(state).replace("_", " ").capitalize()))

    def tone(self, state: S) -> str:
        """The tone of a state's badge; never the only carrier of meaning."""
        return self.tones.get(state, "neutral")

    @cached_property
    def terminal(self) -> frozenset[S]:
        """The states that no move leaves, computed from the table."""
        left = {source for move in self.moves.values() for source in move.sources}
        return frozenset(set(self.states) - left)

    def mermaid(self) -> str:
        """The table as a Mermaid state diagram, for the documentation."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        for name, move in self.moves.items():
            lines += [f"    {source} --> {move.target}: {name}" for source in sorted(move.sources)]
        return "\n".join([*lines, *(f"    {state} --> [*]" for state in sorted(self.terminal))])
