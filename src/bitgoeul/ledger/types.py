"""What the ledger takes and gives: enums and frozen dataclasses; every amount is a whole number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from bitgoeul.kernel.text import N_, Text


class Purpose(StrEnum):
    """What an account is for."""

    SUPPLY = "SUPPLY"
    """The source of a unit and the place recalled amounts go back to; it has no floor."""
    ALLOCATION = "ALLOCATION"
    """What a project may still use."""
    USED = "USED"
    """What a project has used."""
    OVERRUN = "OVERRUN"
    """What was used beyond an allocation; it has no floor and blocks new holds until cleared."""


class Reason(StrEnum):
    """Why a transfer was made."""

    AWARD = "AWARD"
    TRANCHE = "TRANCHE"
    RECALL = "RECALL"
    REALLOCATE = "REALLOCATE"
    EXPIRY = "EXPIRY"
    REFUND = "REFUND"
    USE = "USE"
    OVERRUN = "OVERRUN"
    OVERRUN_CLEARED = "OVERRUN_CLEARED"
    CORRECTION = "CORRECTION"

    @property
    def label(self) -> Text:
        """The word on a statement."""
        return REASON_LABELS[self]


REASON_LABELS: dict[Reason, Text] = {
    Reason.AWARD: Text(N_("Award")),
    Reason.TRANCHE: Text(N_("Further tranche")),
    Reason.RECALL: Text(N_("Recall")),
    Reason.REALLOCATE: Text(N_("Reallocation")),
    Reason.EXPIRY: Text(N_("Expiry")),
    Reason.REFUND: Text(N_("Refund")),
    Reason.USE: Text(N_("Use")),
    Reason.OVERRUN: Text(N_("Use beyond the allocation")),
    Reason.OVERRUN_CLEARED: Text(N_("Overrun cleared")),
    Reason.CORRECTION: Text(N_("Correction")),
}


class Resolution(StrEnum):
    """How a hold ended."""

    SETTLED = "SETTLED"
    """The work ran; what it used was posted, the rest freed."""
    RELEASED = "RELEASED"
    """The work will not run; all of it was freed."""
    EXPIRED = "EXPIRED"
    """Nobody settled or released it in time; all of it was freed."""


@dataclass(frozen=True)
class AccountView:
    """An account and its balance; ``overrun`` is what its overrun account owes."""

    id: UUID
    unit: str
    purpose: Purpose
    limited: bool
    credits: int
    debits: int
    held: int
    overrun: int

    @property
    def balance(self) -> int:
        """Credits less debits; negative only without a floor."""
        return self.credits - self.debits

    @property
    def available(self) -> int:
        """What a new hold may take."""
        return self.credits - self.debits - self.held


class NewAccount(NamedTuple):
    """An account to open; ``covers`` names the account whose overrun it carries (purpose OVERRUN only)."""

    id: UUID
    unit: str
    owner_kind: str
    owner_id: str
    purpose: Purpose
    limited: bool
    covers: UUID | None = None


@dataclass(frozen=True)
class TransferLine:
    """``amount`` from the ``debit`` account to the ``credit`` account; both in the same unit."""

    debit: UUID
    credit: UUID
    amount: int


@dataclass(frozen=True)
class PostingRequest:
    """One posting to make: ``id`` is the caller's idempotency key."""

    id: UUID
    lines: Sequence[TransferLine]
    reason: Reason
    effective_at: datetime
    memo: str = ""


class TransferView(NamedTuple):
    """One immutable transfer; ``line`` is its place in its posting."""

    line: int
    debit: UUID
    credit: UUID
    amount: int
    reason: Reason


class PostingView(NamedTuple):
    """A posting: transfers made together under one id; ``digest`` is the SHA-256 the audit chain covers."""

    id: UUID
    effective_at: datetime
    recorded_at: datetime
    actor: str
    memo: str
    digest: str
    transfers: tuple[TransferView, ...]


@dataclass(frozen=True)
class HoldRequest:
    """``amount`` to set aside on ``account_id``; ``id`` is the caller's idempotency key."""

    id: UUID
    account_id: UUID
    amount: int
    expires_at: datetime
    memo: str = ""


@dataclass(frozen=True)
class HoldView:
    """A hold; ``resolution`` is None while it stands, ``settled`` what of it was used."""

    id: UUID
    account_id: UUID
    amount: int
    expires_at: datetime
    recorded_at: datetime
    memo: str
    resolution: Resolution | None = None
    settled: int = 0
    posting_id: UUID | None = None


@dataclass(frozen=True)
class SettleRequest:
    """``amount`` used from ``account_id``: out of ``hold_id``, then the free balance, then the overrun account.

    ``posting_id`` is the idempotency key; ``amount`` 0 only frees the hold.
    """

    posting_id: UUID
    account_id: UUID
    used_account_id: UUID
    amount: int
    effective_at: datetime
    hold_id: UUID | None = None
    reason: Reason = Reason.USE
    memo: str = ""


class SettlementView(NamedTuple):
    """Where a use was taken from: ``settled`` + ``from_free`` + ``overrun`` = amount; ``released`` was freed."""

    posting_id: UUID
    settled: int
    released: int
    from_free: int
    overrun: int


@dataclass(frozen=True)
class StatementLine:
    """One transfer as a statement shows it: ``change`` to the accounts looked at and the ``balance`` after it."""

    posting_id: UUID
    line: int
    reason: Reason
    memo: str
    effective_at: datetime
    recorded_at: datetime
    amount: int
    change: int
    balance: int


@dataclass(frozen=True)
class Statement:
    """Opening, lines, closing of some accounts of one unit over ``[since, until)`` of recorded time.

    ``lines`` is page ``number`` of ``last``; ``opening`` and ``closing`` are those of the whole period.
    """

    unit: str
    since: datetime
    until: datetime
    opening: int
    closing: int
    lines: tuple[StatementLine, ...]
    number: int
    last: int
    total: int

    @property
    def previous(self) -> int | None:
        """The page before, or None."""
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        """The page after, or None."""
        return self.number + 1 if self.number < self.last else None
