"""What waits for a decision of the operator, and what a decision would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor, Thing
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import DomainError
from bitgoeul.web.facade import Page, page_of

from . import queries, workdays
from .models import Application
from .services.deciding import check, objection, tier_of
from .states import ApplicationState
from .types import ApplicationView, Reason

DECIDE_WITHIN_WORKING_DAYS = 10


@dataclass(frozen=True)
class ToDecide:
    """An application that waits for a person: until when, what the rules say, and why one of the two is closed."""

    view: ApplicationView
    due: date
    reasons: tuple[Reason, ...]
    cannot_select: DomainError | None
    cannot_refuse: DomainError | None


def to_decide(*, actor: Actor, number: int = 1, ids: list[UUID] | None = None) -> Page[ToDecide]:
    """One page of the submitted applications, the oldest due first; ``ids`` keeps it to these.

    For staff and auditors. The names of applicants stand in them, so an access record is left.
    """
    accounts.require(actor=actor, verb="programmes.view_waiting", thing=Thing("installation", "decisions"))
    rows = Application.objects.filter(state=ApplicationState.SUBMITTED).select_related("call")
    if ids is not None:
        rows = rows.filter(id__in=ids)
    page = page_of(rows.order_by("submitted_at", "id"), number)
    audit.record_access(
        actor=actor.id, people={row.applicant for row in page.items}, what="applications to decide"
    )
    views = {view.id: view for view in queries.views_of(page.items)}
    return page.map(lambda row: _to_decide(actor, row, views[row.id]))


def _to_decide(actor: Actor, row: Application, view: ApplicationView) -> ToDecide:
    body, tier = tier_of(row)
    reasons = check(row, body, tier)
    submitted = workdays.seoul_day(row.submitted_at or row.created_at)
    return ToDecide(
        view=view,
        due=workdays.add_working_days(submitted, DECIDE_WITHIN_WORKING_DAYS),
        reasons=reasons,
        cannot_select=objection(actor, row, tier, reasons, True),
        cannot_refuse=objection(actor, row, tier, reasons, False),
    )
