"""The REST interface as a page: every operation of the OpenAPI document, by room."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Piece:
    """A run of words, or of code, in a description."""

    text: str
    code: bool


@dataclass(frozen=True)
class Operation:
    """One call: its method, its address and what it does."""

    method: str
    path: str
    text: str

    @property
    def pieces(self) -> list[Piece]:
        """The text in pieces; what stands between double backticks is code."""
        parts = enumerate(self.text.split("``"))
        return [Piece(part, bool(number % 2)) for number, part in parts if part]


@cache
def operations() -> dict[str, list[Operation]]:
    """The operations by room; the document does not change while the process lives."""
    from bitgoeul.site.rest import api

    found: dict[str, list[Operation]] = {}
    for path, item in api.get_openapi_schema()["paths"].items():
        for method in METHODS:
            if operation := item.get(method):
                text = str(operation.get("description") or operation.get("summary") or "").strip()
                room = operation.get("tags", ["other"])[0]
                found.setdefault(room, []).append(Operation(method.upper(), path, text.split("\n\n")[0]))
    return dict(sorted(found.items()))


@require_safe
def interface(request: HttpRequest) -> HttpResponse:
    """GET /api/"""
    return render(request, "site/pages/interface.html", {"rooms": operations()})
