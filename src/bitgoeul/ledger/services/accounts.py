"""Opening accounts and declaring units."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from bitgoeul.audit import facade as audit
from bitgoeul.kernel import clock
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.kernel.quantity import Unit as UnitValue
from bitgoeul.kernel.text import N_

from ..models import Account, Unit
from ..rules import UnknownAccount
from ..types import Purpose
from .book import atomic_once_more


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


@atomic_once_more
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
) -> Account:
    """Open an account with nothing in it; the same id again gives the same account, other content Conflict.

    ``covers`` names the account whose overrun this one carries (purpose OVERRUN, same unit, one each).
    """
    _check(unit=unit, purpose=purpose, covers=covers)
    wanted = {
        "unit_id": unit,
        "owner_kind": owner_kind,
        "owner_id": owner_id,
        "purpose": str(purpose),
        "limited": limited,
        "covers_id": covers,
    }
    if known := Account.objects.filter(pk=id).first():
        if any(getattr(known, name) != value for name, value in wanted.items()):
            raise Conflict(field="id", detail={"account": str(id)})
        return known
    account = Account.objects.create(id=id, opened_at=clock.now(), **wanted)
    audit.record(verb="ledger.open_account", subject_kind="account", subject_id=str(id), actor=actor, after=wanted)
    return account


def _check(*, unit: str, purpose: Purpose, covers: UUID | None) -> None:
    if not Unit.objects.filter(pk=unit).exists():
        raise BadInput(N_("There is no unit “{unit}”."), field="unit", unit=unit)
    if (covers is None) != (purpose is not Purpose.OVERRUN):
        raise BadInput(N_("An overrun account names the account that it covers."), field="covers")
    if covers is None:
        return
    covered = Account.objects.filter(pk=covers).first()
    if covered is None:
        raise UnknownAccount(field="covers")
    if covered.unit_id != unit:
        raise BadInput(N_("An overrun account counts in the unit of the account that it covers."), field="unit")
