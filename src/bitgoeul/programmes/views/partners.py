"""The partner organisations, for the operator's people."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Column, xlsx
from bitgoeul.web.facade import attachment, no_store, page_number

from .. import partnerships


@login_required
@require_GET
def partners(request: HttpRequest) -> HttpResponse:
    """GET /partners/?resident=&order=&page="""
    resident, order = "resident" in request.GET, request.GET.get("order", "")
    found = partnerships.partnerships(
        actor=accounts.actor_of(request), resident=resident, order=order, number=page_number(request)
    )
    context = {
        "page": found,
        "counts": partnerships.partnership_counts(),
        "resident": resident,
        "order": order,
        "orders": [(key, label) for key, (label, _keys) in partnerships.ORDERS.items()],
        "query": request.GET.urlencode(),
    }
    return no_store(render(request, "programmes/partners.html", context))


@login_required
@require_GET
def partners_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /partners.xlsx with the filters of the list."""
    columns = [
        Column(gettext("Organisation"), 36),
        Column(gettext("Memorandum signed"), 18),
        Column(gettext("Office opened"), 18),
    ]
    found = partnerships.partnerships_to_export(
        actor=accounts.actor_of(request), resident="resident" in request.GET, order=request.GET.get("order", "")
    )
    rows = ([one.name, str(one.signed_on), str(one.opened_on) if one.opened_on else None] for one in found)
    return attachment(xlsx(gettext("Partners"), columns, rows), "partners.xlsx")
