"""What allocations come to, over REST: one for its project, all of them for the operator's people."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import Conflict
from bitgoeul.kernel.text import N_
from bitgoeul.ledger.facade import UNITS
from bitgoeul.web.facade import Paged, PageNumber, asked_of, paged, refusals

from . import outlook, queries
from .forecast import Ahead
from .outlook import Outlook

router = Router(tags=["resources"])


class BurnPoint(Schema):
    """What was used up to the beginning of a day."""

    day: date
    used: str


class OutlookOut(Schema):
    """An active computing allocation and what comes of it; amounts are whole ledger amounts as decimal strings.

    ``recent`` was used in the last 28 full days, on ``used_days`` of them. ``forecast`` is spent, out (it runs out
    on ``runs_out_on``), left or lasts (``left_at_end``), or unknown, where too little was seen. ``points`` are its
    burn-down.
    """

    allocation_id: UUID
    project_id: UUID
    resource_code: str
    unit: str
    starts: date
    ends: date
    today: date
    granted: str
    used: str
    held: str
    left: str
    recent: str
    used_days: int
    last_use: date | None
    idle: bool
    forecast: Ahead
    runs_out_on: date | None
    left_at_end: str | None
    points: list[BurnPoint]


class OutlookList(Paged):
    """One page of them."""

    items: list[OutlookOut]


def outlook_out(one: Outlook) -> OutlookOut:
    """An outlook as an operation answers it."""
    view, said, pace = one.view, one.forecast, one.pace
    return OutlookOut(
        allocation_id=view.id, project_id=view.project_id, resource_code=view.resource_code, unit=view.unit,
        starts=one.starts, ends=one.ends, today=one.today, granted=str(view.granted), used=str(view.used),
        held=str(view.held), left=str(one.left), recent=str(pace.recent), used_days=pace.used_days,
        last_use=pace.last_use, idle=one.idle, forecast=said.ahead, runs_out_on=said.runs_out_on,
        left_at_end=None if said.left_at_end is None else str(said.left_at_end),
        points=[BurnPoint(day=day, used=str(used)) for day, used in one.points],
    )  # fmt: skip


@router.get(
    "/allocations/{uuid:allocation_id}/outlook",
    response={200: OutlookOut, **refusals(404, 409)},
    summary="An allocation's burn-down and forecast",
)
def get_allocation_outlook(request: HttpRequest, allocation_id: UUID) -> OutlookOut:
    """Used up to the end of each week, and what comes of it. Who may see the allocation may; 409 unless active."""
    view = queries.allocation(actor=accounts.actor_of(request), allocation_id=allocation_id)
    found = outlook.outlooks([view]).get(view.id)
    if found is None:
        raise Conflict(N_("Only of an allocation that is active and has begun can anything be said."))
    return outlook_out(found)


@router.get(
    "/use/allocations", response={200: OutlookList, **refusals(400, 403)}, summary="What comes of allocations"
)
def list_outlooks(
    request: HttpRequest, flag: str = "", unit: str = "", order: str = "", page: PageNumber = 1
) -> OutlookList:
    """The active computing allocations, points by month. ``flag`` is out, left or idle, ``order`` out, ends, left
    or idle, ``unit`` a ledger unit. The operator's people may."""
    asked = {
        "flag": asked_of(flag, outlook.FLAGS, "flag"),
        "unit": asked_of(unit, UNITS, "unit"),
        "order": asked_of(order, outlook.ORDERS, "order"),
    }
    return paged(
        OutlookList, outlook.outlook_page(actor=accounts.actor_of(request), page=page, **asked), outlook_out
    )
