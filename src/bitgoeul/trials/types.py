"""What the trials room tells other rooms about subjects, protocols and trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from bitgoeul.kernel.text import N_, Text

from .evidence_types import Audience, Visibility
from .ports import Outcome, Reason, Verdict
from .states import TrialState


class SubjectKind(StrEnum):
    """What a subject's file is."""

    ONNX = "onnx"
    STACK = "stack"


KIND_LABELS: Mapping[SubjectKind, Text] = {
    SubjectKind.ONNX: Text(N_("ONNX model")),
    SubjectKind.STACK: Text(N_("Stack: a chip with its software")),
}


@dataclass(frozen=True)
class SubjectView:
    """A subject of a project."""

    id: UUID
    project_id: UUID
    name: str
    kind: SubjectKind
    created_at: datetime


@dataclass(frozen=True)
class SubjectVersionView:
    """One immutable version; ``digest`` is the SHA-256 of its file, ``size`` in bytes."""

    id: UUID
    subject_id: UUID
    project_id: UUID
    subject_name: str
    kind: SubjectKind
    number: int
    digest: str
    size: int
    filename: str
    note: str
    created_at: datetime


@dataclass(frozen=True)
class ProtocolView:
    """One version of a protocol; ``definition`` is its data, ``digest`` its name."""

    digest: str
    code: str
    version: str
    definition: Mapping[str, Any]
    registered_at: datetime

    @property
    def title(self) -> Text:
        """The protocol's title, to be rendered in the reader's language."""
        return Text(str(self.definition["title"]))

    @property
    def summary(self) -> Text:
        """What it does, in one sentence."""
        return Text(str(self.definition["summary"]))

    @property
    def notice(self) -> Text:
        """What must be said beside its results."""
        return Text(str(self.definition["notice"]))

    @property
    def steps(self) -> Sequence[Text]:
        """What happens in a trial, in order; none where the protocol does not say."""
        return [Text(str(step)) for step in self.definition.get("steps", [])]

    def takes(self, kind: SubjectKind) -> bool:
        """Whether subjects of this kind can be tried under it."""
        return str(kind) in self.definition["subject"]["kinds"]

    @property
    def statement(self) -> Text:
        """What its targets are."""
        first = next(iter(self.definition["targets"].values()))
        return Text(str(first["statement"]))


@dataclass(frozen=True)
class JudgementView:
    """One act of judging."""

    number: int
    verdict: Verdict
    attempts: int
    judged_at: datetime
    judged_by: str


@dataclass(frozen=True)
class TrialView:
    """One trial. ``outcome`` is the newest judgement's; ``reasons`` are filled where one trial is asked for.

    ``attempt`` counts from 1 for this version under this protocol; ``evidence_digest`` is empty until signed.
    """

    id: UUID
    project_id: UUID
    subject_id: UUID
    subject_name: str
    subject_version_id: UUID
    version_number: int
    subject_digest: str
    protocol_digest: str
    protocol_code: str
    protocol_version: str
    protocol_title: Text
    parameters: Mapping[str, int]
    attempt: int
    state: TrialState
    outcome: Outcome | None
    visibility: Visibility
    embargo_until: datetime | None
    job_id: UUID
    expected_seconds: int
    record_digest: str
    logs_digest: str
    evidence_digest: str
    requested_at: datetime
    requested_by: str
    judgements: Sequence[JudgementView] = ()
    organisations: tuple[UUID, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The newest judgement's verdict, where judgements were asked for."""
        return self.judgements[-1].verdict if self.judgements else None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The checks of the newest verdict; none before it."""
        return self.verdict.reasons if self.verdict else ()


@dataclass(frozen=True)
class LastTrial:
    """The newest trial of a project, as far as a line about the project tells of it."""

    id: UUID
    subject_name: str
    state: TrialState
    outcome: Outcome | None


@dataclass(frozen=True)
class Estimate:
    """What a trial would hold: seconds expected, the limit, and amounts by unit at that limit."""

    expected_seconds: int
    wall_seconds: int
    amounts: Mapping[str, int]


@dataclass(frozen=True)
class Requirement:
    """One thing a stage asks for, and whether it is there."""

    code: str
    text: Text
    met: bool


@dataclass(frozen=True)
class StageStanding:
    """Where a subject stands: the stage its evidence carries, and what the next one still asks for."""

    stage: str
    label: Text
    next_stage: str | None
    next_label: Text | None
    requirements: Sequence[Requirement] = field(default=())

    @property
    def missing(self) -> list[Requirement]:
        """What the next stage asks for and is not there."""
        return [requirement for requirement in self.requirements if not requirement.met]


@dataclass(frozen=True)
class BoardCard:
    """A subject on the public stage board."""

    subject_id: UUID
    subject_name: str
    evidence_digest: str
    protocol_title: Text
    issued_at: datetime
    standing: StageStanding


@dataclass(frozen=True)
class BoardColumn:
    """One stage of the board, the ``number``-th, with its subjects; a page shows some ``cards`` of ``total``."""

    number: int
    stage: str
    label: Text
    cards: Sequence[BoardCard]
    total: int


def verdict_to_json(verdict: Verdict) -> list[dict[str, Any]]:
    """The reasons of a verdict as plain JSON; ``reasons_from_json`` reads them back."""
    return [
        {"check": r.check, "passed": r.passed, "text": r.text.to_json(), "value": r.value, "limit": r.limit}
        for r in verdict.reasons
    ]


def reasons_from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Reason, ...]:
    """Read what ``verdict_to_json`` wrote."""
    return tuple(
        Reason(r["check"], r["passed"], Text.from_json(r["text"]), r.get("value"), r.get("limit")) for r in data
    )


__all__ = [
    "KIND_LABELS",
    "Audience",
    "BoardCard",
    "BoardColumn",
    "Estimate",
    "JudgementView",
    "LastTrial",
    "Outcome",
    "ProtocolView",
    "Reason",
    "Requirement",
    "StageStanding",
    "SubjectKind",
    "SubjectVersionView",
    "SubjectView",
    "TrialState",
    "TrialView",
    "Verdict",
    "Visibility",
    "reasons_from_json",
    "verdict_to_json",
]
