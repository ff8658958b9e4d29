"""Every write of the resources room; amounts move in the ledger in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.quantity import check_amount
from bitgoeul.kernel.text import N_, Label
from bitgoeul.ledger import facade as ledger
from bitgoeul.ledger.facade import Purpose, Reason

from .catalogue import resource_view
from .models import Allocation, Centre, Resource
from .queries import allocation_view, thing_of
from .states import AllocationState
from .types import (
    AllocationNotUsable,
    AllocationView,
    Category,
    CentreView,
    Details,
    GrantLine,
    HoldLine,
    Origin,
    ResourceView,
)

DUE_BATCH = 500
CHUNK = 500
# Three accounts an allocation, within what the ledger opens at once.
GRANTS_MAX = 3_000
NO_DETAILS = Details()


@transaction.atomic
def define_centre(*, actor: Actor, centre: CentreView, order: int = 0) -> None:
    """Add a centre, or change its names."""
    if not actor.is_system:
        raise BadInput(N_("The catalogue is loaded from data."))
    names = {
        "name_ko": centre.name.ko,
        "name_en": centre.name.en,
        "place_ko": centre.place.ko,
        "place_en": centre.place.en,
        "order": order,
        "is_planned": centre.is_planned,
    }
    _row, made = Centre.objects.update_or_create(pk=centre.code, defaults=names)
    if made:
        audit.record(
            verb="resources.define_centre",
            subject_kind="centre",
            subject_id=centre.code,
            actor=actor.id,
            after={"name": centre.name.ko},
        )


@transaction.atomic
def define_resource(
    *,
    actor: Actor,
    code: str,
    category: Category,
    unit: str,
    label: Label,
    provider: Label,
    location: Label,
    is_example: bool = False,
    details: Details = NO_DETAILS,
) -> ResourceView:
    """Add an entry to the catalogue, or change what it says; its unit never changes (Conflict)."""
    if not actor.is_system:
        raise BadInput(N_("The catalogue is loaded from data."))
    supply = ledger.open_account(
        id=derive("resources.supply", code),
        unit=unit,
        owner_kind="resource",
        owner_id=code,
        purpose=Purpose.SUPPLY,
        limited=False,
        actor=actor.id,
    )
    names = {
        "category": Category(category),
        "name_ko": label.ko,
        "name_en": label.en,
        "provider_ko": provider.ko,
        "provider_en": provider.en,
        "location_ko": location.ko,
        "location_en": location.en,
        "is_example": is_example,
        **_columns(details),
    }
    row, made = Resource.objects.update_or_create(
        pk=code, defaults=names, create_defaults={**names, "unit_id": unit, "supply_id": supply}
    )
    if made:
        audit.record(
            verb="resources.define_resource",
            subject_kind="resource",
            subject_id=code,
            actor=actor.id,
            after={"unit": unit, "category": category},
        )
    return resource_view(row)


def _columns(details: Details) -> dict[str, object]:
    return {
        "centre_id": details.centre or None,
        "about_ko": details.about.ko,
        "about_en": details.about.en,
        "sector": str(details.sector or ""),
        "way": str(details.way or ""),
        "in_service_by": details.in_service_by,
        "grid_minutes": details.grid_minutes,
        "quantity": details.quantity,
        "is_planned": details.is_planned,
        "is_invented": details.is_invented,
    }


def grant(
    *,
    actor: Actor,
    id: UUID,
    project_id: UUID,
    resource_code: str,
    amount: int,
    starts_at: datetime,
    ends_at: datetime,
    origin: Origin,
) -> AllocationView:
    """Grant one allocation as ``grant_many`` does."""
    line = GrantLine(id, project_id, resource_code, amount, starts_at, ends_at, origin)
    (view,) = grant_many(actor=actor, grants=[line])
    return view


@transaction.atomic
def grant_many(*, actor: Actor, grants: Sequence[GrantLine]) -> list[AllocationView]:
    """Grant allocations, all or nothing, each an AWARD from its resource's supply; returns them in their order.

    At most GRANTS_MAX at once. The same id again returns what is there; with another amount, project or resource
    it is a Conflict. Raises BadInput naming the field, and what ``accounts.require`` raises.
    """
    catalogue = _check_grants(actor, grants)
    ids = [line.id for line in grants]
    known = {row.pk: row for row in _chunked(Allocation.objects.all(), ids)}
    for line in grants:
        row = known.get(line.id)
        asked = (line.project_id, line.resource_code, line.amount)
        if row and (row.project_id, row.resource_id, row.granted) != asked:
            raise Conflict(field="id")
    _grant([line for line in grants if line.id not in known], catalogue, actor)
    # Not joined: PostgreSQL knows nothing yet of rows this young, and took minutes for thousands of them.
    rows = Allocation.objects.select_related("resource").prefetch_related("account", "used_account")
    views = {row.pk: allocation_view(row) for row in _chunked(rows, ids)}
    return [views[id] for id in ids]


def _chunked(rows: QuerySet[Allocation], ids: Sequence[UUID]) -> Iterator[Allocation]:
    for start in range(0, len(ids), CHUNK):
        yield from rows.filter(pk__in=ids[start : start + CHUNK])


def _check_grants(actor: Actor, grants: Sequence[GrantLine]) -> Mapping[str, Resource]:
    """Refuse grants that make no sense or that the actor may not make; returns the resources by code."""
    if len(grants) > GRANTS_MAX:
        raise BadInput(N_("At most {limit} entries at once."), field="grants", limit=GRANTS_MAX)
    if len({line.id for line in grants}) != len(grants):
        raise BadInput(N_("The same id stands twice in one call."), field="id")
    catalogue = Resource.objects.in_bulk({line.resource_code for line in grants})
    for line in grants:
        thing = Thing("allocation", str(line.id), project_id=line.project_id)
        accounts.require(actor=actor, verb="resources.grant_allocation", thing=thing)
        check_amount(line.amount)
        if line.ends_at <= line.starts_at:
            raise BadInput(N_("An allocation ends after it starts."), field="ends_at")
        if line.resource_code not in catalogue:
            code = line.resource_code
            raise BadInput(N_("There is no resource “{code}”."), field="resource_code", code=code)
    return catalogue


def _grant(grants: Sequence[GrantLine], catalogue: Mapping[str, Resource], actor: Actor) -> None:
    moment = now()
    opened = [account for line in grants for account in _new_accounts(line, catalogue[line.resource_code].unit_id)]
    ledger.open_accounts(accounts=opened, actor=actor.id)
    Allocation.objects.bulk_create([_allocation(line) for line in grants], batch_size=CHUNK)
    awards = [
        ledger.PostingRequest(
            id=derive(line.id, "award"),
            lines=[_award(line, catalogue[line.resource_code])],
            reason=Reason.AWARD,
            effective_at=moment,
            memo=line.origin.label[:200],
        )
        for line in grants
    ]
    ledger.post_many(postings=awards, actor=actor.id)
    audit.record_many([_granted(line, actor) for line in grants])
    audit.emit_many(
        [
            audit.News("allocation.granted", str(line.id), {"id": line.id, "project_id": line.project_id})
            for line in grants
        ]
    )


def _account_ids(allocation_id: UUID) -> tuple[UUID, UUID, UUID]:
    """The three accounts of an allocation: balance, used, overrun."""
    return (derive(allocation_id, "balance"), derive(allocation_id, "used"), derive(allocation_id, "overrun"))


def _new_accounts(line: GrantLine, unit: str) -> Iterator[ledger.NewAccount]:
    ids = _account_ids(line.id)
    shapes = [(Purpose.ALLOCATION, True, None), (Purpose.USED, True, None), (Purpose.OVERRUN, False, ids[0])]
    for id, (purpose, limited, covers) in zip(ids, shapes, strict=True):
        yield ledger.NewAccount(id, unit, "allocation", str(line.id), purpose, limited, covers)


def _allocation(line: GrantLine) -> Allocation:
    account, used, overrun = _account_ids(line.id)
    return Allocation(
        pk=line.id,
        project_id=line.project_id,
        resource_id=line.resource_code,
        account_id=account,
        used_account_id=used,
        overrun_account_id=overrun,
        granted=line.amount,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        origin_kind=line.origin.kind,
        origin_id=line.origin.id,
        origin_label=line.origin.label[:200],
        origin_group=(line.origin.group or line.origin.kind)[:80],
    )


def _award(line: GrantLine, resource: Resource) -> ledger.TransferLine:
    return ledger.TransferLine(debit=resource.supply_id, credit=_account_ids(line.id)[0], amount=line.amount)


def _granted(line: GrantLine, actor: Actor) -> audit.EventDraft:
    return audit.EventDraft(
        verb="resources.grant_allocation",
        subject_kind="allocation",
        subject_id=str(line.id),
        actor=actor.id,
        after={
            "project": line.project_id,
            "resource": line.resource_code,
            "amount": str(line.amount),
            "origin": line.origin.id,
        },
    )


def _moving(actor: Actor, verb: str, allocation_id: UUID) -> Allocation:
    row = Allocation.objects.select_related("resource").filter(pk=allocation_id).first()
    if row is None:
        raise NotFound()
    accounts.require(actor=actor, verb=verb, thing=thing_of(row))
    return row


@transaction.atomic
def suspend(*, actor: Actor, allocation_id: UUID, reason: str) -> None:
    """Let nothing new start from an allocation; what runs goes on."""
    audit.advance(
        _moving(actor, "resources.suspend_allocation", allocation_id), "suspend", actor=actor.id, reason=reason
    )


@transaction.atomic
def resume(*, actor: Actor, allocation_id: UUID, reason: str) -> None:
    """Let new work start again."""
    audit.advance(
        _moving(actor, "resources.resume_allocation", allocation_id), "resume", actor=actor.id, reason=reason
    )


@transaction.atomic
def recall(*, actor: Actor, allocation_id: UUID, reason: str) -> int:
    """Take the unused, unheld rest back to the supply and end the allocation; returns the amount.

    What is held stays until its work ends; ``sweep`` takes what that leaves.
    """
    row = _moving(actor, "resources.recall_allocation", allocation_id)
    audit.advance(row, "recall", actor=actor.id, reason=reason)
    return _take_back(row, Reason.RECALL, actor.id, reason)


def _take_back(row: Allocation, reason: Reason, actor: str, memo: str = "") -> int:
    ledger.clear_overruns(account_ids=[row.account_id], actor=actor)
    balance = ledger.accounts([row.account_id])[row.account_id]
    posted = ledger.post_available(
        # What was spent so far names the sweep: a repeated one finds its own posting.
        id=derive(row.pk, str(reason), balance.debits),
        debit=row.account_id,
        credit=row.resource.supply_id,
        reason=reason,
        actor=actor,
        effective_at=now(),
        memo=memo[:200],
    )
    return sum(transfer.amount for transfer in posted.transfers) if posted else 0


def expire_due(moment: datetime, *, limit: int = DUE_BATCH) -> int:
    """End allocations whose period is over and take their rest back; returns how many changed.

    One transaction an allocation, so one that cannot move does not stop the others. Also pays overruns from what
    has become free, and sweeps ended allocations on which work has ended since.
    """
    actor = Actor.system("expiry")
    due = Allocation.objects.filter(state__in=("ACTIVE", "SUSPENDED"), ends_at__lte=moment).order_by("ends_at")
    changed = sum(_expire(pk, actor) for pk in list(due.values_list("pk", flat=True)[:limit]))
    owing = Allocation.objects.filter(
        account__overrun__gt=0, account__credits__gt=F("account__debits") + F("account__held")
    )
    owing_ids = list(owing.values_list("account_id", flat=True)[:limit])
    changed += len(ledger.clear_overruns(account_ids=owing_ids, actor=actor.id))
    left = Allocation.objects.filter(
        state__in=("RECALLED", "EXPIRED"), account__credits__gt=F("account__debits") + F("account__held")
    )
    return changed + sum(_sweep(pk, actor) for pk in list(left.values_list("pk", flat=True)[:limit]))


def _locked_one(allocation_id: UUID) -> Allocation:
    """One allocation, locked: what its state and its balance say now stays so until it is acted upon."""
    rows = Allocation.objects.select_for_update(of=("self",)).select_related("resource")
    return rows.get(pk=allocation_id)


@transaction.atomic
def _expire(allocation_id: UUID, actor: Actor) -> bool:
    row = _locked_one(allocation_id)
    if row.state not in ("ACTIVE", "SUSPENDED"):
        return False
    audit.advance(row, "expire", actor=actor.id)
    _take_back(row, Reason.EXPIRY, actor.id)
    return True


@transaction.atomic
def _sweep(allocation_id: UUID, actor: Actor) -> bool:
    row = _locked_one(allocation_id)
    reason = Reason.RECALL if row.state == AllocationState.RECALLED else Reason.EXPIRY
    return _take_back(row, reason, actor.id) > 0


@transaction.atomic
def hold_for(*, lines: Sequence[HoldLine], expires_at: datetime, actor: str, memo: str = "") -> None:
    """Set amounts aside from allocations, all or nothing; the same hold ids again change nothing.

    ``memo`` is for the lines without one of their own.

    Raises AllocationNotUsable outside the period or when suspended, recalled or ended, InsufficientBalance,
    AccountInOverrun, NotFound.
    """
    rows = locked(line.allocation_id for line in lines)
    moment = now()
    for row in rows.values():
        if row.state != AllocationState.ACTIVE or not row.starts_at <= moment < row.ends_at:
            raise AllocationNotUsable(field="allocation", detail={"allocation": str(row.pk), "state": row.state})
    requests = [
        ledger.HoldRequest(
            line.hold_id, rows[line.allocation_id].account_id, line.amount, expires_at, line.memo or memo
        )
        for line in lines
    ]
    ledger.hold_many(holds=requests, actor=actor)


@transaction.atomic
def release_holds(*, hold_ids: Sequence[UUID], actor: str, reason: str = "") -> None:
    """Free holds that will not be used, all or nothing; one that was freed before stays as it is.

    What becomes free pays an overrun first.
    """
    freed = ledger.release_many(hold_ids=hold_ids, actor=actor, reason=reason)
    ledger.clear_overruns(account_ids={view.account_id for view in freed}, actor=actor)


def locked(allocation_ids: Iterable[UUID]) -> Mapping[UUID, Allocation]:
    """Allocations by id, locked in the order of their ids until the transaction ends; raises NotFound.

    Whoever moves an allocation's state waits, so a state that was checked still holds when the amount is held;
    and of two who bring the same usage record the second finds what the first one charged.
    """
    ids = sorted(set(allocation_ids))
    rows: dict[UUID, Allocation] = {}
    for start in range(0, len(ids), CHUNK):
        chunk = Allocation.objects.select_for_update().filter(pk__in=ids[start : start + CHUNK]).order_by("pk")
        rows |= {row.pk: row for row in chunk}
    if missing := set(ids) - rows.keys():
        raise NotFound(N_("There is no allocation {id}."), field="allocation", id=str(min(missing)))
    return rows
