"""Figures and indicators as data, and the views that pages and other rooms read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from bitgoeul.kernel.text import N_, Text
from bitgoeul.programmes.types import Code, Data, Words


class Bound(StrEnum):
    """How exactly a value was reported."""

    EXACT = "exact"
    ABOUT = "about"
    MORE_THAN = "more_than"


BOUND_WORDS = {
    Bound.EXACT: N_("{value} {unit}"),
    Bound.ABOUT: N_("about {value} {unit}"),
    Bound.MORE_THAN: N_("more than {value} {unit}"),
}


class Counted(StrEnum):
    """What an indicator counts once: pieces of evidence, or the distinct things behind them."""

    EVIDENCE = "evidence"
    SUBJECT = "subject"  # the file that was tried, by its SHA-256: under however many names, once
    SUBJECT_VERSION = "subject_version"
    PROJECT = "project"
    ORGANISATION = "organisation"


class Report(Data):
    """One report of a figure; ``value`` is written as reported and never calculated with.

    ``as_of`` is an ISO 8601 year, month, day, or an interval of them (``2020/2024``).
    """

    value: Annotated[str, Field(pattern=r"^\d{1,3}(,\d{3})*(\.\d+)?$|^\d+(\.\d+)?$", max_length=30)]
    bound: Bound = Bound.EXACT
    unit: Words
    as_of: Annotated[str, Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?(/\d{4}(-\d\d(-\d\d)?)?)?$")]
    source: Words
    note: Words | None = None

    def shown(self, language: str | None) -> Text:
        """The value with its unit and how exactly it was reported: ``about 2,200 projects``."""
        return Text(BOUND_WORDS[self.bound], {"value": self.value, "unit": self.unit.in_language(language)})


class FigureData(Data):
    """A figure of the cluster with everything reported of it; reports that disagree stand side by side."""

    code: Code
    label: Words
    order: Annotated[int, Field(ge=0, le=10_000)]
    front: bool = False
    reports: Annotated[tuple[Report, ...], Field(max_length=50)] = ()


class FiguresFile(Data):
    """The file of reported figures."""

    figures: Annotated[tuple[FigureData, ...], Field(max_length=500)]

    @model_validator(mode="after")
    def _codes_differ(self) -> FiguresFile:
        _distinct([figure.code for figure in self.figures])
        return self


class EvidenceFilter(Data):
    """Which evidence an indicator counts. Only public evidence can be named: a private one must leave no trace."""

    verdict: Literal["PASSED"]
    protocol: Code
    visibility: Literal["public"]


class CountRule(Data):
    """Count the evidence that the filter lets through, each ``distinct`` thing once."""

    kind: Literal["count_evidence"]
    filter: EvidenceFilter
    distinct: Counted


class IndicatorData(Data):
    """An indicator: the figure it verifies here, in words and as a rule."""

    figure: Code
    label: Words
    unit: Words
    rule: CountRule
    rule_text: Words


class IndicatorsFile(Data):
    """The file of indicators."""

    indicators: Annotated[tuple[IndicatorData, ...], Field(max_length=200)]

    @model_validator(mode="after")
    def _figures_differ(self) -> IndicatorsFile:
        _distinct([indicator.figure for indicator in self.indicators])
        return self


def _distinct(codes: Sequence[str]) -> None:
    if len(set(codes)) != len(codes):
        raise ValueError("a code occurs twice")


@dataclass(frozen=True)
class EvidenceFacts:
    """What the trials room says of one piece of public evidence."""

    digest: str
    verdict: str
    visibility: str
    protocol: str
    subject_digest: str
    subject_version_id: UUID
    project_id: UUID
    organisation_id: UUID
    trial_id: UUID
    issued_at: datetime


@dataclass(frozen=True)
class VerifiedValue:
    """The value verified here: a count, what it counts, the rule (in words, and its digest), the last change."""

    value: int
    unit: Words
    label: Words
    rule: Words
    rule_digest: str
    counted: Counted
    as_of: datetime | None


@dataclass(frozen=True)
class FigureView:
    """A figure in both registers; ``verified`` is None where no rule exists here, which is not zero.

    The registers are never added: jobs reported by different programmes may overlap.
    """

    code: str
    label: Words
    front: bool
    reports: tuple[Report, ...]
    verified: VerifiedValue | None

    @property
    def reported(self) -> Report | None:
        """The report that heads the figure: the first of the data file."""
        return self.reports[0] if self.reports else None


@dataclass(frozen=True)
class ClaimView:
    """One line of proof: this evidence counts for this figure by this version of its rule since this time."""

    evidence_digest: str
    rule_digest: str
    counted_at: datetime
    issued_at: datetime
