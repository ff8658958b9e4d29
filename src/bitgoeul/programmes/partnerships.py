"""Memoranda with organisations, and who has opened an office: recorded in bulk, counted, listed in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of

from .models import Partnership

AT_ONCE_MAX = 3_000
EXPORT_MAX = 20_000
CHUNK = 500
PARTNERS = Thing("installation", "partnerships")
ORDERS: Mapping[str, tuple[Text, tuple[str, ...]]] = {
    "newest": (Text(N_("Newest memorandum first")), ("-signed_on", "organisation_id")),
    "opened": (Text(N_("Newest office first")), ("-opened_on", "organisation_id")),
    "name": (Text(N_("Name")), ("organisation__name", "organisation_id")),
}


@dataclass(frozen=True)
class PartnershipLine:
    """A memorandum signed, and the day an office was opened, if one was."""

    organisation_id: UUID
    signed_on: date
    opened_on: date | None = None


@dataclass(frozen=True)
class PartnershipView:
    """A partnership in a list."""

    organisation_id: UUID
    name: str
    signed_on: date
    opened_on: date | None
    is_example: bool


@dataclass(frozen=True)
class PartnershipCounts:
    """How many memoranda are signed and how many partners have opened an office. Not the firms served."""

    signed: int
    opened: int


@transaction.atomic
def record_partnerships(*, actor: Actor, lines: Sequence[PartnershipLine], is_example: bool = False) -> int:
    """Record memoranda, all or nothing; an organisation that has one keeps it. Returns how many are new."""
    accounts.require(actor=actor, verb="programmes.record_partnerships", thing=PARTNERS)
    if len(lines) > AT_ONCE_MAX:
        raise BadInput(N_("At most {limit} entries at once."), field="lines", limit=AT_ONCE_MAX)
    for line in lines:
        if line.opened_on is not None and line.opened_on < line.signed_on:
            raise BadInput(N_("An office is opened after the memorandum is signed."), field="opened_on")
    ids = [line.organisation_id for line in lines]
    known = set(Partnership.objects.filter(pk__in=ids).values_list("pk", flat=True))
    fresh = [line for line in lines if line.organisation_id not in known]
    Partnership.objects.bulk_create(
        [
            Partnership(
                organisation_id=line.organisation_id,
                signed_on=line.signed_on,
                opened_on=line.opened_on,
                is_example=is_example,
            )
            for line in fresh
        ],
        batch_size=CHUNK,
    )
    audit.record_many([_event(line, actor) for line in fresh])
    return len(fresh)


def _event(line: PartnershipLine, actor: Actor) -> audit.EventDraft:
    opened = line.opened_on.isoformat() if line.opened_on else None
    return audit.EventDraft(
        verb="programmes.record_partnership",
        subject_kind="organisation",
        subject_id=str(line.organisation_id),
        actor=actor.id,
        after={"signed_on": line.signed_on.isoformat(), "opened_on": opened},
    )


def partnership_counts() -> PartnershipCounts:
    """The counts, in one query."""
    found = Partnership.objects.aggregate(
        signed=Count("pk"), opened=Count("pk", filter=Q(opened_on__isnull=False))
    )
    return PartnershipCounts(**found)


def _chosen(actor: Actor, resident: bool, order: str) -> QuerySet[Partnership]:
    accounts.require(actor=actor, verb="programmes.view_partnerships", thing=PARTNERS)
    rows = Partnership.objects.select_related("organisation")
    rows = rows.filter(opened_on__isnull=False) if resident or order == "opened" else rows
    return rows.order_by(*ORDERS.get(order, ORDERS["newest"])[1])


def _view(row: Partnership) -> PartnershipView:
    return PartnershipView(row.pk, row.organisation.name, row.signed_on, row.opened_on, row.is_example)


def partnerships(
    *, actor: Actor, resident: bool = False, order: str = "", number: int = 1
) -> Page[PartnershipView]:
    """One page of the partners, in two queries; with ``resident`` those that have opened an office."""
    return page_of(_chosen(actor, resident, order), number).map(_view)


def partnerships_to_export(*, actor: Actor, resident: bool = False, order: str = "") -> Iterator[PartnershipView]:
    """The partners, streamed, at most EXPORT_MAX."""
    return (_view(row) for row in _chosen(actor, resident, order)[:EXPORT_MAX].iterator(chunk_size=1_000))
