"""Finding rows by the beginning of a name or an id: a range of an index, so that no search reads a whole table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Label, Text

TEXT_MIN = 2
TEXT_MAX = 80
# The last code point: no name that begins with a text sorts behind the text followed by it.
LAST = "\U0010ffff"
HEX_MIN = 8
HEX = re.compile(rf"[0-9a-f]{{{HEX_MIN},64}}")


@dataclass(frozen=True)
class Sought:
    """What somebody looks for: at least 2 characters, at most 80."""

    text: str

    @property
    def hex(self) -> str:
        """8 to 64 lower-case digits, without hyphens, where the text can begin an id or a digest; else empty."""
        digits = self.text.lower().replace("-", "")
        return digits if HEX.fullmatch(digits) else ""


@dataclass(frozen=True)
class Found:
    """One thing found: its id in the address of its page, its name, and what tells it from others."""

    id: str
    title: str | Label
    note: str | Label = ""


def sought(text: str) -> Sought:
    """The text to look for; BadInput when it is shorter than 2 or longer than 80 characters."""
    text = text.replace("\0", "").strip()
    if len(text) < TEXT_MIN:
        raise BadInput(
            N_("Search for at least {least} characters."),
            field="q",
            remedy=Text(N_("Type the beginning of a name, a number or an id.")),
            least=TEXT_MIN,
        )
    if len(text) > TEXT_MAX:
        raise BadInput(
            N_("Search for at most {most} characters."),
            field="q",
            remedy=Text(N_("Type only the beginning of the name.")),
            most=TEXT_MAX,
        )
    return Sought(text)


class Lowered(Func):
    """A name in lower case, compared code point by code point on both databases: what the indexes hold."""

    function = "LOWER"
    output_field = CharField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, Any]:
        """With the collation named, for that of the database may sort by a language."""
        return self.as_sql(compiler, connection, template='(%(function)s(%(expressions)s) COLLATE "C")', **extra)


def beginning(rows: QuerySet[Any, Any], field: str, text: str) -> QuerySet[Any, Any]:
    """Those whose ``field`` begins with ``text`` in whatever case, in order; an index on ``Lowered`` serves."""
    named = rows.annotate(lowered=Lowered(field))
    begun: QuerySet[Any, Any] = named.filter(
        lowered__gte=Lowered(Value(text)), lowered__lt=Lowered(Value(text + LAST))
    )
    return begun.order_by("lowered", "pk")


def with_id(rows: QuerySet[Any, Any], wanted: Sought) -> QuerySet[Any, Any]:
    """Those whose id is, or begins with, what is sought; nothing when that can be no id."""
    if not wanted.hex or len(wanted.hex) > 32:
        return rows.none()
    first, last = (UUID(wanted.hex.ljust(32, digit)) for digit in "0f")
    return rows.filter(pk__gte=first, pk__lte=last).order_by("pk")


def part_of(choices: Iterable[QuerySet[Any, Any]], start: int, count: int) -> list[Any]:
    """``count`` rows from ``start`` on of several choices one after the other, each row once."""
    found: dict[object, Any] = {}
    for rows in choices:
        for row in rows[: start + count]:
            found.setdefault(row.pk, row)
        if len(found) >= start + count:
            break
    return list(found.values())[start : start + count]
