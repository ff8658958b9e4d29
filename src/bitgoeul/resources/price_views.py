"""Pages of prices: what units cost today, what they cost before and will, and for staff a form for the next."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Column, xlsx
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger.facade import UNITS
from bitgoeul.web.facade import add_error, attachment, no_store, page_number, render_text

from . import prices
from .forms import PRICED, PriceForm, per


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def price_page(request: HttpRequest) -> HttpResponse:
    """GET and POST /prices/?unit=&page="""
    actor = accounts.actor_of(request)
    accounts.require(actor=actor, verb="resources.view_catalogue", thing=accounts.PORTAL)
    form = PriceForm(initial={"id": new_id(), "unit": _unit(request)})
    if request.method == "POST":
        # Before anything that was typed is looked at.
        accounts.require(actor=actor, verb="resources.set_price", thing=accounts.PORTAL)
        form = PriceForm(request.POST)
        if form.is_valid() and _set(request, actor, form):
            return redirect("resources:prices")
    now, later = prices.prices_on(), prices.next_prices()
    page = prices.prices(page_number(request), _unit(request))
    context = {
        "form": form,
        "today": localdate(),
        "rows": [(UNITS[code].label, now.get(code), later.get(code)) for code in PRICED],
        "page": page,
        "history": [(one, UNITS[one.unit].label) for one in page.items],
        "units": [(code, UNITS[code].label, per(code)) for code in PRICED],
        "chosen": _unit(request),
        "may_set": accounts.may(actor=actor, verb="resources.set_price", thing=accounts.PORTAL),
    }
    return no_store(render(request, "resources/prices.html", context, status=422 if form.errors else 200))


def _set(request: HttpRequest, actor: accounts.Actor, form: PriceForm) -> bool:
    try:
        prices.set_price(actor=actor, price=form.price())
    except DomainError as error:
        add_error(form, error)
        return False
    messages.success(request, _("The price is set."))
    return True


def _unit(request: HttpRequest) -> str:
    asked = request.GET.get("unit", "")
    return asked if asked in PRICED else ""


@require_safe
@login_required
def price_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /prices.xlsx?unit= — every price there was, is and will be."""
    actor = accounts.actor_of(request)
    accounts.require(actor=actor, verb="resources.view_catalogue", thing=accounts.PORTAL)
    columns = [
        Column(_("Unit"), 24), Column(_("Code of the unit"), 18), Column(_("Won"), 12),
        Column(_("For (ledger amount)"), 20), Column(_("From"), 14),
        Column(_("Who decided it, and where"), 48), Column(_("Example"), 12),
    ]  # fmt: skip
    rows = (
        (render_text(UNITS[one.unit].label), one.unit, one.krw, one.amount, one.since.isoformat(), one.source,
         _("yes") if one.is_example else _("no"))
        for one in prices.prices_to_export(_unit(request))
    )  # fmt: skip
    return attachment(xlsx(_("Prices"), columns, rows), "prices.xlsx")
