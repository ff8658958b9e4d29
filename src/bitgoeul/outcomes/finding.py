"""Finding public figures."""

from __future__ import annotations

from django.db.models import Q

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.text import Label
from bitgoeul.web.facade import Found, Sought

from .queries import current_figures


def find_figures(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By any part of the label in either language or of the code; figures are few and public."""
    text = wanted.text
    named = Q(body__label__ko__icontains=text) | Q(body__label__en__icontains=text) | Q(code__icontains=text)
    rows = current_figures().filter(named).values_list("code", "body__label")
    return [Found(code, Label(label["ko"], label["en"])) for code, label in rows[start : start + count]]
