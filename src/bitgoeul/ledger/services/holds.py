"""Setting amounts aside, and freeing them unused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from bitgoeul.audit import facade as audit
from bitgoeul.kernel import clock
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.kernel.quantity import check_amount
from bitgoeul.kernel.text import N_

from ..models import Hold, HoldResolution, OpenHold
from ..rules import Changes, HoldResolved, UnknownHold, check_batch, check_memo, check_zone
from ..types import HoldRequest, HoldView, Resolution
from .book import CHUNK, apply, atomic_once_more, chunks, lock

EXPIRY_BATCH = 1_000


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
    lock(request.account_id for request in holds)
    known = _known(holds)
    fresh = [request for request in holds if request.id not in known]
    changes = Changes()
    for request in fresh:
        changes.of(request.account_id).held += request.amount
    apply(changes, new_holds=frozenset(changes))
    _insert(fresh, actor=actor, recorded_at=clock.now())
    views = hold_views([request.id for request in holds])
    return [views[request.id] for request in holds]


def _known(holds: Sequence[HoldRequest]) -> set[UUID]:
    wanted = {request.id: (request.account_id, request.amount) for request in holds}
    known: set[UUID] = set()
    for chunk in chunks(list(wanted)):
        for pk, account, amount in Hold.objects.filter(pk__in=chunk).values_list("pk", "account_id", "amount"):
            if wanted[pk] != (account, amount):
                raise Conflict(field="id", detail={"hold": str(pk)})
            known.add(pk)
    return known


def _insert(holds: Sequence[HoldRequest], *, actor: str, recorded_at: datetime) -> None:
    Hold.objects.bulk_create(
        [
            Hold(
                id=request.id,
                account_id=request.account_id,
                amount=request.amount,
                expires_at=request.expires_at,
                recorded_at=recorded_at,
                actor=actor,
                memo=request.memo,
            )
            for request in holds
        ],
        batch_size=CHUNK,
    )
    OpenHold.objects.bulk_create(
        [OpenHold(hold_id=request.id, expires_at=request.expires_at) for request in holds], batch_size=CHUNK
    )


def hold_views(ids: Sequence[UUID]) -> dict[UUID, HoldView]:
    """Holds with how they ended, by id, two queries a chunk; unknown ids are left out."""
    views: dict[UUID, HoldView] = {}
    for chunk in chunks(list(ids)):
        ends = HoldResolution.objects.in_bulk(chunk)
        for row in Hold.objects.filter(pk__in=chunk):
            end = ends.get(row.pk)
            views[row.pk] = HoldView(
                id=row.pk,
                account_id=row.account_id,
                amount=row.amount,
                expires_at=row.expires_at,
                recorded_at=row.recorded_at,
                memo=row.memo,
                resolution=Resolution(end.kind) if end else None,
                settled=end.settled if end else 0,
                posting_id=end.posting_id if end else None,
            )
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


def end_holds(ends: Iterable[HoldResolution]) -> None:
    """Insert how holds ended and take them off the open ones."""
    rows = list(ends)
    HoldResolution.objects.bulk_create(rows, batch_size=CHUNK)
    for chunk in chunks([row.hold_id for row in rows]):
        OpenHold.objects.filter(hold_id__in=chunk).delete()


def resolve(hold_ids: Sequence[UUID], kind: Resolution, *, actor: str, reason: str) -> list[UUID]:
    """End open holds unused and return which ones this call ended; call inside a transaction.

    The account rows are locked first: whoever ends a hold changes its account, so ends of one hold come one
    after the other, and the primary key of HoldResolution refuses a second one in any case.
    """
    views = hold_views(hold_ids)
    if missing := set(hold_ids) - views.keys():
        raise UnknownHold(detail={"hold": str(min(missing))})
    lock(view.account_id for view in views.values())
    views = hold_views(hold_ids)
    settled = [view.id for view in views.values() if view.resolution is Resolution.SETTLED]
    if settled and kind is Resolution.RELEASED:
        raise HoldResolved(detail={"hold": str(settled[0])})
    open_holds = [view for view in views.values() if view.resolution is None]
    changes = Changes()
    for view in open_holds:
        changes.of(view.account_id).held -= view.amount
    apply(changes)
    recorded_at = clock.now()
    end_holds(
        HoldResolution(hold_id=view.id, kind=kind, recorded_at=recorded_at, actor=actor, reason=reason)
        for view in open_holds
    )
    if open_holds:
        audit.record(
            verb=f"ledger.{'release' if kind is Resolution.RELEASED else 'expire'}_holds",
            subject_kind="hold",
            subject_id=str(open_holds[0].id),
            actor=actor,
            after={"holds": [str(view.id) for view in open_holds], "reason": reason},
        )
    return [view.id for view in open_holds]
