"""Allocations and the catalogue over REST."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.text import Label

from . import catalogue, queries
from .types import AllocationView, CatalogueFilter, Category, ResourceView, Sector

router = Router(tags=["resources"])


class AllocationOut(Schema):
    """An allocation; amounts are whole ledger amounts of ``unit`` as decimal strings."""

    id: UUID
    project_id: UUID
    resource_code: str
    unit: str
    granted: str
    used: str
    held: str
    available: str
    overrun: str
    state: str
    starts_at: datetime
    ends_at: datetime


class AllocationList(Schema):
    """The allocations of a project."""

    items: list[AllocationOut]


class ResourceOut(Schema):
    """An entry of the catalogue."""

    code: str
    category: str
    unit: str
    name_ko: str
    name_en: str
    is_example: bool


class ResourceList(Schema):
    """One page of the catalogue."""

    items: list[ResourceOut]
    page: int
    last: int
    total: int


class EntryOut(Schema):
    """An entry of the public catalogue, in both languages; ``is_invented`` marks what an example made up."""

    code: str
    category: str
    unit: str
    name: dict[str, str]
    about: dict[str, str]
    centre: str
    provider: dict[str, str]
    place: dict[str, str]
    sector: str | None
    way: str | None
    in_service_by: int | None
    grid_minutes: int | None
    quantity: int
    is_planned: bool
    is_example: bool
    is_invented: bool


class EntryList(Schema):
    """One page of the public catalogue."""

    items: list[EntryOut]
    page: int
    last: int
    total: int


def _both(label: Label) -> dict[str, str]:
    return {"ko": label.ko, "en": label.en}


def _entry(view: ResourceView) -> EntryOut:
    more = view.details
    return EntryOut(
        code=view.code,
        category=str(view.category),
        unit=view.unit,
        name=_both(view.label),
        about=_both(more.about),
        centre=more.centre,
        provider=_both(view.provider),
        place=_both(view.location),
        sector=str(more.sector) if more.sector else None,
        way=str(more.way) if more.way else None,
        in_service_by=more.in_service_by,
        grid_minutes=more.grid_minutes,
        quantity=more.quantity,
        is_planned=more.is_planned,
        is_example=view.is_example,
        is_invented=more.is_invented,
    )


def _out(view: AllocationView) -> AllocationOut:
    return AllocationOut(
        id=view.id,
        project_id=view.project_id,
        resource_code=view.resource_code,
        unit=view.unit,
        granted=str(view.granted),
        used=str(view.used),
        held=str(view.held),
        available=str(view.available),
        overrun=str(view.overrun),
        state=str(view.state),
        starts_at=view.starts_at,
        ends_at=view.ends_at,
    )


@router.get("/projects/{uuid:project_id}/allocations", response=AllocationList)
def allocations(request: HttpRequest, project_id: UUID) -> AllocationList:
    """The allocations of a project with what is left."""
    accounts.project(actor=accounts.actor_of(request), project_id=project_id)
    found = queries.allocations(project_ids=[project_id])[project_id]
    return AllocationList(items=[_out(view) for view in found])


@router.get("/allocations/{uuid:allocation_id}", response=AllocationOut)
def allocation(request: HttpRequest, allocation_id: UUID) -> AllocationOut:
    """One allocation."""
    return _out(queries.allocation(actor=accounts.actor_of(request), allocation_id=allocation_id))


@router.get("/resources", response=ResourceList)
def resources(request: HttpRequest, page: int = 1) -> ResourceList:
    """One page of the catalogue."""
    accounts.require(actor=accounts.actor_of(request), verb="resources.view_catalogue", thing=accounts.PORTAL)
    found = catalogue.entries(CatalogueFilter(), page)
    items = [
        ResourceOut(
            code=view.code,
            category=str(view.category),
            unit=view.unit,
            name_ko=view.label.ko,
            name_en=view.label.en,
            is_example=view.is_example,
        )
        for view in found.items
    ]
    return ResourceList(items=items, page=found.number, last=found.last, total=found.total)


@router.get("/catalogue", response=EntryList, auth=None)
def entries(
    request: HttpRequest,
    category: Category | None = None,
    centre: str = "",
    sector: Sector | None = None,
    q: str = "",
    page: int = 1,
) -> EntryList:
    """One page of the public catalogue, by category and name; the filters are those of the page."""
    wanted = CatalogueFilter(category, centre.replace("\0", "")[:48], sector, q.replace("\0", ""))
    found = catalogue.entries(wanted, page)
    return EntryList(
        items=[_entry(one) for one in found.items], page=found.number, last=found.last, total=found.total
    )


@router.get("/catalogue/{slug:code}", response=EntryOut, auth=None)
def entry(request: HttpRequest, code: str) -> EntryOut:
    """One entry of the public catalogue."""
    return _entry(catalogue.entry(code))
