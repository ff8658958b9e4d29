"""Lists as workbooks, for offices that work with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Cell, Column, xlsx
from bitgoeul.web.facade import attachment, render_text

from .. import queries
from ..agreements import Side
from ..states import APPLICATION
from ..words import say


def _workbook(name: str, title: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> HttpResponse:
    return attachment(xlsx(title, columns, rows), f"{name}.xlsx")


@login_required
@require_GET
def applications(request: HttpRequest) -> HttpResponse:
    """The applications of the reader's organisations."""
    columns = [
        Column(gettext("Number"), 12),
        Column(gettext("Project"), 40),
        Column(gettext("Organisation"), 28),
        Column(gettext("Call"), 40),
        Column(gettext("Tier"), 16),
        Column(gettext("State"), 14),
        Column(gettext("Submitted"), 20),
        Column(gettext("Allocated"), 20),
    ]
    rows = (
        [
            one.reference,
            one.title,
            one.organisation_name,
            say(one.call.body.title),
            say(one.tier.title),
            render_text(APPLICATION.label(one.state)),
            one.submitted_at,
            one.allocated_at,
        ]
        for one in queries.applications_to_export(actor=accounts.actor_of(request))
    )
    return _workbook("applications", gettext("My applications"), columns, rows)


@login_required
@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """The agreements that the operator has not signed; for staff and auditors."""
    columns = [
        Column(gettext("Project"), 40),
        Column(gettext("Organisation"), 28),
        Column(gettext("Call"), 40),
        Column(gettext("Sign by"), 14),
        Column(gettext("Applicant"), 20),
        Column("SHA-256", 68),
    ]
    rows = (
        [
            application.title,
            application.organisation_name,
            say(application.call.body.title),
            agreement.sign_by.isoformat(),
            signature.signed_at if (signature := agreement.signatures.get(Side.APPLICANT.value)) else None,
            agreement.digest,
        ]
        for agreement, application in queries.waiting_to_export(actor=accounts.actor_of(request))
    )
    return _workbook("agreements", gettext("Agreements to sign"), columns, rows)
