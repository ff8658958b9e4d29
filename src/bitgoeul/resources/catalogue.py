"""Reading the catalogue: filtered, sorted, in pages, and one entry with what was granted of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from django.db.models import Q, QuerySet

from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import N_, Label, Text
from bitgoeul.ledger import facade as ledger
from bitgoeul.web.facade import Page, page_of

from .models import Centre, Resource
from .types import CatalogueFilter, Category, CentreView, Details, ResourceView, Sector, Way

TEXT_MAX = 80
EXPORT_MAX = 20_000
CENTRES_MAX = 200
DEFAULT_ORDER = "category"
# Every order ends in the key, so that a page never shows an entry of another one.
ORDERS: Mapping[str, tuple[Text, tuple[str, ...]]] = {
    "category": (Text(N_("Category")), ("category", "name_ko", "code")),
    "name": (Text(N_("Name")), ("name_ko", "code")),
    "centre": (Text(N_("Run by")), ("centre__order", "centre_id", "name_ko", "code")),
    "newest": (Text(N_("Newest first")), ("-in_service_by", "name_ko", "code")),
}


def resource_view(row: Resource) -> ResourceView:
    """The row as other rooms see it."""
    return ResourceView(
        code=row.code,
        category=Category(row.category),
        unit=row.unit_id,
        label=Label(row.name_ko, row.name_en),
        provider=Label(row.provider_ko, row.provider_en),
        location=Label(row.location_ko, row.location_en),
        is_example=row.is_example,
        details=Details(
            centre=row.centre_id or "",
            about=Label(row.about_ko, row.about_en),
            sector=Sector(row.sector) if row.sector else None,
            way=Way(row.way) if row.way else None,
            in_service_by=row.in_service_by,
            grid_minutes=row.grid_minutes,
            quantity=row.quantity,
            is_planned=row.is_planned,
            is_invented=row.is_invented,
        ),
    )


def chosen(wanted: CatalogueFilter) -> QuerySet[Resource]:
    """The entries that fit, in the order asked for."""
    rows = Resource.objects.all()
    if wanted.category:
        rows = rows.filter(category=str(wanted.category))
    if wanted.centre:
        rows = rows.filter(centre_id=wanted.centre)
    if wanted.sector:
        rows = rows.filter(sector=str(wanted.sector))
    if text := wanted.text.strip()[:TEXT_MAX]:
        names = ("name_ko", "name_en", "provider_ko", "provider_en", "location_ko", "location_en", "code")
        found = Q()
        for name in names:
            found |= Q(**{f"{name}__icontains": text})
        rows = rows.filter(found)
    return rows.order_by(*ORDERS.get(wanted.order, ORDERS[DEFAULT_ORDER])[1])


def entries(wanted: CatalogueFilter, page: int = 1) -> Page[ResourceView]:
    """One page of the entries that fit, in two queries; an order that is none is the usual one."""
    return page_of(chosen(wanted), page).map(resource_view)


def entries_to_export(wanted: CatalogueFilter) -> Iterator[ResourceView]:
    """The entries that fit, streamed, at most EXPORT_MAX."""
    return (resource_view(row) for row in chosen(wanted)[:EXPORT_MAX].iterator(chunk_size=500))


def entry(code: str) -> ResourceView:
    """One entry; NotFound when the catalogue has none of that code."""
    row = Resource.objects.filter(pk=code[:48]).first()
    if row is None:
        raise NotFound(
            N_("The catalogue has no entry “{code}”."), code=code[:48], remedy=Text(N_("See the catalogue."))
        )
    return resource_view(row)


def granted_of(code: str) -> int:
    """What was ever granted of a resource less what came back, in ledger amounts: one account, one query."""
    row = Resource.objects.filter(pk=code).only("supply_id").first()
    if row is None:
        raise NotFound()
    supply = ledger.accounts([row.supply_id])[row.supply_id]
    return supply.debits - supply.credits


def centres() -> list[CentreView]:
    """The centres in their order, at most CENTRES_MAX."""
    rows = Centre.objects.order_by("order", "code")[:CENTRES_MAX]
    return [
        CentreView(row.code, Label(row.name_ko, row.name_en), Label(row.place_ko, row.place_en), row.is_planned)
        for row in rows
    ]


def resources(codes: Iterable[str]) -> Mapping[str, ResourceView]:
    """Catalogue entries by code, in one query."""
    return {row.code: resource_view(row) for row in Resource.objects.filter(pk__in=set(codes))}
