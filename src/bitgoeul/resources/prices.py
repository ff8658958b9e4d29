"""What units cost: dated prices that officers set, for showing what work is worth. Nobody is billed by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import localdate

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import BadInput, Conflict
from bitgoeul.kernel.quantity import check_amount
from bitgoeul.kernel.text import N_
from bitgoeul.ledger.facade import UNITS
from bitgoeul.web.facade import Page, page_of

from .models import Price as PriceRow
from .types import Price

KRW_MAX = 1_000_000_000_000
SOURCE_MAX = 200
MONEY = "krw"


def set_price(*, actor: accounts.Actor, price: Price) -> Price:
    """Add a price; the same again changes nothing, other content under its id raises Conflict.

    A price never begins before today, for what was shown then stays; data of an installation may.
    """
    accounts.require(actor=actor, verb="resources.set_price", thing=accounts.PORTAL)
    _check(price, past=actor.is_system)
    values = {name: value for name, value in vars(price).items() if name not in ("id", "unit")}
    try:
        with transaction.atomic():
            row, made = PriceRow.objects.get_or_create(
                pk=price.id, defaults={**values, "unit_id": price.unit, "set_by": actor.id}
            )
            if made:
                audit.record(
                    verb="resources.set_price",
                    subject_kind="unit",
                    subject_id=price.unit,
                    actor=actor.id,
                    after={**values, "since": price.since.isoformat(), "price": price.id},
                )
    except IntegrityError:  # the same id arrived twice at once
        row = PriceRow.objects.get(pk=price.id)
    if _view(row) != price:
        raise Conflict(N_("This price id was used before with other content. Make a new id."), field="id")
    return price


def _check(price: Price, *, past: bool) -> None:
    if price.unit not in UNITS or price.unit == MONEY:
        units = ", ".join(sorted(set(UNITS) - {MONEY}))
        raise BadInput(
            N_("There is no unit “{unit}”. Units: {units}."), field="unit", unit=price.unit, units=units
        )
    if not 0 <= price.krw <= KRW_MAX:
        raise BadInput(N_("A price is a whole number of won from 0 to {most}."), field="krw", most=KRW_MAX)
    check_amount(price.amount)
    if not past and price.since < localdate():
        raise BadInput(N_("A price begins today or later; what was shown before stays."), field="since")
    if not price.source.strip() or len(price.source) > SOURCE_MAX:
        raise BadInput(N_("Say who decided the price and where, in up to {limit} letters."), field="source",
                       limit=SOURCE_MAX)  # fmt: skip


def prices_on(day: date | None = None) -> Mapping[str, Price]:
    """The price of each unit that has one on a day, today unless said; one query, a row a unit."""
    past = PriceRow.objects.filter(since__lte=day or localdate())
    later = Q(since__gt=OuterRef("since")) | Q(since=OuterRef("since"), set_at__gt=OuterRef("set_at"))
    replaced = Exists(past.filter(later, unit=OuterRef("unit")))
    return {row.unit_id: _view(row) for row in past.exclude(replaced).order_by("set_at")}


def next_prices(day: date | None = None) -> Mapping[str, Price]:
    """The price of each unit that begins first after a day, today unless said, where one is set; one query."""
    rows = PriceRow.objects.filter(since__gt=day or localdate()).order_by("-since", "set_at")
    return {row.unit_id: _view(row) for row in rows}


def prices(page: int = 1, unit: str = "") -> Page[Price]:
    """Every price there was, is and will be, newest first; with ``unit`` only those of it."""
    return page_of(_newest_first(unit), page).map(_view)


def prices_to_export(unit: str = "") -> Iterator[Price]:
    """The same, all of them."""
    return map(_view, _newest_first(unit).iterator(chunk_size=500))


def _newest_first(unit: str) -> QuerySet[PriceRow]:
    rows = PriceRow.objects.order_by("-since", "-set_at", "pk")
    return rows.filter(unit=unit) if unit else rows


def _view(row: PriceRow) -> Price:
    return Price(row.pk, row.unit_id, row.krw, row.amount, row.since, row.source, row.is_example)
