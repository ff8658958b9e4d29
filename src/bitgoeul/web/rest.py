"""What the REST operations of every room share: the one shape of a refusal, and lists in bounded pages."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Annotated, Any, TypeVar

from ninja import Field, Schema

from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.kernel.text import N_, Text

from .pages import Page
from .texts import render_text

# What every reader of JSON and both databases can hold; beyond it an input is malformed, never a fault here.
WHOLE_MAX = 2**53 - 1

PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="From 1; past the end gives the last page.")]


class RefusalOut(Schema):
    """Every refusal: a stable ``code``, a sentence in the reader's language, and what more there is to say.

    ``detail`` may hold ``field`` (which input), ``remedy`` (what to do) and ``faults`` (fields and messages).
    """

    code: str
    message: str
    detail: dict[str, Any]


class Paged(Schema):
    """One page of a list: its number, the last one, and how many items all pages hold."""

    page: int
    last: int
    total: int


Out = TypeVar("Out", bound=Paged)
Item = TypeVar("Item")


def paged(kind: type[Out], found: Page[Item], make: Callable[[Item], Any]) -> Out:
    """A page as an operation answers it."""
    items = [make(one) for one in found.items]
    return kind(items=items, page=found.number, last=found.last, total=found.total)  # type: ignore[call-arg]


def refusals(*statuses: int) -> dict[int, type[RefusalOut]]:
    """For ``response=``: the statuses with which an operation refuses beyond what its form already tells.

    The root adds 401, 403 of a form key, 400, 413 and 422, which follow from authentication and input.
    """
    return dict.fromkeys(statuses, RefusalOut)


def asked_of(value: str, known: Container[str], field: str) -> str:
    """A choice of a query as it was made; empty: none. Raises BadInput naming the field for one that is none."""
    if value and value not in known:
        raise BadInput(N_("There is no such choice: {value}."), field=field, value=value[:80])
    return value


def refusal_json(error: DomainError) -> dict[str, Any]:
    """A refusal in the one shape, in the reader's language; what a detail holds of texts too."""
    told = error.to_json()
    detail = {name: _said(value) for name, value in error.detail.items()}
    if error.field:
        detail["field"] = error.field
    if error.remedy:
        detail["remedy"] = render_text(error.remedy)
    return {**told, "message": render_text(error.text), "detail": detail}


def _said(value: object) -> object:
    return render_text(value) if isinstance(value, Text) else value
