"""What the cluster offers: a list to search, and one entry with how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from bitgoeul.compute import facade as compute
from bitgoeul.compute.types import petaflops
from bitgoeul.documents import Cell, Column, xlsx
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import N_, Text
from bitgoeul.ledger.facade import UNITS
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.resources.types import CATEGORY_LABELS, SECTOR_LABELS
from bitgoeul.web.facade import attachment, page_number, render_text

from .. import formats

TEXT_MAX = 80
COUNTED: dict[str, Text] = {
    "core_ms": Text(N_("Cores allotted × time taken, in thousandths of a core-second.")),
    "mib_hour": Text(N_("Size × time, in whole MiB-hours.")),
    "bench_minute": Text(N_("By the minute of use.")),
    "site_day": Text(N_("By the day.")),
    "desk_day": Text(N_("By the desk and day.")),
    "advice_minute": Text(N_("By the minute of advice.")),
    "seat": Text(N_("By the seat in a course.")),
    "krw": Text(N_("In won.")),
}
DEVICE_TIME = Text(N_("Devices allotted × time taken, in thousandths of a device-second."))
E = TypeVar("E", bound=resources.Category | resources.Sector)


def _one_of(kinds: type[E], text: str) -> E | None:
    return kinds(text) if text in kinds.__members__.values() else None


def wanted_of(request: HttpRequest) -> resources.CatalogueFilter:
    """The filter that the address asks for; what is no such value counts as not asked for."""
    given = {name: request.GET.get(name, "").replace("\0", "") for name in ("centre", "q", "order")}
    return resources.CatalogueFilter(
        category=_one_of(resources.Category, request.GET.get("category", "")),
        centre=given["centre"][:48],
        sector=_one_of(resources.Sector, request.GET.get("sector", "")),
        text=given["q"].strip()[:TEXT_MAX],
        order=given["order"] if given["order"] in resources.ORDERS else "",
    )


def _query(wanted: resources.CatalogueFilter) -> str:
    parts = {
        "category": wanted.category, "centre": wanted.centre, "sector": wanted.sector, "q": wanted.text,
        "order": wanted.order,
    }  # fmt: skip
    return urlencode({name: str(value) for name, value in parts.items() if value})


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """GET /catalogue/?category=&centre=&sector=&q=&order=&page="""
    wanted = wanted_of(request)
    context = {
        "page": resources.entries(wanted, page_number(request)),
        "wanted": wanted,
        "query": _query(wanted),
        "categories": list(CATEGORY_LABELS.items()),
        "sectors": list(SECTOR_LABELS.items()),
        "centres": resources.centres(),
        "orders": [(key, label) for key, (label, _names) in resources.ORDERS.items()],
    }
    return render(request, "site/pages/catalogue.html", context)


@require_safe
def catalogue_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /catalogue.xlsx with the filters of the list."""
    headings = [
        (_("Name"), 44), (_("Category"), 18), (_("Run by"), 32), (_("Place"), 28), (_("Field"), 14),
        (_("Way of use"), 24), (_("In service by"), 12), (_("Smallest booking (minutes)"), 16),
        (_("How many"), 10), (_("Counted in"), 22), (_("Planned"), 10), (_("Invented for the example"), 14),
        (_("Code"), 28),
    ]  # fmt: skip
    rows = (_row(request, one) for one in resources.entries_to_export(wanted_of(request)))
    columns = [Column(heading, width) for heading, width in headings]
    return attachment(xlsx(_("Catalogue"), columns, rows), "catalogue.xlsx")


def _row(request: HttpRequest, one: resources.ResourceView) -> list[Cell]:
    language = getattr(request, "LANGUAGE_CODE", None)
    more = one.details
    return [
        one.label.in_language(language),
        render_text(one.category_label),
        one.provider.in_language(language),
        one.location.in_language(language),
        render_text(one.sector_label) if one.sector_label else None,
        render_text(one.way_label) if one.way_label else None,
        more.in_service_by,
        more.grid_minutes,
        more.quantity,
        render_text(UNITS[one.unit].label),
        _("yes") if more.is_planned else _("no"),
        _("yes") if more.is_invented else _("no"),
        one.code,
    ]


@require_safe
def catalogue_entry(request: HttpRequest, code: str) -> HttpResponse:
    """GET /catalogue/<code>/"""
    one = resources.entry(code)
    context = {
        "entry": one,
        "counted": COUNTED.get(one.unit, DEVICE_TIME),
        "unit": UNITS[one.unit].label,
        "offers": list(_offers(code)),
        "granted": resources.granted_of(code),
        "price": _price(one.unit),
        "devices": _devices(one),
        "storage": compute.public_storage() if one.category == resources.Category.STORAGE else (),
    }
    return render(request, "site/pages/catalogue_entry.html", context)


def _price(unit: str) -> dict[str, object] | None:
    """What the unit costs today: the won, for how much, since when and by whose word."""
    found = resources.prices_on().get(unit)
    return {"krw": found.krw, "for": formats.human_amount(found.amount, unit), "of": found} if found else None


def _devices(one: resources.ResourceView) -> list[dict[str, object]]:
    """What the fleet has of it, for computing: counts and stated peaks, no names of customers."""
    if one.category != resources.Category.COMPUTE:
        return []
    return [
        {"partition": part, "kind": kind, "peak": petaflops(kind.total_gflops) if kind.total_gflops else ""}
        for part, kind in compute.public_summary(one.unit)
    ]


def _offers(code: str) -> Iterator[dict[str, object]]:
    """The open calls that give some of it: each tier with the most one application gets."""
    for call in programmes.open_calls(now()):
        for tier in call.body.tiers:
            for line in tier.resources:
                if line.resource == code:
                    yield {
                        "title": call.body.title,
                        "tier": tier.title,
                        "url": reverse("programmes:call", args=[call.body.code]),
                        "most": formats.human_amount(line.cap, line.unit),
                        "closes_at": call.body.closes_at,
                    }
