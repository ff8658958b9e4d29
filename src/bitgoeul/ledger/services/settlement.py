"""Posting what was used, giving back what was charged too much, and clearing overruns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from uuid import UUID

from bitgoeul.audit.facade import as_uuid, run_among
from bitgoeul.kernel import canonical, clock
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.quantity import check_amount
from bitgoeul.kernel.text import N_

from ..rules import (
    Changes,
    HoldResolved,
    Split,
    UnknownHold,
    check_batch,
    check_memo,
    check_use,
    check_zone,
    first_settle_digest,
    in_order,
    settle_digest,
    split_return,
    split_use,
)
from ..types import HoldView, PostingView, Reason, Resolution, SettlementView, SettleRequest, TransferView
from .book import (
    Draft,
    apply,
    atomic_once_more,
    known_postings,
    lock,
    posting_views,
    refuse_other_content,
    write_postings,
)
from .holds import End, end_holds, hold_views


@dataclass(slots=True)
class Standing:
    """An account's free balance and overrun while a batch is worked through, locked all the while."""

    free: int
    overrun: int


@dataclass
class Batch:
    """What a batch of settlements will write, and how each was divided."""

    changes: Changes
    drafts: list[Draft] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    views: dict[UUID, SettlementView] = field(default_factory=dict)


@atomic_once_more
def settle_many(*, lines: Sequence[SettleRequest], actor: str) -> list[SettlementView]:
    """Post what was used, all or nothing: out of the hold, then the free balance, the rest as overrun.

    A use is never refused for want of balance. A hold that expired or was released before leaves the use to the
    free balance; one that was settled by another posting raises HoldResolved. The same posting id again gives
    the same settlement, other content Conflict. Raises UnknownHold, UnknownAccount and BadInput.
    """
    digests = _check(lines, "use")
    changes, standing = _prepare(lines)
    known = _known(lines, digests, "use")
    fresh = [line for line in lines if line.posting_id not in known]
    holds, batch = _holds(fresh), Batch(changes)
    for line in fresh:
        _settle_one(batch, line, holds, standing[line.account_id], digests[line.posting_id])
    recorded_at = clock.now()
    write_postings(batch.drafts, changes, actor=actor, recorded_at=recorded_at)
    apply(changes)
    end_holds(batch.ends, Resolution.SETTLED, actor=actor, recorded_at=recorded_at)
    views = batch.views | _settlements([line for line in lines if line.posting_id in known])
    return [views[line.posting_id] for line in lines]


def _check(lines: Sequence[SettleRequest], kind: str) -> dict[UUID, str]:
    check_batch(lines)
    for line in lines:
        check_use(line.amount)
        check_memo(line.memo)
        check_zone(line.effective_at, "effective_at")
    digests = {line.posting_id: settle_digest(line, kind) for line in lines}
    hold_ids = [line.hold_id for line in lines if line.hold_id]
    if len(digests) != len(lines) or len(set(hold_ids)) != len(hold_ids):
        raise BadInput(N_("The same id stands twice in one call."), field="id")
    return digests


def _prepare(lines: Sequence[SettleRequest]) -> tuple[Changes, dict[UUID, Standing]]:
    """Lock every account that the lines may touch, then read what is free."""
    changes, rows = lock(account for line in lines for account in (line.account_id, line.used_account_id))
    return changes, {pk: Standing(row.free, row.overrun) for pk, row in rows.items()}


def _known(lines: Sequence[SettleRequest], digests: Mapping[UUID, str], kind: str) -> Set[UUID]:
    """The ids of those lines that are already posted; raises Conflict for one with other content."""
    known = known_postings(digests)
    if known:
        asked = {line.posting_id: line for line in lines}
        refuse_other_content(known, lambda pk: known[pk] in (digests[pk], first_settle_digest(asked[pk], kind)))
    return known.keys()


def _holds(lines: Sequence[SettleRequest]) -> dict[UUID, HoldView]:
    """The holds of the lines, read after the lock; refuses unknown ones and those settled by others."""
    ids = [line.hold_id for line in lines if line.hold_id]
    views = hold_views(ids)
    for line in lines:
        if line.hold_id is None:
            continue
        view = views.get(line.hold_id)
        if view is None or view.account_id != line.account_id:
            raise UnknownHold(field="hold_id", detail={"hold": str(line.hold_id)})
        if view.resolution is Resolution.SETTLED:
            raise HoldResolved(field="hold_id", detail={"hold": str(line.hold_id)})
    return views


def _settle_one(
    batch: Batch,
    line: SettleRequest,
    holds: Mapping[UUID, HoldView],
    standing: Standing,
    digest: str,
) -> None:
    view = holds.get(line.hold_id) if line.hold_id else None
    held = view.amount if view and view.resolution is None else 0
    split = split_use(amount=line.amount, held=held, free=standing.free)
    standing.free += split.released - split.from_free
    standing.overrun += split.overrun
    transfers = _transfers(line, split, batch.changes)
    batch.drafts.append(Draft(line.posting_id, line.effective_at, line.memo, digest, transfers))
    batch.views[line.posting_id] = SettlementView(line.posting_id, *split)
    if view and held:
        batch.changes.of(line.account_id).held -= held
        batch.ends.append(End(view.id, split.settled, line.posting_id, line.memo))


def _transfers(line: SettleRequest, split: Split, changes: Changes) -> tuple[TransferView, ...]:
    """The transfers of a use: one from the account, one from its overrun account."""
    found = []
    if within := split.settled + split.from_free:
        found.append((line.account_id, line.used_account_id, within, line.reason))
    if split.overrun:
        source = changes.of(line.account_id).cover
        if source is None:
            raise BadInput(N_("The account has no overrun account."), field="account_id")
        found.append((source.id, line.used_account_id, split.overrun, Reason.OVERRUN))
    return in_order(*found)


def _settlements(lines: Sequence[SettleRequest]) -> dict[UUID, SettlementView]:
    """Settlements as the rows tell them, so that a repeated call answers the same."""
    if not lines:
        return {}
    postings = posting_views([line.posting_id for line in lines])
    views = hold_views([line.hold_id for line in lines if line.hold_id])
    return {line.posting_id: _settlement(line, postings[line.posting_id], views) for line in lines}


def _settlement(line: SettleRequest, posting: PostingView, views: dict[UUID, HoldView]) -> SettlementView:
    overrun = sum(transfer.amount for transfer in posting.transfers if transfer.reason is Reason.OVERRUN)
    view = views.get(line.hold_id) if line.hold_id else None
    settled = released = 0
    if view and view.posting_id == posting.id:
        settled, released = view.settled, view.amount - view.settled
    total = sum(transfer.amount for transfer in posting.transfers)
    return SettlementView(posting.id, settled, released, total - overrun - settled, overrun)


@atomic_once_more
def give_back_many(*, lines: Sequence[SettleRequest], actor: str) -> list[PostingView]:
    """Take uses back, all or nothing: first the overrun is lowered, the rest returns to the balance.

    For corrections: ``amount`` is how much too much was charged. Same id again gives the same posting.
    Raises InsufficientBalance when more is given back than was used.
    """
    for line in lines:
        check_amount(line.amount)
    digests = _check(lines, "give back")
    changes, standing = _prepare(lines)
    known = _known(lines, digests, "give back")
    drafts = []
    for line in lines:
        if line.posting_id in known:
            continue
        transfers = _returns(line, standing[line.account_id], changes)
        drafts.append(Draft(line.posting_id, line.effective_at, line.memo, digests[line.posting_id], transfers))
    fresh = write_postings(drafts, changes, actor=actor, recorded_at=clock.now())
    apply(changes)
    views = posting_views(known) | {view.id: view for view in fresh}
    return [views[line.posting_id] for line in lines]


def _returns(line: SettleRequest, standing: Standing, changes: Changes) -> tuple[TransferView, ...]:
    """The transfers that take a use back: one to the overrun account, one to the account."""
    lowered, returned = split_return(amount=line.amount, overrun=standing.overrun)
    standing.overrun -= lowered
    found, source = [], changes.of(line.account_id).cover
    if lowered and source:
        found.append((line.used_account_id, source.id, lowered, line.reason))
    if returned:
        found.append((line.used_account_id, line.account_id, returned, line.reason))
    return in_order(*found)


@atomic_once_more
def clear_overruns(*, account_ids: Iterable[UUID], actor: str, memo: str = "") -> list[PostingView]:
    """Pay overruns from what has become free on their accounts.

    Ids are made here: the call is driven by the state, and repeated it finds nothing left to clear.
    """
    with_overrun = _with_overrun(account_ids)
    if not with_overrun:
        return []
    changes, rows = lock(with_overrun)
    at = clock.now()
    drafts = []
    for pk in sorted(with_overrun):
        amount = min(rows[pk].overrun, rows[pk].free)
        cover = changes.of(pk).cover
        if amount > 0 and cover:
            transfers = in_order((pk, cover.id, amount, Reason.OVERRUN_CLEARED))
            digest = canonical.digest(["clear", str(pk), str(amount)])
            drafts.append(Draft(new_id(), at, check_memo(memo), digest, transfers))
    views = write_postings(drafts, changes, actor=actor, recorded_at=at)
    apply(changes)
    return views


def _with_overrun(account_ids: Iterable[UUID]) -> list[UUID]:
    rows = run_among("SELECT id FROM ledger_account WHERE overrun > 0 AND id {among}", account_ids)
    return [as_uuid(row[0]) for row in rows]
