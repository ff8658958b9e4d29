"""Every write of the resources room; amounts move in the ledger in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

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
    HoldLine,
    Origin,
    ResourceView,
)

DUE_BATCH = 500
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
        pk=code, defaults=names, create_defaults={**names, "unit_id": unit, "supply_id": supply.pk}
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


@transaction.atomic
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
    """Grant ``amount`` of a resource to a project for a period: an AWARD from the resource's supply.

    The same id again returns what is there; with another amount, project or resource it is a Conflict.
    """
    accounts.require(
        actor=actor, verb="resources.grant_allocation", thing=Thing("allocation", str(id), project_id=project_id)
    )
    check_amount(amount)
    if ends_at <= starts_at:
        raise BadInput(N_("An allocation ends after it starts."), field="ends_at")
    resource = Resource.objects.filter(pk=resource_code).first()
    if resource is None:
        raise BadInput(N_("There is no resource “{code}”."), field="resource_code", code=resource_code)
    known = Allocation.objects.select_related("resource", "account", "used_account").filter(pk=id).first()
    if known:
        if (known.project_id, known.resource_id, known.granted) != (project_id, resource_code, amount):
            raise Conflict(field="id")
        return allocation_view(known)
    account, used, overrun = _open_accounts(id, resource.unit_id, actor)
    row = Allocation.objects.create(
        pk=id,
        project_id=project_id,
        resource=resource,
        account_id=account,
        used_account_id=used,
        overrun_account_id=overrun,
        granted=amount,
        starts_at=starts_at,
        ends_at=ends_at,
        origin_kind=origin.kind,
        origin_id=origin.id,
        origin_label=origin.label[:200],
    )
    line = ledger.TransferLine(debit=resource.supply_id, credit=account, amount=amount)
    award = ledger.PostingRequest(
        id=derive(id, "award"), lines=[line], reason=Reason.AWARD, effective_at=now(), memo=origin.label[:200]
    )
    ledger.post_many(postings=[award], actor=actor.id)
    audit.record(
        verb="resources.grant_allocation",
        subject_kind="allocation",
        subject_id=str(id),
        actor=actor.id,
        after={"project": project_id, "resource": resource_code, "amount": str(amount), "origin": origin.id},
    )
    audit.emit(topic="allocation.granted", key=str(id), payload={"id": id, "project_id": project_id})
    row.refresh_from_db()
    return allocation_view(row)


def _open_accounts(allocation_id: UUID, unit: str, actor: Actor) -> tuple[UUID, UUID, UUID]:
    """The three accounts of an allocation: balance, used, overrun."""
    ids = [derive(allocation_id, name) for name in ("balance", "used", "overrun")]
    shapes = [(Purpose.ALLOCATION, True, None), (Purpose.USED, True, None), (Purpose.OVERRUN, False, ids[0])]
    for account_id, (purpose, limited, covers) in zip(ids, shapes, strict=True):
        ledger.open_account(
            id=account_id,
            unit=unit,
            owner_kind="allocation",
            owner_id=str(allocation_id),
            purpose=purpose,
            limited=limited,
            covers=covers,
            actor=actor.id,
        )
    return ids[0], ids[1], ids[2]


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


@transaction.atomic
def _expire(allocation_id: UUID, actor: Actor) -> bool:
    row = Allocation.objects.select_related("resource").get(pk=allocation_id)
    if row.state not in ("ACTIVE", "SUSPENDED"):
        return False
    audit.advance(row, "expire", actor=actor.id)
    _take_back(row, Reason.EXPIRY, actor.id)
    return True


@transaction.atomic
def _sweep(allocation_id: UUID, actor: Actor) -> bool:
    row = Allocation.objects.select_related("resource").get(pk=allocation_id)
    reason = Reason.RECALL if row.state == AllocationState.RECALLED else Reason.EXPIRY
    return _take_back(row, reason, actor.id) > 0


@transaction.atomic
def hold_for(*, lines: Sequence[HoldLine], expires_at: datetime, actor: str, memo: str = "") -> None:
    """Set amounts aside from allocations, all or nothing; the same hold ids again change nothing.

    Raises AllocationNotUsable outside the period or when suspended, recalled or ended, InsufficientBalance,
    AccountInOverrun, NotFound.
    """
    rows = locked(line.allocation_id for line in lines)
    moment = now()
    for row in rows.values():
        if row.state != AllocationState.ACTIVE or not row.starts_at <= moment < row.ends_at:
            raise AllocationNotUsable(field="allocation", detail={"allocation": str(row.pk), "state": row.state})
    requests = [
        ledger.HoldRequest(line.hold_id, rows[line.allocation_id].account_id, line.amount, expires_at, memo)
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
    ids = set(allocation_ids)
    rows = {row.pk: row for row in Allocation.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    if missing := ids - rows.keys():
        raise NotFound(N_("There is no allocation {id}."), field="allocation", id=str(min(missing)))
    return rows
