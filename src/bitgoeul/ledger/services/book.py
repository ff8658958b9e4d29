"""What all writes share: locks in one order, conditional updates, postings with their audit event.

The database decides every race. A balance is only changed by an UPDATE that names its condition, and every write
locks its accounts before it reads anything else: on SQLite by the IMMEDIATE transaction, on PostgreSQL by SELECT
FOR UPDATE. So who repeats an id is answered with what the first one posted (reading before the lock, seven of
eight racers with one id were refused), and a refusal names the balance that caused it. Accounts are locked and
updated in the order of their ids, so that two writers never wait for each other in a ring. The CHECK constraints
stand behind it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import Conflict, LimitReached
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.quantity import MAX_AMOUNT
from bitgoeul.kernel.text import N_

from ..models import Account, Posting, Transfer
from ..rules import (
    AccountInOverrun,
    Change,
    Changes,
    Entry,
    InsufficientBalance,
    UnknownAccount,
    posting_digest,
    same_unit,
)
from ..types import PostingView, Reason, TransferView

P = ParamSpec("P")
R = TypeVar("R")
CHUNK = 500


def atomic_once_more(service: Callable[P, R]) -> Callable[P, R]:
    """Run ``service`` in a transaction, and once more when another writer inserted the same id first.

    The second run finds the other's row and answers with it, or refuses. On SQLite writers come one by one and
    this never happens; on PostgreSQL two may insert the same key and one gets an IntegrityError.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return service(*args, **kwargs)
        except IntegrityError:
            with transaction.atomic():
                return service(*args, **kwargs)

    return run


@dataclass(frozen=True)
class Facts:
    """What never changes about accounts: unit and, for overrun accounts, whom they cover."""

    units: Mapping[UUID, str]
    covers: Mapping[UUID, UUID | None]

    @property
    def covered_by(self) -> Mapping[UUID, UUID]:
        """The overrun account of each covered account."""
        return {covered: account for account, covered in self.covers.items() if covered}

    def touched_by(self, sides: Set[UUID]) -> set[UUID]:
        """The accounts that transfers between ``sides`` change: an overrun account's debt is mirrored."""
        return {*sides, *(covered for side in sides if (covered := self.covers[side]))}


def facts_of(account_ids: Iterable[UUID]) -> Facts:
    """Facts of accounts and of the overrun accounts that cover them; raises UnknownAccount."""
    wanted = set(account_ids)
    units: dict[UUID, str] = {}
    covers: dict[UUID, UUID | None] = {}
    for chunk in chunks(sorted(wanted)):
        rows = Account.objects.filter(Q(pk__in=chunk) | Q(covers_id__in=chunk))
        for pk, unit, covered in rows.values_list("pk", "unit_id", "covers_id"):
            units[pk], covers[pk] = unit, covered
    if missing := wanted - units.keys():
        raise UnknownAccount(detail={"account": str(min(missing))})
    return Facts(units, covers)


def chunks(items: Sequence[R], size: int = CHUNK) -> list[Sequence[R]]:
    """``items`` in pieces that fit a statement's parameter limit."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def lock(account_ids: Iterable[UUID]) -> dict[UUID, Account]:
    """Lock and read accounts, in the order of their ids; call inside a transaction only."""
    rows: dict[UUID, Account] = {}
    for chunk in chunks(sorted(set(account_ids))):
        for row in Account.objects.select_for_update().filter(pk__in=chunk).order_by("pk"):
            rows[row.pk] = row
    return rows


def apply(changes: Changes, *, new_holds: frozenset[UUID] = frozenset()) -> None:
    """Write the changes, one conditional UPDATE an account in the order of their ids.

    ``new_holds`` names accounts that get new holds: those must have no overrun. Raises InsufficientBalance,
    AccountInOverrun or LimitReached (a column would leave 64 bits); nothing is written then.
    """
    for account_id in sorted(changes):
        change = changes[account_id]
        if not _update(account_id, change, no_overrun=account_id in new_holds):
            raise _refusal(account_id, change, no_overrun=account_id in new_holds)


def _update(account_id: UUID, change: Change, *, no_overrun: bool) -> bool:
    rows = Account.objects.filter(
        Q(limited=False) | Q(need_is_covered(change)),
        pk=account_id,
        # SQLite would go over to floats beyond 64 bits without a word.
        credits__lte=MAX_AMOUNT - change.credits,
        debits__lte=MAX_AMOUNT - change.debits,
        held__lte=MAX_AMOUNT - max(0, change.held),
        held__gte=-min(0, change.held),
        overrun__gte=-min(0, change.overrun),
    )
    if no_overrun:
        rows = rows.filter(overrun=0)
    return bool(
        rows.update(
            credits=F("credits") + change.credits,
            debits=F("debits") + change.debits,
            held=F("held") + change.held,
            overrun=F("overrun") + change.overrun,
        )
    )


def need_is_covered(change: Change) -> Q:
    """The free balance covers what the change takes; written as a comparison that cannot overflow."""
    if change.need <= 0:
        return Q(pk__isnull=False)
    return Q(credits__gte=F("debits") + F("held") + change.need)


def _refusal(account_id: UUID, change: Change, *, no_overrun: bool) -> LimitReached | UnknownAccount:
    """Say why the conditional UPDATE found no row."""
    row = Account.objects.filter(pk=account_id).first()
    if row is None:
        return UnknownAccount(detail={"account": str(account_id)})
    detail: dict[str, object] = {"account": str(account_id), "unit": row.unit_id}
    if no_overrun and row.overrun:
        return AccountInOverrun(field="amount", detail={**detail, "overrun": str(row.overrun)})
    available = row.credits - row.debits - row.held
    if row.limited and available < change.need:
        return InsufficientBalance(
            N_("{needed} are needed and {available} are left ({unit})."),
            field="amount",
            detail={**detail, "needed": str(change.need), "available": str(available)},
            needed=str(change.need),
            available=str(available),
            unit=row.unit_id,
        )
    return LimitReached(N_("The account cannot hold this amount."), field="amount", detail=detail)


@dataclass(frozen=True)
class Draft:
    """A posting about to be written."""

    id: UUID
    effective_at: datetime
    memo: str
    request_digest: str
    entries: Sequence[Entry]


def known_postings(digests: Mapping[UUID, str]) -> set[UUID]:
    """Which ids are already posted with the same content; raises Conflict for one with other content."""
    known: set[UUID] = set()
    for chunk in chunks(list(digests)):
        for pk, digest in Posting.objects.filter(pk__in=chunk).values_list("pk", "request_digest"):
            if digest != digests[pk]:
                raise Conflict(field="id", detail={"posting": str(pk)})
            known.add(pk)
    return known


def write_postings(drafts: Sequence[Draft], facts: Facts, *, actor: str, recorded_at: datetime) -> Changes:
    """Insert postings, transfers and one audit event each; returns the changes for the caller to ``apply``."""
    changes = Changes()
    postings, transfers = [], []
    for draft in drafts:
        same_unit(facts.units, draft.entries)
        postings.append(_posting(draft, actor=actor, recorded_at=recorded_at))
        for line, entry in enumerate(draft.entries):
            transfers.append(_transfer(draft, line, entry, recorded_at))
            changes.move(entry.debit, entry.credit, entry.amount, facts.covers)
    Posting.objects.bulk_create(postings, batch_size=CHUNK)
    Transfer.objects.bulk_create(transfers, batch_size=CHUNK)
    audit.record_many(
        [
            audit.EventDraft(
                verb="ledger.post",
                subject_kind="posting",
                subject_id=str(posting.pk),
                actor=actor,
                after={"digest": posting.digest, "transfers": len(draft.entries)},
            )
            for posting, draft in zip(postings, drafts, strict=True)
        ]
    )
    return changes


def _posting(draft: Draft, *, actor: str, recorded_at: datetime) -> Posting:
    return Posting(
        id=draft.id,
        effective_at=draft.effective_at,
        recorded_at=recorded_at,
        actor=actor,
        memo=draft.memo,
        request_digest=draft.request_digest,
        digest=posting_digest(
            posting_id=draft.id,
            effective_at=draft.effective_at,
            recorded_at=recorded_at,
            actor=actor,
            memo=draft.memo,
            entries=draft.entries,
        ),
    )


def _transfer(draft: Draft, line: int, entry: Entry, recorded_at: datetime) -> Transfer:
    return Transfer(
        id=derive(draft.id, "transfer", line),
        posting_id=draft.id,
        line=line,
        debit_id=entry.debit,
        credit_id=entry.credit,
        amount=entry.amount,
        reason=entry.reason,
        effective_at=draft.effective_at,
        recorded_at=recorded_at,
    )


def posting_views(ids: Sequence[UUID]) -> dict[UUID, PostingView]:
    """Postings with their transfers, by id, in two queries a chunk; unknown ids are left out."""
    views: dict[UUID, PostingView] = {}
    for chunk in chunks(list(ids)):
        lines: dict[UUID, list[TransferView]] = {}
        for row in Transfer.objects.filter(posting_id__in=chunk).order_by("posting_id", "line"):
            view = TransferView(row.pk, row.line, row.debit_id, row.credit_id, row.amount, Reason(row.reason))
            lines.setdefault(row.posting_id, []).append(view)
        for posting in Posting.objects.filter(pk__in=chunk):
            views[posting.pk] = PostingView(
                id=posting.pk,
                effective_at=posting.effective_at,
                recorded_at=posting.recorded_at,
                actor=posting.actor,
                memo=posting.memo,
                digest=posting.digest,
                transfers=tuple(lines.get(posting.pk, ())),
            )
    return views
