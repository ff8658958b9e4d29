"""What the joined pages show, row by row; views make these from the rooms' own views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Protocol, TypeVar
from uuid import UUID

from bitgoeul.kernel.text import Text


class Bilingual(Protocol):
    """Data that carries both languages itself."""

    def in_language(self, code: str | None) -> str:
        """The text for a reader of ``code``."""


Said = Text | Bilingual | str
AT_ONCE = 500
Row = TypeVar("Row")


def in_chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows of a workbook, AT_ONCE together, so that what they are called is asked once for many."""
    left = iter(rows)
    while chunk := list(islice(left, AT_ONCE)):
        yield chunk


@dataclass(frozen=True)
class FigureRow:
    """One indicator in both registers; ``reported_value`` is text as its source wrote it.

    ``verified`` is None where no rule exists, which is not zero.
    """

    label: Said
    reported_value: str
    reported_unit: Said
    source: Said
    as_of: str
    verified: int | None
    verified_unit: Said
    url: str


@dataclass(frozen=True)
class CallRow:
    """One open call and how long it stays open."""

    title: Said
    url: str
    closes_at: datetime
    left_words: str
    tone: str


@dataclass(frozen=True)
class EvidenceRow:
    """One public piece of evidence."""

    subject: str
    protocol: Said
    digest: str
    verdict: str
    issued_at: datetime
    url: str


@dataclass(frozen=True)
class Todo:
    """One thing that waits for a person; ``due`` is the day it must be done by."""

    title: Said
    note: Said
    url: str
    due: date | None
    due_words: str
    tone: str


@dataclass(frozen=True)
class Balance:
    """One allocation on a project's row, in ledger amounts of ``unit``."""

    label: Said
    unit: str
    used: int
    held: int
    left: int


@dataclass(frozen=True)
class ProjectRow:
    """One of a person's projects: what is left, what comes next, how the last trial ended."""

    id: UUID
    title: str
    number: str
    organisation: str
    url: str
    balances: tuple[Balance, ...]
    deadline: datetime | None
    trial_name: str
    trial_url: str
    trial_state: str
    verdict: str | None


@dataclass(frozen=True)
class LinkRow:
    """A row that leads to its page: a subject, a trial or a job."""

    title: str
    note: Said
    url: str
    when: datetime
    state: str = ""
    verdict: str | None = None
    charged: Sequence[str] = ()


@dataclass(frozen=True)
class Action:
    """What can be done now; without ``url`` it cannot, and ``reason`` says why."""

    label: Text
    url: str
    reason: Text | None = None
