"""Where subjects stand: one subject for its own people, and the public board over public evidence only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import Text

from . import queries
from .evidence_queries import evidence_of_versions, latest_public
from .evidence_types import EvidenceView
from .ports import Outcome
from .stages import PassedEvidence, facts, standing, table
from .types import BoardCard, BoardColumn, StageStanding, TrialView

BOARD_EVIDENCE_MAX = 50
CARDS_A_COLUMN = 6
STAGE_OUTCOMES = frozenset({Outcome.PASSED, Outcome.WARNED})


def subject_standing(*, actor: accounts.Actor, subject_id: UUID) -> StageStanding:
    """Where a subject stands by all its valid evidence, public or not; NotFound when it may not be seen."""
    versions = queries.versions(actor=actor, subject_id=subject_id)
    found = evidence_of_versions([version.id for version in versions])
    return _standing([piece for pieces in found.values() for piece in pieces])


def stage_board() -> Sequence[BoardColumn]:
    """The four stages with the subjects whose newest public evidence carries them.

    Three queries whatever the number of subjects; looks at the newest 50 public pieces of evidence.
    """
    public = [piece for piece in latest_public(BOARD_EVIDENCE_MAX) if piece.verdict in STAGE_OUTCOMES]
    trials = queries.trials_by_id(piece.trial_id for piece in public)
    by_subject: dict[UUID, list[EvidenceView]] = {}
    for piece in public:
        by_subject.setdefault(trials[piece.trial_id].subject_id, []).append(piece)
    cards = [_card(pieces, trials) for pieces in by_subject.values()]
    return [_column(stage["code"], stage["label"], cards) for stage in table()["stages"]]


def _column(code: str, label: str, cards: Iterable[BoardCard]) -> BoardColumn:
    here = [card for card in cards if card.standing.stage == code]
    return BoardColumn(code, Text(label), here[:CARDS_A_COLUMN], len(here))


def _card(pieces: Sequence[EvidenceView], trials: Mapping[UUID, TrialView]) -> BoardCard:
    newest = pieces[0]
    trial = trials[newest.trial_id]
    return BoardCard(
        subject_id=trial.subject_id,
        subject_name=trial.subject_name,
        evidence_digest=newest.digest,
        protocol_title=trial.protocol_title,
        issued_at=newest.issued_at,
        standing=_standing(pieces, trials),
    )


def _standing(pieces: Iterable[EvidenceView], trials: Mapping[UUID, TrialView] | None = None) -> StageStanding:
    valid = [p for p in pieces if p.verdict in STAGE_OUTCOMES and p.invalidated_at is None]
    known = queries.trials_by_id(p.trial_id for p in valid) if trials is None else trials
    passed = [
        PassedEvidence(
            subject_version=str(piece.subject_version_id),
            protocol_code=piece.protocol_name,
            parameters=known[piece.trial_id].parameters,
            issued_at=piece.issued_at,
        )
        for piece in valid
    ]
    return standing(facts(passed, now()))
