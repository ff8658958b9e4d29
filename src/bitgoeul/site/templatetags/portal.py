"""Filters and tags that every template has without loading them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.forms import (
    BoundField,
    CheckboxInput,
    CheckboxSelectMultiple,
    FileInput,
    RadioSelect,
    Select,
    Textarea,
)
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from bitgoeul.kernel.machine import Machine
from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import render_text

from .. import badges, charts, formats, menu

register = template.Library()
# The thinnest part of a balance bar that can be seen, in thousandths.
BAR_MIN = 6

register.filter("kst", formats.kst)
register.filter("kst_date", formats.kst_date)
register.filter("krw", formats.krw)
register.filter("duration", formats.duration)
register.filter("working_days", formats.working_days)


@register.filter
def text(value: Text | str | None) -> str:
    """A kernel Text, or data with both languages, as the reader's language has it; plain strings pass."""
    if value is None:
        return ""
    in_language = getattr(value, "in_language", None)
    return str(in_language(get_language())) if in_language else str(render_text(value))


@register.filter
def units(amount: int | None, unit: str) -> str:
    """A ledger amount with its unit, sized for people: ``{{ 12345|units:"core_ms" }}`` → ``12.3 코어·초``."""
    return "–" if amount is None else formats.human_amount(amount, unit)


@register.filter
def number(value: int | float | str | None) -> str:
    """A number with thousands separated; an en dash for no value, also for one that a record does not have."""
    return "–" if value is None or value == "" else f"{value:,}"


@register.filter
def digest_short(value: str) -> str:
    """The head of a digest."""
    return formats.digest_short(value)


@register.filter
def percent_of(part: int, whole: int) -> int:
    """``part`` of ``whole`` in whole percent between 0 and 100; 0 of nothing is 0."""
    return max(0, min(100, round(100 * part / whole))) if whole else 0


@register.filter
def iso(value: datetime | None) -> str:
    """The value of a ``datetime`` attribute."""
    return value.isoformat(timespec="seconds") if value else ""


@register.simple_tag
def state_badge(machine: Machine[Any], state: str, large: bool = False) -> SafeString:
    """The badge of a state, from the state table: ``{% state_badge machine job.state %}``."""
    return _badge(badges.state_badge(machine, state), large)


@register.simple_tag
def verdict_badge(outcome: str | None, large: bool = False) -> SafeString:
    """The badge of a verdict: ``{% verdict_badge trial.verdict.outcome %}``; also for none yet."""
    return _badge(badges.verdict_badge(outcome), large)


@register.simple_tag
def tone_badge(word: Text | str, tone: str = "neutral", large: bool = False) -> SafeString:
    """A badge of a word in a tone (neutral, progress, good, warning, bad)."""
    shown = word if isinstance(word, Text) else Text("{word}", {"word": str(word)})
    return _badge(badges.tone_badge(shown, tone), large)


def _badge(badge: badges.Badge, large: bool) -> SafeString:
    return _badge_markup(render_text(badge.word), badge.colour, badge.icon, large)


@lru_cache(maxsize=512)
def _badge_markup(word: str, colour: str, icon: str, large: bool) -> SafeString:
    """A badge in the reader's words: a long list has few different ones."""
    context = {"word": word, "colour": colour, "icon": icon, "large": large}
    return render_to_string("site/parts/badge.html", context)


@register.inclusion_tag("site/parts/empty.html")
def empty_state(title: str, hint: str = "", href: str = "", action: str = "") -> dict[str, str]:
    """Nothing here yet, and what to do: a title, a sentence, and the one action with its address."""
    return {"title": title, "hint": hint, "href": href, "action": action}


@register.inclusion_tag("site/parts/trail_link.html")
def trail_link(kind: str, thing_id: object) -> dict[str, object]:
    """The way to the audit trail of a thing: ``{% trail_link "job" job.id %}``."""
    return {"kind": kind, "id": str(thing_id)}


@register.inclusion_tag("site/parts/progress.html")
def progress(done: int, total: int, label: str) -> dict[str, object]:
    """Work under way: ``done`` of ``total`` with a label; an unknown total (0) shows no bar's end."""
    return {"done": done, "total": total, "label": label}


@register.simple_tag
def balance_bar(used: int, held: int, left: int, unit: str) -> SafeString:
    """What was used, what is held and what is left of an allocation, as a bar with its numbers."""
    whole = used + held + max(0, left)
    first, second = (max(BAR_MIN, round(1_000 * amount / whole)) if amount else 0 for amount in (used, held))
    amounts = {"used": units(used, unit), "held": units(held, unit), "left": units(left, unit)}
    return format_html(_balance_markup(get_language()), used_width=first, held_width=second, **amounts)


@lru_cache
def _balance_markup(language: str | None) -> SafeString:
    """The bar in one language, with places for its numbers: a page of projects has dozens."""
    return render_to_string("site/parts/balance.html")


@register.inclusion_tag("site/parts/figure.html")
def figure(value: object, label: str, unit: str = "", href: str = "", as_of: object = None) -> dict[str, object]:
    """A number with its unit, its time and a way down: the value links to the lines under it."""
    return {"value": value, "label": label, "unit": unit, "href": href, "as_of": as_of}


@register.inclusion_tag("site/parts/chart.html")
def chart(data: Mapping[str, Any], chart_id: str, title: str, reading: str = "") -> dict[str, object]:
    """A chart from plain data (``charts.checked``), its one-sentence reading above and its table below."""
    shown = charts.checked(data)
    return {
        "data": shown,
        "rows": charts.rows(shown),
        "chart_id": chart_id,
        "data_id": f"{chart_id}-data",
        "title": title,
        "reading": reading,
    }


@register.inclusion_tag("site/parts/pagination.html", takes_context=True)
def pagination(context: Context, page: object, name: str = "page") -> dict[str, object]:
    """Links to the other pages of a ``web.facade.Page``; nothing for a single page."""
    request = context["request"]
    query = request.GET.copy()
    query.pop(name, None)
    kept = f"{query.urlencode()}&" if query else ""
    return {"page": page, "prefix": f"?{kept}{name}="}


def _look(field: BoundField) -> str:
    widget = field.field.widget
    if isinstance(widget, (RadioSelect, CheckboxSelectMultiple)):
        return "options"
    if isinstance(widget, CheckboxInput):
        return "checkbox"
    if isinstance(widget, Select):
        return "select"
    if isinstance(widget, Textarea):
        return "textarea"
    return "file" if isinstance(widget, FileInput) else "input"


WIDGET_CLASS = {
    "select": "krds-form-select",
    "textarea": "krds-input",
    "file": "file-input",
    "input": "krds-input",
}


@register.inclusion_tag("site/parts/field.html")
def field(bound: BoundField, label: str = "") -> dict[str, object]:
    """One form field in the design system's markup: label, control, hint and errors tied together."""
    look = _look(bound)
    described = [f"{bound.auto_id}-hint"] if bound.help_text else []
    described += [f"{bound.auto_id}-error"] if bound.errors else []
    attrs: dict[str, Any] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attrs["aria-invalid"] = "true"
    if look in WIDGET_CLASS:
        attrs["class"] = f"{WIDGET_CLASS[look]} {bound.field.widget.attrs.get('class', '')}".strip()
    control: SafeString | str = "" if look == "options" else bound.as_widget(attrs=attrs)
    return {
        "bound": bound,
        "look": look,
        "control": control,
        "label": label or bound.label,
        "described": " ".join(described),
    }


@register.simple_tag(takes_context=True)
def main_menu(context: Context, device: str = "pc") -> SafeString:
    """The main menu; entries whose pages are not installed are left out."""
    path = context["request"].path if "request" in context else ""
    actor = context.get("actor")
    signed_in = bool(actor is not None and getattr(actor, "user_id", None))
    roles: frozenset[Any] = getattr(actor, "operator_roles", frozenset())
    shown = menu.entries(path, signed_in=signed_in, roles=roles)
    return _menu_markup(tuple((render_text(one.label), one.url, one.active) for one in shown), device)


@lru_cache(maxsize=512)
def _menu_markup(entries: tuple[tuple[str, str, bool], ...], device: str) -> SafeString:
    """A menu in the reader's words; there are as many as kinds of reader and doors."""
    rows = [{"label": label, "url": url, "active": active} for label, url, active in entries]
    return render_to_string("site/parts/main_menu.html", {"entries": rows, "device": device})
