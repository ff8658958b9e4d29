"""Allocations, their statements and the catalogue over REST."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from pydantic import AwareDatetime

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.text import Label
from bitgoeul.ledger.facade import StatementLine
from bitgoeul.web.facade import WHOLE_MAX, Paged, PageNumber, page_of_items, paged, refusals, render_text

from . import catalogue, prices, queries, services
from .periods import YEARS, period
from .prices import KRW_MAX, SOURCE_MAX
from .types import AllocationView, CatalogueFilter, Category, Origin, Price, ResourceView, Sector
from .use_rest import router as outlook_router

router = Router(tags=["resources"])
router.add_router("", outlook_router)
Day = Annotated[date, Field(ge=date(YEARS[0], 1, 1), le=date(YEARS[1], 12, 31))]
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(YEARS[0], 1, 1, tzinfo=UTC), le=datetime(YEARS[1], 12, 31, tzinfo=UTC))
]


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


class AllocationList(Paged):
    """One page of a project's allocations, oldest first."""

    items: list[AllocationOut]


class AllocationIn(Schema):
    """An allocation to grant; the caller makes ``id``; ``amount`` is in ledger amounts of the resource's unit."""

    id: UUID
    resource_code: str
    amount: Annotated[int, Field(ge=1, le=WHOLE_MAX)]
    starts_at: Moment
    ends_at: Moment
    reason: Annotated[str, Field(min_length=1, max_length=200, description="Shown as where it comes from.")]


class MoveIn(Schema):
    """Why an allocation is suspended, resumed or recalled; its people read it."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class StatementLineOut(Schema):
    """One transfer: its ``change`` to the allocation, the ``balance`` after it, and what used it."""

    posting_id: UUID
    line: int
    reason: str
    label: str
    memo: str
    effective_at: datetime
    recorded_at: datetime
    change: str
    balance: str
    usage: str | None


class StatementOut(Paged):
    """One page of a statement, oldest line first; ``opening`` and ``closing`` are those of the whole period."""

    unit: str
    since: datetime
    until: datetime
    opening: str
    closing: str
    items: list[StatementLineOut]


class ResourceOut(Schema):
    """An entry of the catalogue."""

    code: str
    category: str
    unit: str
    name_ko: str
    name_en: str
    provider_ko: str
    provider_en: str
    location_ko: str
    location_en: str
    is_example: bool


class ResourceList(Paged):
    """One page of the catalogue."""

    items: list[ResourceOut]


class PriceIn(Schema):
    """A price to set; the caller makes ``id``. ``krw`` is for ``amount`` of the unit, in ledger amounts."""

    id: UUID
    unit: Annotated[str, Field(max_length=40)]
    krw: Annotated[int, Field(ge=0, le=KRW_MAX)]
    amount: Annotated[int, Field(ge=1, le=WHOLE_MAX)]
    since: Day
    source: Annotated[str, Field(min_length=1, max_length=SOURCE_MAX)]


class PriceOut(PriceIn):
    """A price; ``is_example`` marks what an example made up."""

    is_example: bool


class PriceList(Paged):
    """One page of the prices."""

    items: list[PriceOut]


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


class EntryList(Paged):
    """One page of the public catalogue."""

    items: list[EntryOut]


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


def _resource(view: ResourceView) -> ResourceOut:
    return ResourceOut(
        code=view.code,
        category=str(view.category),
        unit=view.unit,
        name_ko=view.label.ko,
        name_en=view.label.en,
        provider_ko=view.provider.ko,
        provider_en=view.provider.en,
        location_ko=view.location.ko,
        location_en=view.location.en,
        is_example=view.is_example,
    )


@router.get(
    "/projects/{uuid:project_id}/allocations",
    response={200: AllocationList, **refusals(403, 404)},
    summary="A project's allocations",
)
def list_allocations(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> AllocationList:
    """With what is left, oldest first. The project's people and the operator may."""
    actor = accounts.actor_of(request)
    view = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="resources.view_statement", thing=view.thing)
    found = queries.allocations(project_ids=[project_id])[project_id]
    return paged(AllocationList, page_of_items(found, page), _out)


@router.post(
    "/projects/{uuid:project_id}/allocations",
    response={201: AllocationOut, **refusals(404, 409)},
    summary="Grant an allocation",
)
def grant_allocation(request: HttpRequest, project_id: UUID, body: AllocationIn) -> Status[AllocationOut]:
    """Staff may. The same ``id`` with the same content again changes nothing, with other content it is a 409."""
    actor = accounts.actor_of(request)
    accounts.project(actor=actor, project_id=project_id)
    made = services.grant(
        actor=actor,
        id=body.id,
        project_id=project_id,
        resource_code=body.resource_code,
        amount=body.amount,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        origin=Origin(kind="staff", id=str(body.id), label=body.reason),
    )
    return Status(201, _out(made))


@router.get(
    "/allocations/{uuid:allocation_id}", response={200: AllocationOut, **refusals(404)}, summary="One allocation"
)
def get_allocation(request: HttpRequest, allocation_id: UUID) -> AllocationOut:
    """With what is left. The project's people and the operator may; to anybody else it does not exist."""
    return _out(queries.allocation(actor=accounts.actor_of(request), allocation_id=allocation_id))


@router.get(
    "/allocations/{uuid:allocation_id}/statement",
    response={200: StatementOut, **refusals(404)},
    summary="An allocation's statement",
)
def get_statement(
    request: HttpRequest,
    allocation_id: UUID,
    since: Day | None = None,
    until: Day | None = None,
    page: PageNumber = 1,
) -> StatementOut:
    """Every change over whole days, the last 90 unless said otherwise. Who may see the allocation may."""
    actor = accounts.actor_of(request)
    view = queries.allocation(actor=actor, allocation_id=allocation_id)
    first, end = period(since, until)
    found = queries.statement(
        actor=actor, project_id=view.project_id, allocation_id=view.id, since=first, until=end, page=page
    )
    used = queries.usage_of_postings(line.posting_id for line in found.lines)
    keys = {posting: usage.source_key for posting, usage in used.items()}
    return StatementOut(
        unit=found.unit,
        since=found.since,
        until=found.until,
        opening=str(found.opening),
        closing=str(found.closing),
        items=[_line(line, keys.get(line.posting_id)) for line in found.lines],
        page=found.number,
        last=found.last,
        total=found.total,
    )


def _line(line: StatementLine, usage: str | None) -> StatementLineOut:
    return StatementLineOut(
        posting_id=line.posting_id,
        line=line.line,
        reason=str(line.reason),
        label=render_text(line.reason.label),
        memo=line.memo,
        effective_at=line.effective_at,
        recorded_at=line.recorded_at,
        change=str(line.change),
        balance=str(line.balance),
        usage=usage,
    )


@router.post(
    "/allocations/{uuid:allocation_id}/suspend",
    response={200: AllocationOut, **refusals(404, 409)},
    summary="Suspend an allocation",
)
def suspend_allocation(request: HttpRequest, allocation_id: UUID, body: MoveIn) -> AllocationOut:
    """Staff may: nothing new starts from it, what runs goes on. 409 unless it is active."""
    actor = accounts.actor_of(request)
    services.suspend(actor=actor, allocation_id=allocation_id, reason=body.reason)
    return _out(queries.allocation(actor=actor, allocation_id=allocation_id))


@router.post(
    "/allocations/{uuid:allocation_id}/resume",
    response={200: AllocationOut, **refusals(404, 409)},
    summary="Resume an allocation",
)
def resume_allocation(request: HttpRequest, allocation_id: UUID, body: MoveIn) -> AllocationOut:
    """Staff may: new work starts again. 409 unless it is suspended."""
    actor = accounts.actor_of(request)
    services.resume(actor=actor, allocation_id=allocation_id, reason=body.reason)
    return _out(queries.allocation(actor=actor, allocation_id=allocation_id))


@router.post(
    "/allocations/{uuid:allocation_id}/recall",
    response={200: AllocationOut, **refusals(404, 409)},
    summary="Recall an allocation",
)
def recall_allocation(request: HttpRequest, allocation_id: UUID, body: MoveIn) -> AllocationOut:
    """Staff may: the free rest goes back at once, what is held when its work ends. 409 when it has ended."""
    actor = accounts.actor_of(request)
    services.recall(actor=actor, allocation_id=allocation_id, reason=body.reason)
    return _out(queries.allocation(actor=actor, allocation_id=allocation_id))


@router.get("/resources", response=ResourceList, summary="The catalogue")
def list_resources(request: HttpRequest, page: PageNumber = 1) -> ResourceList:
    """By category and name. Anybody signed in may."""
    accounts.require(actor=accounts.actor_of(request), verb="resources.view_catalogue", thing=accounts.PORTAL)
    return paged(ResourceList, catalogue.entries(CatalogueFilter(), page), _resource)


@router.get("/catalogue", response=EntryList, auth=None, summary="The public catalogue")
def list_catalogue(
    request: HttpRequest,
    category: Category | None = None,
    centre: str = "",
    sector: Sector | None = None,
    q: str = "",
    page: PageNumber = 1,
) -> EntryList:
    """By category and name; the filters are those of the page. Open to everybody."""
    wanted = CatalogueFilter(category, centre.replace("\0", "")[:48], sector, q.replace("\0", ""))
    return paged(EntryList, catalogue.entries(wanted, page), _entry)


@router.get(
    "/catalogue/{slug:code}", response={200: EntryOut, **refusals(404)}, auth=None, summary="One catalogue entry"
)
def get_catalogue_entry(request: HttpRequest, code: str) -> EntryOut:
    """In both languages. Open to everybody."""
    return _entry(catalogue.entry(code))


def _price(view: Price) -> PriceOut:
    return PriceOut(**vars(view))


@router.get("/prices", response=PriceList, summary="What units cost")
def list_prices(request: HttpRequest, page: PageNumber = 1) -> PriceList:
    """Every price there was, is and will be, newest first. Anybody signed in may."""
    accounts.require(actor=accounts.actor_of(request), verb="resources.view_catalogue", thing=accounts.PORTAL)
    return paged(PriceList, prices.prices(page), _price)


@router.post("/prices", response={201: PriceOut, **refusals(403, 409)}, summary="Set a price")
def set_price(request: HttpRequest, body: PriceIn) -> Status[PriceOut]:
    """Staff may, within an elevation; from today on at the earliest. The same again changes nothing."""
    made = prices.set_price(actor=accounts.actor_of(request), price=Price(**body.dict()))
    return Status(201, _price(made))
