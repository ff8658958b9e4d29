"""Changing rows as somebody with the database's password and no scruples would."""

from __future__ import annotations

from django.db import connection


def without_triggers(*tables: str) -> None:
    """Take the protection of append-only tables away, inside the test's transaction."""
    with connection.cursor() as cursor:
        for table in tables:
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else ALTER TABLE is refused while checks wait
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change")
            else:
                cursor.execute(f"DROP TRIGGER {table}_no_update")
                cursor.execute(f"DROP TRIGGER {table}_no_delete")
