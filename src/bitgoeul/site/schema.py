"""Whether the database has the form that this code expects: neither older nor newer."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from .supervisor import CANNOT_SERVE

NAMED_MAX = 3


@dataclass(frozen=True)
class Schema:
    """Migrations that the code has and the database lacks, and the other way round, as ``room.name``."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    applied: int

    @property
    def fault(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        if self.unknown:
            return f"The database is newer than this code: it has {_some(self.unknown)}."
        if self.missing:
            return f"The database is older than this code: it lacks {_some(self.missing)}."
        return ""

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.unknown:
            return "Run the newer code again, or restore the backup that was made before the upgrade."
        return "Run: bitgoeul upgrade --backup FILE"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


@cache
def _on_disk() -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """The code's migrations with what each replaces; read once, for that takes longer than asking the database."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return {key: frozenset(migration.replaces) for key, migration in loader.disk_migrations.items()}


def schema() -> Schema:
    """Compare code and database; one query. Raises DatabaseError when the database does not answer."""
    disk = _on_disk()
    applied = set(MigrationRecorder(connection).applied_migrations())
    # A squashed migration counts as applied once all that it replaces are.
    squashed = {key for key, replaced in disk.items() if replaced and replaced <= applied}
    replaced = {key for key, replaces in disk.items() for key in replaces}
    ours = {label for label, _name in disk}
    missing = sorted(set(disk) - applied - squashed - replaced)
    unknown = sorted(key for key in applied - set(disk) - replaced if key[0] in ours)
    return Schema(tuple(map(".".join, missing)), tuple(map(".".join, unknown)), len(applied))


def require_current(process: str) -> None:
    """End this process with one clear line when code and database do not fit; called before it does anything.

    A database that does not answer is not refused here: it may be starting, and the loops wait for it.
    """
    try:
        found = schema()
    except DatabaseError:
        return
    finally:
        connection.close()
    if found.fault:
        print(f"{process} does not start. {found.fault} {found.remedy}", file=sys.stderr, flush=True)
        raise SystemExit(CANNOT_SERVE)
