"""Where subjects stand: one subject for its own people, and the public board over public evidence only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from uuid import UUID

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import Text

from . import queries
from .evidence_queries import evidence_of_versions, latest_public_passes
from .evidence_types import STAGE_OUTCOMES, PublicPass
from .stages import PassedEvidence, facts, standing, table
from .types import BoardCard, BoardColumn, StageStanding

BOARD_EVIDENCE_MAX = 50


def subject_standing(*, actor: accounts.Actor, subject_id: UUID) -> StageStanding:
    """Where a subject stands by all its valid evidence, public or not; NotFound when it may not be seen."""
    versions = queries.versions(actor=actor, subject_id=subject_id)
    found = evidence_of_versions([version.id for version in versions])
    valid = [
        piece
        for pieces in found.values()
        for piece in pieces
        if piece.verdict in STAGE_OUTCOMES and piece.invalidated_at is None
    ]
    trials = queries.trials_by_id(piece.trial_id for piece in valid)
    passed = [
        PassedEvidence(
            str(piece.subject_version_id), piece.protocol_name, trials[piece.trial_id].parameters, piece.issued_at
        )
        for piece in valid
    ]
    return standing(facts(passed, now()))


def stage_board() -> Sequence[BoardColumn]:
    """The four stages with the subjects whose newest public evidence carries them.

    One query whatever the number of subjects; looks at the newest 50 public pieces that a stage may rest on.
    """
    by_subject: dict[UUID, list[PublicPass]] = {}
    for piece in latest_public_passes(BOARD_EVIDENCE_MAX):
        by_subject.setdefault(piece.subject_id, []).append(piece)
    cards = [_card(pieces) for pieces in by_subject.values()]
    return [
        _column(number, stage["code"], stage["label"], cards)
        for number, stage in enumerate(table()["stages"], start=1)
    ]


def _column(number: int, code: str, label: str, cards: Iterable[BoardCard]) -> BoardColumn:
    here = [card for card in cards if card.standing.stage == code]
    return BoardColumn(number, code, Text(label), here, len(here))


def _card(pieces: Sequence[PublicPass]) -> BoardCard:
    newest = pieces[0]
    passed = [
        PassedEvidence(str(piece.subject_version_id), piece.protocol_name, piece.parameters, piece.issued_at)
        for piece in pieces
    ]
    return BoardCard(
        subject_id=newest.subject_id,
        subject_name=newest.subject_name,
        evidence_digest=newest.digest,
        protocol_title=newest.protocol_title,
        issued_at=newest.issued_at,
        standing=_standing(frozenset(facts(passed, now()).items())),
    )


@lru_cache(maxsize=256)
def _standing(known: frozenset[tuple[str, int]]) -> StageStanding:
    """Where a subject with these facts stands: on a board many stand alike."""
    return standing(dict(known))
