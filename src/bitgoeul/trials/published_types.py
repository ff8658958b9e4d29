"""What others see of published results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from bitgoeul.kernel.text import Text
from bitgoeul.published.mlperf import Kind, Result


@dataclass(frozen=True)
class PublishedView:
    """One result that others published: as it was read, and where it was retrieved from.

    ``reviewed`` says that MLCommons reviewed and published it; ``result_id`` is MLCommons' own, empty where the
    reader was not told it. ``current`` is False of a reading that a later one of the same place replaces.
    """

    id: UUID
    result: Result
    version: int
    current: bool
    result_id: str
    source: str
    retrieved_on: date
    reviewed: bool
    read_at: datetime


@dataclass(frozen=True)
class Imported:
    """What became of the results of a tree: new places, new readings of known places, and the same as before.

    ``left_out`` says of each result that was not kept why.
    """

    new: int
    changed: int
    unchanged: int
    left_out: Sequence[Text] = ()

    def __add__(self, other: Imported) -> Imported:
        """Both together."""
        return Imported(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            (*self.left_out, *other.left_out),
        )


@dataclass(frozen=True)
class Choice:
    """What a list can be narrowed by."""

    rounds: Sequence[str]
    submitters: Sequence[str]
    benchmarks: Sequence[str]
    scenarios: Sequence[str]


@dataclass(frozen=True)
class Candidates:
    """Results of one work to choose from, by kind; ``complete`` is False where older rounds have more."""

    groups: Mapping[Kind, Sequence[PublishedView]]
    complete: bool


@dataclass(frozen=True)
class Comparison:
    """Results that may stand side by side, by round, submitter and system, never by rank.

    ``figures`` are the numbers to compare, one a result, in ``unit``; ``differences`` says in what else than the
    system the results differ.
    """

    kind: Kind
    results: Sequence[PublishedView]
    figures: Sequence[float]
    unit: str
    differences: Sequence[Text]

    @property
    def lower_is_better(self) -> bool:
        """Whether the figure is a time."""
        return self.unit == "ns"
