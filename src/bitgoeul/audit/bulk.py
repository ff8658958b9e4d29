"""Many rows by one statement: what the ORM would write the same, without an instance for each row.

A row is a tuple of what the database stores: text, whole numbers and None; an id is its ``hex``. ``stored_time``
and ``stored_json`` give the texts that Django writes too, so that rows of both kinds are read back alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Field, Model

Cell = str | int | bool | None
# Fewer rows than this go into one INSERT: a COPY takes two more round trips.
COPY_FROM = 20


def stored_time(moment: datetime) -> str:
    """A moment as the database's text for it."""
    # In UTC before the cache: two moments of one zone that differ by their fold alone are equal there.
    return _stored_time(moment.astimezone(UTC))


@lru_cache(maxsize=4096)
def _stored_time(moment: datetime) -> str:
    # What connection.ops.adapt_datetimefield_value gives for it, without the several looks at the settings.
    return str(moment if _vendor() == "postgresql" else moment.replace(tzinfo=None))


@lru_cache(maxsize=1)
def _vendor() -> str:
    """The database's kind: a process has one, and asking the connection takes longer than writing a moment."""
    return str(connection.vendor)


def stored_json(value: object) -> str | None:
    """A JSON column's text; None is the database's own NULL."""
    return None if value is None else json.dumps(value)


def insert_rows(model: type[Model], fields: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> None:
    """Insert ``rows`` whose cells are in the order of ``fields`` (the names of the model's fields).

    The database's own checks hold as for any insert; IntegrityError names the one that broke. Every column without
    a default in the database must be among ``fields``.
    """
    if not rows:
        return
    columns = ", ".join(f'"{_column(model, name)}"' for name in fields)
    into = f'"{model._meta.db_table}" ({columns})'
    if connection.vendor == "postgresql" and len(rows) >= COPY_FROM:
        _copy(into, rows)
        return
    insert = f"INSERT INTO {into} VALUES "  # noqa: S608  (names of the model, no values)
    places = f"({', '.join(['%s'] * len(fields))})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cells = [cell for row in rows for cell in row]
            cursor.execute(insert + ", ".join([places] * len(rows)), cells)
        else:
            cursor.executemany(insert + places, rows)


@lru_cache(maxsize=512)
def _column(model: type[Model], name: str) -> str:
    field = model._meta.get_field(name)
    assert isinstance(field, Field)
    return str(field.column)


def _copy(into: str, rows: Iterable[tuple[Cell, ...]]) -> None:
    # Django wraps the errors of execute, not of copy.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.cursor.copy(f"COPY {into} FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def run_among(statement: str, ids: Iterable[UUID]) -> list[tuple[Any, ...]]:
    """Run a statement in which ``{among}`` behind a UUID column means "is one of ``ids``"; returns its rows."""
    parameter: Any
    if connection.vendor == "postgresql":
        condition, parameter = "= ANY(%s::uuid[])", list(ids)
    else:
        # One JSON text in place of a list of parameters, whose length SQLite limits.
        condition, parameter = "IN (SELECT value FROM json_each(%s))", json.dumps([id.hex for id in ids])
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("{among}", condition), [parameter] * statement.count("{among}"))
        return cursor.fetchall() if cursor.description else []


def as_uuid(cell: UUID | str) -> UUID:
    """An id as a cursor gives it: SQLite knows only its text."""
    return cell if isinstance(cell, UUID) else UUID(hex=cell)
