"""What the trials room tells others about evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bitgoeul.kernel.errors import NotFound, WrongState
from bitgoeul.kernel.text import N_, Text

from .ports import Outcome

DIGEST_LENGTH = 64


class Visibility(StrEnum):
    """Who may see a piece of evidence; the company that was tried decides."""

    PRIVATE = "private"  # the project's people and the operator
    NAMED = "named"  # and the organisations named
    PUBLIC = "public"  # anyone, once an embargo has passed


# The verdicts that a stage may rest on.
STAGE_OUTCOMES = frozenset({Outcome.PASSED, Outcome.WARNED})

VISIBILITY_LABELS: Mapping[Visibility, Text] = {
    Visibility.PRIVATE: Text(N_("Private")),
    Visibility.NAMED: Text(N_("Named organisations")),
    Visibility.PUBLIC: Text(N_("Public")),
}


class NoSuchEvidence(NotFound):
    """There is no public evidence with this digest."""

    code = "no_such_evidence"


class AlreadyInvalid(WrongState):
    """This evidence is already invalidated."""

    code = "already_invalid"


DEFAULT_TEXTS = (
    N_("There is no public evidence with this digest."),
    N_("This evidence is already invalidated."),
)


@dataclass(frozen=True)
class EvidenceView:
    """One piece of evidence: what was signed, who sees it, where it stands in the log.

    ``digest`` is the SHA-256 of the evidence file; ``protocol_name`` is the protocol's code and
    ``protocol_title`` what its own data calls it; ``public`` is true when anyone may see it now (an embargo
    counts); ``invalidated_at`` and ``invalidated_because`` tell of a later invalidation.
    """

    id: UUID
    digest: str
    trial_id: UUID
    subject_version_id: UUID
    project_id: UUID
    subject_name: str
    subject_digest: str
    protocol_name: str
    protocol_title: Text
    protocol_version: str
    attempt: int
    verdict: Outcome
    visibility: Visibility
    embargo_until: datetime | None
    public: bool
    log_sequence: int
    log_previous: str
    log_hash: str
    keyid: str
    size: int
    issued_at: datetime
    organisations: tuple[UUID, ...] = ()
    visibility_version: int = 0
    invalidated_at: datetime | None = None
    invalidated_because: str = ""

    @property
    def counts(self) -> bool:
        """Whether a public figure may rest on it: public, passed and not invalidated."""
        return self.public and self.verdict is Outcome.PASSED and self.invalidated_at is None


@dataclass(frozen=True)
class PublicPass:
    """One public piece of evidence that a stage may rest on, as far as the stage board needs it."""

    digest: str
    subject_id: UUID
    subject_version_id: UUID
    subject_name: str
    protocol_name: str
    protocol_title: Text
    parameters: Mapping[str, int]
    issued_at: datetime


@dataclass(frozen=True)
class VisibilityChange:
    """One entry of a piece of evidence's visibility history."""

    version: int
    visibility: Visibility
    organisations: tuple[UUID, ...]
    embargo_until: datetime | None
    actor: str
    at: datetime


@dataclass(frozen=True)
class Audience:
    """Who shall see evidence: a visibility, the organisations it names, and an embargo on publication."""

    visibility: Visibility = Visibility.PRIVATE
    organisations: tuple[UUID, ...] = field(default=())
    embargo_until: datetime | None = None
