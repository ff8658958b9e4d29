"""Setting amounts aside, and freeing them unused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from bitgoeul.audit import facade as audit
from bitgoeul.audit.facade import insert_rows, run_among, stored_time
from bitgoeul.kernel import clock
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.kernel.quantity import check_amount
from bitgoeul.kernel.text import N_

from ..models import Hold, HoldResolution, OpenHold
from ..rules import HoldResolved, UnknownHold, check_batch, check_memo, check_zone
from ..types import HoldRequest, HoldView, Resolution
from .book import apply, atomic_once_more, chunks, lock

EXPIRY_BATCH = 1_000
VIEW = ("pk", "account_id", "amount", "expires_at", "recorded_at", "memo")


@atomic_once_more
def hold_many(*, holds: Sequence[HoldRequest], actor: str) -> list[HoldView]:
    """Set amounts aside, all or nothing, and return the holds in their order.

    The same id with the same account and amount gives the hold as it stands. Raises InsufficientBalance,
    AccountInOverrun (more was used than allocated and not yet cleared), Conflict, UnknownAccount, BadInput.
    """
    check_batch(holds)
    for request in holds:
        check_amount(request.amount)
        check_memo(request.memo)
        check_zone(request.expires_at, "expires_at")
    if len({request.id for request in holds}) != len(holds):
        raise BadInput(N_("The same id stands twice in one call."), field="id")
    changes, _ = lock(request.account_id for request in holds)
    known = _known(holds)
    fresh = [request for request in holds if request.id not in known]
    for request in fresh:
        changes.of(request.account_id).held += request.amount
    apply(changes, new_holds=frozenset(request.account_id for request in fresh))
    views = known | _insert(fresh, actor=actor, recorded_at=clock.now())
    return [views[request.id] for request in holds]


def _known(holds: Sequence[HoldRequest]) -> dict[UUID, HoldView]:
    """Those of the requests that are already there; raises Conflict for one with other content."""
    views = hold_views([request.id for request in holds])
    for request in holds:
        view = views.get(request.id)
        if view and (view.account_id, view.amount) != (request.account_id, request.amount):
            raise Conflict(field="id", detail={"hold": str(request.id)})
    return views


HOLD = ("id", "account", "amount", "expires_at", "recorded_at", "actor", "memo")
END = ("hold", "kind", "settled", "posting", "recorded_at", "actor", "reason")


def _insert(holds: Sequence[HoldRequest], *, actor: str, recorded_at: datetime) -> dict[UUID, HoldView]:
    at = stored_time(recorded_at)
    due = [stored_time(one.expires_at) for one in holds]
    insert_rows(
        Hold,
        HOLD,
        [
            (one.id.hex, one.account_id.hex, one.amount, expires, at, actor, one.memo)
            for one, expires in zip(holds, due, strict=True)
        ],
    )
    insert_rows(
        OpenHold, ("hold", "expires_at"), [(one.id.hex, expires) for one, expires in zip(holds, due, strict=True)]
    )
    return {
        one.id: HoldView(one.id, one.account_id, one.amount, one.expires_at, recorded_at, one.memo)
        for one in holds
    }


def hold_views(ids: Sequence[UUID]) -> dict[UUID, HoldView]:
    """Holds with how they ended, by id, two queries a chunk; unknown ids are left out."""
    views: dict[UUID, HoldView] = {}
    for chunk in chunks(list(ids)):
        rows = Hold.objects.filter(pk__in=chunk).values_list(*VIEW)
        there = {pk: (pk, *rest) for pk, *rest in rows}
        ends = HoldResolution.objects.filter(pk__in=there).values_list("pk", "kind", "settled", "posting_id")
        ended = {pk: (Resolution(kind), settled, posting) for pk, kind, settled, posting in ends}
        for pk, cells in there.items():
            views[pk] = HoldView(*cells, *ended.get(pk, ()))
    return views


@atomic_once_more
def release_many(*, hold_ids: Sequence[UUID], actor: str, reason: str = "") -> list[HoldView]:
    """Free holds that will not be used, all or nothing; one that was freed before stays as it is.

    Raises UnknownHold, and HoldResolved when one was settled.
    """
    check_batch(hold_ids)
    resolve(hold_ids, Resolution.RELEASED, actor=actor, reason=check_memo(reason))
    views = hold_views(hold_ids)
    return [views[hold_id] for hold_id in hold_ids]


@atomic_once_more
def expire_holds(*, now: datetime, actor: str, limit: int = EXPIRY_BATCH) -> list[HoldView]:
    """Free up to ``limit`` holds whose time is over; returns those freed. A repeated run finds the rest."""
    due = OpenHold.objects.filter(expires_at__lte=now).order_by("expires_at")
    ids = list(due.values_list("hold_id", flat=True)[:limit])
    freed = resolve(ids, Resolution.EXPIRED, actor=actor, reason="")
    views = hold_views(freed)
    return [views[hold_id] for hold_id in freed]


class End(NamedTuple):
    """How one hold ends: ``settled`` of it by ``posting``, or nothing."""

    hold_id: UUID
    settled: int
    posting_id: UUID | None
    reason: str


def end_holds(ends: Sequence[End], kind: Resolution, *, actor: str, recorded_at: datetime) -> None:
    """Insert how holds ended and take them off the open ones."""
    at = stored_time(recorded_at)
    insert_rows(
        HoldResolution,
        END,
        [
            (
                end.hold_id.hex,
                kind.value,
                end.settled,
                end.posting_id.hex if end.posting_id else None,
                at,
                actor,
                end.reason,
            )
            for end in ends
        ],
    )
    if ends:
        run_among("DELETE FROM ledger_openhold WHERE hold_id {among}", [end.hold_id for end in ends])


def resolve(hold_ids: Sequence[UUID], kind: Resolution, *, actor: str, reason: str) -> list[UUID]:
    """End open holds unused and return which ones this call ended; call inside a transaction.

    The account rows are locked first: whoever ends a hold changes its account, so ends of one hold come one
    after the other, and the primary key of HoldResolution refuses a second one in any case.
    """
    views = hold_views(hold_ids)
    if missing := set(hold_ids) - views.keys():
        raise UnknownHold(detail={"hold": str(min(missing))})
    changes, _ = lock(view.account_id for view in views.values())
    views = hold_views(hold_ids)
    settled = [view.id for view in views.values() if view.resolution is Resolution.SETTLED]
    if settled and kind is Resolution.RELEASED:
        raise HoldResolved(detail={"hold": str(settled[0])})
    open_holds = [view for view in views.values() if view.resolution is None]
    for view in open_holds:
        changes.of(view.account_id).held -= view.amount
    apply(changes)
    ends = [End(view.id, 0, None, reason) for view in open_holds]
    end_holds(ends, kind, actor=actor, recorded_at=clock.now())
    if open_holds:
        audit.record(
            verb=f"ledger.{'release' if kind is Resolution.RELEASED else 'expire'}_holds",
            subject_kind="hold",
            subject_id=str(open_holds[0].id),
            actor=actor,
            after={"holds": [str(view.id) for view in open_holds], "reason": reason},
        )
    return [view.id for view in open_holds]
