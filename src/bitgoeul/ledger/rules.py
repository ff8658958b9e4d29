"""The arithmetic of the ledger, without a database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from bitgoeul.kernel import canonical, clock
from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached, NotFound
from bitgoeul.kernel.quantity import MAX_AMOUNT, check_amount
from bitgoeul.kernel.text import N_

from .types import PostingRequest, PostingView, Reason, SettleRequest, TransferView

MEMO_LIMIT = 200
LINES_LIMIT = 1_000
BATCH_LIMIT = 10_000
_HALF_PAIR = re.compile("[\ud800-\udfff]")
# The verbs of the audit events that cover a posting: its own, or one for many.
POST, POST_BATCH = "ledger.post", "ledger.post_batch"


class InsufficientBalance(LimitReached):
    """There is not enough left for this."""

    code = "insufficient_balance"


class AccountInOverrun(LimitReached):
    """More was used than allocated; nothing new can start until the overrun is cleared."""

    code = "account_in_overrun"


class HoldResolved(Conflict):
    """The hold has already been settled by another entry."""

    code = "hold_resolved"


class UnknownAccount(NotFound):
    """There is no such account."""

    code = "unknown_account"


class UnknownHold(NotFound):
    """There is no such hold."""

    code = "unknown_hold"


# The default texts above, marked for translation.
DEFAULT_TEXTS = (
    N_("There is not enough left for this."),
    N_("More was used than allocated; nothing new can start until the overrun is cleared."),
    N_("The hold has already been settled by another entry."),
    N_("There is no such account."),
    N_("There is no such hold."),
)


class Split(NamedTuple):
    """A use divided over its sources."""

    settled: int
    released: int
    from_free: int
    overrun: int


def split_use(*, amount: int, held: int, free: int) -> Split:
    """Divide a use: first out of its hold, then the free balance, the rest is overrun.

    ``free`` is the balance that no hold claims; below zero it counts as none.
    """
    settled = min(amount, held)
    from_free = min(amount - settled, max(0, free))
    return Split(settled, held - settled, from_free, amount - settled - from_free)


def split_return(*, amount: int, overrun: int) -> tuple[int, int]:
    """Divide an amount given back into (what lowers the overrun, what returns to the balance)."""
    lowered = min(amount, max(0, overrun))
    return lowered, amount - lowered


@dataclass(slots=True)
class Change:
    """What one transaction adds to an account's columns; ``held`` and ``overrun`` may be negative.

    ``covered`` is the account whose overrun this one carries, ``cover`` the one that carries its own.
    """

    id: UUID
    hex: str
    unit: str = ""
    covered: Change | None = None
    cover: Change | None = None
    credits: int = 0
    debits: int = 0
    held: int = 0
    overrun: int = 0

    @property
    def need(self) -> int:
        """By how much the free balance falls."""
        return self.debits + self.held - self.credits

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return bool(self.credits or self.debits or self.held or self.overrun)


class Changes(dict[int, Change]):
    """Changes by the number of the account's id: a UUID hashes and compares in Python, its number in C."""

    def of(self, account_id: UUID) -> Change:
        """The change of an account, made on first use."""
        change = self.get(account_id.int)
        if change is None:
            change = self[account_id.int] = Change(account_id, account_id.hex)
        return change

    def move(self, debit_id: UUID, credit_id: UUID, amount: int) -> tuple[str, str]:
        """Move an amount, mirroring an overrun account's debt on the account that it covers.

        Returns the ids of both sides in hexadecimal digits; raises BadInput when they count in different units.
        """
        debit, credit = self[debit_id.int], self[credit_id.int]
        if debit.unit != credit.unit:
            raise _two_units(debit.unit, credit.unit)
        debit.debits += amount
        credit.credits += amount
        if debit.covered is not None:
            debit.covered.overrun += amount
        if credit.covered is not None:
            credit.covered.overrun -= amount
        return debit.hex, credit.hex


def _two_units(debit: str, credit: str) -> BadInput:
    return BadInput(
        N_("A transfer from “{debit}” to “{credit}” would mix two units."),
        field="lines",
        debit=debit,
        credit=credit,
    )


def in_order(*transfers: tuple[UUID, UUID, int, Reason]) -> tuple[TransferView, ...]:
    """Transfers of one posting with their places in it."""
    return tuple([TransferView(line, *transfer) for line, transfer in enumerate(transfers)])


def check_posting(request: PostingRequest) -> None:
    """Refuse a posting that no ledger can hold; raises BadInput naming the field."""
    if not 0 < len(request.lines) <= LINES_LIMIT:
        raise BadInput(N_("A posting has from 1 to {limit} transfers."), field="lines", limit=LINES_LIMIT)
    check_memo(request.memo)
    check_zone(request.effective_at, "effective_at")
    for line in request.lines:
        if type(line.amount) is not int or not 0 < line.amount <= MAX_AMOUNT:
            check_amount(line.amount)  # says why, and takes the integers that are no plain ones
        if line.debit == line.credit:
            raise BadInput(N_("A transfer needs two different accounts."), field="lines")


def check_use(amount: int, field: str = "amount") -> int:
    """A use is a whole number from 0: work that used nothing only frees its hold."""
    return 0 if amount == 0 and not isinstance(amount, bool) else check_amount(amount, field)


def check_memo(memo: str) -> str:
    """A memo of at most MEMO_LIMIT characters that have a form in UTF-8; raises BadInput."""
    if len(memo) > MEMO_LIMIT:
        raise BadInput(N_("A memo has at most {limit} characters."), field="memo", limit=MEMO_LIMIT)
    if not memo.isascii() and _HALF_PAIR.search(memo):
        raise BadInput(N_("A text with half of a surrogate pair."), field="memo")
    return memo


def check_zone(moment: datetime, field: str) -> datetime:
    """A moment with a time zone; raises BadInput."""
    if moment.tzinfo is None:
        raise BadInput(N_("A time needs its zone."), field=field)
    return moment


def check_batch(items: Sequence[object]) -> None:
    """A batch of bounded size; raises BadInput."""
    if len(items) > BATCH_LIMIT:
        raise BadInput(N_("At most {limit} entries at once."), field="lines", limit=BATCH_LIMIT)


LAYOUT = 2
"""How digests are laid out today; the audit event of a posting says which layout its digest has."""


@lru_cache(maxsize=4096)
def _moment(moment: datetime) -> str:
    return clock.rfc3339(moment)


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC; a batch shares few moments, so they are kept."""
    # In UTC before the cache: two moments of one zone that differ by their fold alone are equal there.
    return _moment(moment.astimezone(UTC))


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def same_request(request: PostingRequest, posting: PostingView) -> bool:
    """Whether a posting says what the request asks for: lines in their order, reason, effective time, memo."""
    if (request.memo, request.effective_at) != (posting.memo, posting.effective_at):
        return False
    asked = [(line.debit, line.credit, line.amount, request.reason) for line in request.lines]
    return asked == [(view.debit, view.credit, view.amount, view.reason) for view in posting.transfers]


def first_request_digest(request: PostingRequest) -> str:
    """The request digest of layout 1, which postings made before layout 2 carry."""
    return canonical.digest(
        {
            "effective_at": clock.rfc3339(request.effective_at),
            "lines": [[str(line.debit), str(line.credit), str(line.amount)] for line in request.lines],
            "memo": request.memo,
            "reason": str(request.reason),
        }
    )


def settle_digest(request: SettleRequest, kind: str) -> str:
    """What makes a repeated settlement the same one; how it was divided depends on the balance and is left out."""
    hold = request.hold_id.hex if request.hold_id else ""
    return _sha256(
        f"settle/2|{kind}|{request.account_id.hex}|{request.used_account_id.hex}|{request.amount}|{hold}"
        f"|{moment_text(request.effective_at)}|{request.reason}|{len(request.memo)}:{request.memo}"
    )


def first_settle_digest(request: SettleRequest, kind: str) -> str:
    """The settle digest of layout 1, which settlements made before layout 2 carry."""
    return canonical.digest(
        {
            "account": str(request.account_id),
            "amount": str(request.amount),
            "effective_at": clock.rfc3339(request.effective_at),
            "hold": str(request.hold_id or ""),
            "kind": kind,
            "memo": request.memo,
            "reason": str(request.reason),
            "used_account": str(request.used_account_id),
        }
    )


def posting_digest(
    *,
    posting_id: UUID,
    effective_at: datetime,
    recorded_at: datetime,
    actor: str,
    memo: str,
    transfers: Sequence[TransferView],
) -> str:
    """The SHA-256 that the audit chain covers: over all of a posting, transfers in their order, in UTF-8.

    ``posting/2|<id>|<effective>|<recorded>|<length>:<actor>|<length>:<memo>``, then for each transfer
    ``|<debit>|<credit>|<amount>|<reason>``. Ids are 32 hexadecimal digits, times RFC 3339 with microseconds,
    lengths count characters.
    """
    lines = [
        line_text(debit.hex, credit.hex, amount, reason.value) for _, debit, credit, amount, reason in transfers
    ]
    return digest_of(posting_text(posting_id.hex, effective_at, recorded_at, actor, memo), lines)


def posting_text(id: str, effective_at: datetime, recorded_at: datetime, actor: str, memo: str) -> str:
    """What a posting's digest covers before its transfers."""
    times = f"{moment_text(effective_at)}|{moment_text(recorded_at)}"
    return f"posting/2|{id}|{times}|{len(actor)}:{actor}|{len(memo)}:{memo}"


def line_text(debit: str, credit: str, amount: int, reason: str) -> str:
    """What a posting's digest covers of one transfer."""
    return f"|{debit}|{credit}|{amount}|{reason}"


def digest_of(text: str, lines: Iterable[str]) -> str:
    """A posting's digest from its texts."""
    return _sha256(text + "".join(lines))


def first_posting_digest(
    *,
    posting_id: UUID,
    effective_at: datetime,
    recorded_at: datetime,
    actor: str,
    memo: str,
    transfers: Sequence[TransferView],
) -> str:
    """The posting digest of layout 1: canonical JSON."""
    return canonical.digest(
        {
            "actor": actor,
            "effective_at": clock.rfc3339(effective_at),
            "id": str(posting_id),
            "memo": memo,
            "recorded_at": clock.rfc3339(recorded_at),
            "transfers": [[str(t.debit), str(t.credit), str(t.amount), str(t.reason)] for t in transfers],
        }
    )


DIGESTS = {1: first_posting_digest, LAYOUT: posting_digest}
"""The posting digest of each layout."""
