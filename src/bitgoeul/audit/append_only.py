"""Append-only tables, held by triggers on SQLite and PostgreSQL.

SQLite drops triggers silently when a later migration rebuilds a table: such a migration must end with
``append_only_operations`` for that table again, and ``missing_triggers`` (used by a test, by ``doctor`` and by
both verifies) compares what is installed with what the models ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.apps import apps
from django.db import connection, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper


class AppendOnlyModel(models.Model):
    """A row that is inserted once; UPDATE and DELETE are refused by the database."""

    append_only: ClassVar[bool] = True

    class Meta:
        abstract = True


SQLITE = {
    "{table}_no_update": "BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "{table}_no_delete": "BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
}
POSTGRESQL = {
    "{table}_no_change": "BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION append_only_refuse()",
    "{table}_no_truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION append_only_refuse()",
}
POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION append_only_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def _triggers(vendor: str, table: str) -> dict[str, str]:
    templates = POSTGRESQL if vendor == "postgresql" else SQLITE
    return {name.format(table=table): body.format(table=table) for name, body in templates.items()}


def _install(table: str) -> Callable[[Any, Any], None]:
    def forward(_apps: Any, editor: Any) -> None:
        vendor = editor.connection.vendor
        if vendor == "postgresql":
            editor.execute(POSTGRESQL_FUNCTION, params=None)  # with parameters its % would be a place for one
        for name, body in _triggers(vendor, table).items():
            suffix = f" ON {table}" if vendor == "postgresql" else ""
            editor.execute(f"DROP TRIGGER IF EXISTS {name}{suffix}")
            editor.execute(f"CREATE TRIGGER {name} {body}")

    return forward


def _remove(table: str) -> Callable[[Any, Any], None]:
    def backward(_apps: Any, editor: Any) -> None:
        vendor = editor.connection.vendor
        for name in _triggers(vendor, table):
            suffix = f" ON {table}" if vendor == "postgresql" else ""
            editor.execute(f"DROP TRIGGER IF EXISTS {name}{suffix}")

    return backward


def append_only_operations(*tables: str) -> list[migrations.RunPython]:
    """Migration operations that make ``tables`` append-only; the last operations of a migration."""
    return [migrations.RunPython(_install(table), _remove(table), elidable=False) for table in tables]


def append_only_tables() -> list[str]:
    """The tables whose models are append-only."""
    return sorted(m._meta.db_table for m in apps.get_models() if getattr(m, "append_only", False))


def _installed(wrapper: BaseDatabaseWrapper) -> set[str]:
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
        if wrapper.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with wrapper.cursor() as cursor:
        cursor.execute(query)
        return {row[0] for row in cursor.fetchall()}


def missing_triggers() -> list[str]:
    """Names of triggers that the models ask for and the database lacks; empty when all is well."""
    installed = _installed(connection)
    wanted = {name for table in append_only_tables() for name in _triggers(connection.vendor, table)}
    missing = sorted(wanted - installed)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA recursive_triggers")
            if not cursor.fetchone()[0]:  # REPLACE would slip past the DELETE trigger
                missing.append("recursive_triggers")
    return missing
