"""Opening accounts and declaring units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from bitgoeul.audit import facade as audit
from bitgoeul.audit.facade import insert_rows, stored_time
from bitgoeul.kernel import clock
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.kernel.quantity import Unit as UnitValue
from bitgoeul.kernel.text import N_

from ..models import Account, Unit
from ..rules import UnknownAccount, check_batch
from ..types import NewAccount, Purpose
from .book import atomic_once_more, chunks


@atomic_once_more
def declare_units(units: Iterable[UnitValue]) -> None:
    """Add units that are not there yet; raises Conflict when one is there with another scale."""
    known = dict(Unit.objects.values_list("code", "scale"))
    for unit in units:
        if known.get(unit.code, unit.scale) != unit.scale:
            raise Conflict(
                N_("The unit “{unit}” has another scale, and a scale never changes."), field="unit", unit=unit.code
            )
        if unit.code not in known:
            Unit.objects.create(code=unit.code, scale=unit.scale)


def open_account(
    *,
    id: UUID,
    unit: str,
    owner_kind: str,
    owner_id: str,
    purpose: Purpose,
    limited: bool,
    actor: str,
    covers: UUID | None = None,
) -> UUID:
    """Open one account as ``open_accounts`` does; returns its id."""
    wanted = NewAccount(
        id=id,
        unit=unit,
        owner_kind=owner_kind,
        owner_id=owner_id,
        purpose=purpose,
        limited=limited,
        covers=covers,
    )
    (opened,) = open_accounts(accounts=[wanted], actor=actor)
    return opened


COLUMNS = (
    *("id", "unit", "owner_kind", "owner_id", "purpose", "limited", "covers", "opened_at"),
    *("credits", "debits", "held", "overrun"),
)


@atomic_once_more
def open_accounts(*, accounts: Sequence[NewAccount], actor: str) -> list[UUID]:
    """Open accounts with nothing in them, all or nothing, and return their ids in their order.

    The same id again gives the same account, other content Conflict. ``covers`` names the account whose overrun
    one carries (purpose OVERRUN, same unit, one each); it may be opened by the same call. At most BATCH_LIMIT at
    once. Raises BadInput and UnknownAccount.
    """
    check_batch(accounts)
    asked = {account.id: account for account in accounts}
    if len(asked) != len(accounts):
        raise BadInput(N_("The same id stands twice in one call."), field="id")
    _check(accounts)
    known = _there(asked)
    for pk, account in known.items():
        if asked[pk] != account:
            raise Conflict(field="id", detail={"account": str(pk)})
    fresh = [account for account in accounts if account.id not in known]
    at = stored_time(clock.now())
    # Covered accounts first, for a row may name one of the same call.
    rows = [_row(account, at) for account in sorted(fresh, key=lambda account: account.covers is not None)]
    insert_rows(Account, COLUMNS, rows)
    audit.record_many([_event(account, actor) for account in fresh])
    return [account.id for account in accounts]


def _row(account: NewAccount, at: str) -> tuple[str | int | None, ...]:
    covers = account.covers.hex if account.covers else None
    owner = (account.owner_kind, account.owner_id)
    return (
        account.id.hex,
        account.unit,
        *owner,
        account.purpose.value,
        account.limited,
        covers,
        at,
        0,
        0,
        0,
        0,
    )


def _event(account: NewAccount, actor: str) -> audit.EventDraft:
    said = {
        "unit_id": account.unit,
        "owner_kind": account.owner_kind,
        "owner_id": account.owner_id,
        "purpose": str(account.purpose),
        "limited": account.limited,
        "covers_id": account.covers,
    }
    return audit.EventDraft("ledger.open_account", "account", str(account.id), actor, after=said)


def _there(ids: Iterable[UUID]) -> dict[UUID, NewAccount]:
    """The accounts of those ids that are open, one query a chunk."""
    found: dict[UUID, NewAccount] = {}
    for chunk in chunks(list(ids)):
        rows = Account.objects.filter(pk__in=chunk).values_list(
            "pk", "unit_id", "owner_kind", "owner_id", "purpose", "limited", "covers_id"
        )
        for pk, unit, kind, owner, purpose, limited, covers in rows:
            found[pk] = NewAccount(pk, unit, kind, owner, Purpose(purpose), limited, covers)
    return found


def _check(accounts: Sequence[NewAccount]) -> None:
    declared = set(Unit.objects.values_list("pk", flat=True))
    for account in accounts:
        if account.unit not in declared:
            raise BadInput(N_("There is no unit “{unit}”."), field="unit", unit=account.unit)
        if (account.covers is None) != (account.purpose is not Purpose.OVERRUN):
            raise BadInput(N_("An overrun account names the account that it covers."), field="covers")
    units = {account.id: account.unit for account in accounts}
    outside = {account.covers for account in accounts if account.covers and account.covers not in units}
    units |= {pk: account.unit for pk, account in _there(outside).items()}
    for account in accounts:
        if account.covers is None:
            continue
        if account.covers not in units:
            raise UnknownAccount(field="covers")
        if units[account.covers] != account.unit:
            raise BadInput(
                N_("An overrun account counts in the unit of the account that it covers."), field="unit"
            )
