"""Finding calls and applications."""

from __future__ import annotations

from django.db.models import Q

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.text import Label
from bitgoeul.web.facade import Found, Sought, beginning, part_of, with_id

from .models import Application
from .queries import current_calls


def find_applications(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By id, and by the beginning of the title. Names of applicants are neither searched nor shown."""
    within = accounts.reach(actor=actor, verb="programmes.view_application", kind="application")
    rows = within.in_organisations(Application.objects.only("title", "organisation_id"))
    found = part_of((with_id(rows, wanted), beginning(rows, "title", wanted.text)), start, count)
    names = accounts.organisations(row.organisation_id for row in found)
    return [Found(str(row.pk), row.title, names[row.organisation_id].name) for row in found]


def find_calls(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By any part of the title in either language or of the code; calls are few and public."""
    text = wanted.text
    named = Q(body__title__ko__icontains=text) | Q(body__title__en__icontains=text) | Q(code__icontains=text)
    rows = current_calls().filter(named).order_by("-closes_at", "code").values_list("code", "body__title")
    return [Found(code, Label(title["ko"], title["en"]), code) for code, title in rows[start : start + count]]
