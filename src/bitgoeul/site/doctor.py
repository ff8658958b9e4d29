"""What an operator would look at first when something is wrong, looked at by a machine."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import DatabaseError, connection

from bitgoeul.audit import facade as audit
from bitgoeul.engines import local
from bitgoeul.kernel.errors import DomainError

from . import faults
from .findings import Finding
from .schema import schema
from .supervisor import beat_age, status_of

FREE_MIB_MIN = 500
BEAT_SECONDS_MAX = 60
PAGE_ASSETS = ("vendor/krds/css/token/krds_tokens.css", "vendor/htmx/htmx.min.js", "vendor/chart/chart.umd.min.js")

REMEDY = "Run bitgoeul migrate; with a server, see that it runs and that BITGOEUL_DATABASE_URL names it rightly."


def examine() -> Iterator[Finding]:
    """Look at everything; a broken database ends the questions that need it."""
    for look in faults.MACHINE:
        yield look()
    yield room_on_disk()
    yield assets()
    yield catalogues()
    yield keys()
    try:
        for look in DATABASE:
            yield look()
    except DatabaseError as error:
        yield Finding("database", False, f"The database does not answer: {error}", REMEDY)
    yield isolation()
    yield processes()


def room_on_disk() -> Finding:
    """Room where the installation writes."""
    free = shutil.disk_usage(settings.HOME).free // 2**20
    remedy = f"Make room on the disk of {settings.HOME}, or move it with BITGOEUL_HOME."
    return Finding("disk", free >= FREE_MIB_MIN, f"{free} MiB free", remedy)


def assets() -> Finding:
    """The files every page asks for."""
    missing = [name for name in PAGE_ASSETS if finders.find(name) is None]
    return Finding("assets", not missing, ", ".join(missing) or "all there", "./run --setup")


def catalogues() -> Finding:
    """Compiled Korean texts."""
    sources = sorted(Path(settings.SITE).parent.glob("*/locale/*/LC_MESSAGES/*.po"))
    stale = [path.parts[-5] for path in sources if not path.with_suffix(".mo").exists()]
    return Finding("catalogues", not stale, ", ".join(stale) or f"{len(sources)} compiled", "./run --setup")


def keys() -> Finding:
    """Private keys that only their owner may read."""
    folder = Path(settings.KEYS)
    private = [path for path in folder.glob("*") if path.is_file() and path.suffix != ".pub"]
    open_ = [path.name for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077]
    return Finding("keys", not open_, ", ".join(open_) or f"{len(private)} private", f"chmod 600 {folder}/*")


def migrations() -> Finding:
    """The database has the form that this code expects."""
    found = schema()
    text = found.fault or f"current ({found.applied} applied)"
    return Finding("migrations", not found.fault, text, found.remedy)


def triggers() -> Finding:
    """Append-only tables refuse changes in the database itself."""
    missing = audit.missing_triggers()
    remedy = "A migration rebuilt a table without its triggers; restore from backup or reinstall them."
    return Finding("append-only triggers", not missing, ", ".join(missing) or "all there", remedy)


def integrity() -> Finding:
    """The database is sound and kept as it must be, as far as a quick look tells."""
    return _integrity_of_server() if connection.vendor == "postgresql" else _integrity_of_file()


def _integrity_of_file() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check(5)")
        lines = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("PRAGMA recursive_triggers")
        recursive = cursor.fetchone()[0] == 1
    sound = lines == ["ok"] and recursive
    text = "; ".join(lines) + ("" if recursive else "; recursive_triggers is off")
    return Finding("integrity", sound, text, "Stop bitgoeul and restore the last backup.")


def _integrity_of_server() -> Finding:
    """Settings of a server without which something committed could be lost or misread."""
    wanted = {"server_encoding": "UTF8", "fsync": "on", "full_page_writes": "on"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [[*wanted, "server_version"]])
        found = dict(cursor.fetchall())
    wrong = [f"{name} is {found.get(name)}" for name, value in wanted.items() if found.get(name) != value]
    text = "; ".join([f"PostgreSQL {found['server_version']}", *wrong])
    return Finding("integrity", not wrong, text, "See docs/how-to/production-postgresql.md.")


def role() -> Finding:
    """In production the portal's role of a server can neither change tables nor switch their triggers off."""
    if connection.vendor != "postgresql":
        return Finding("database role", True, "a file has no roles; who may write it may change it")
    with connection.cursor() as cursor:
        cursor.execute(ROLE, ["audit_event"])
        name, powerful = cursor.fetchone()
    text = f"{name} may switch append-only triggers off" if powerful else f"{name} only reads and writes rows"
    remedy = "Give the portal a role that owns nothing: docs/how-to/production-postgresql.md."
    return Finding("database role", not (powerful and settings.PRODUCTION), text, remedy)


ROLE = """
SELECT current_user, rolsuper OR pg_has_role(tableowner, 'USAGE')
FROM pg_tables, pg_roles
WHERE tablename = %s AND schemaname = current_schema() AND rolname = current_user
"""


def isolation() -> Finding:
    """How far the local engine keeps jobs apart here, and why not further, tried now with a job of its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="doctor-", dir=settings.HOME) as home:
            found, accepted = local.isolation_of(Path(home), {})
    except (DomainError, OSError) as error:
        return Finding("isolation", False, str(error), "Correct BITGOEUL_LOCAL_ISOLATION or the home.")
    why = "; ".join(f"{name}: {reason}" for name, reason in sorted(found.why_not.items()))
    remedy = "Install bubblewrap and libseccomp2, or set BITGOEUL_LOCAL_ISOLATION_MIN lower."
    return Finding("isolation", accepted, f"{found.tier} ({found.parts})" + (f"; {why}" if why else ""), remedy)


DATABASE: tuple[Callable[[], Finding], ...] = (migrations, triggers, integrity, role, *faults.RECORD)


def processes() -> Finding:
    """The process tree, if it runs: every child alive, every loop moving."""
    home = Path(settings.HOME)
    status = status_of(home)
    if not status["running"]:
        return Finding("processes", True, "not running")
    dead = [name for name, alive in status["children"].items() if not alive]
    slow = [name for name in ("worker", "follower") if (beat_age(home, name) or 0) > BEAT_SECONDS_MAX]
    wrong = [f"{name} is not alive" for name in dead] + [f"{name} is silent" for name in slow]
    return Finding("processes", not wrong, "; ".join(wrong) or f"all alive at {status['url']}", "bitgoeul restart")
