"""The roles that docs/how-to/production-postgresql.md makes: what the portal's own can do, and what it cannot."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import databases
from bitgoeul.audit.facade import append_only_tables
from installation import Installation, command
from journeys.jobs import project_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not databases.POSTGRESQL, reason="SQLite has no roles; runs on PostgreSQL"),
]
HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "production-postgresql.md"
OWNER, PORTAL = ("bitgoeul_owner", "first password"), ("bitgoeul_portal", "second password")


def statements(name: str) -> list[list[str]]:
    """The statements of the how-to, block by block, with a database and roles of this test's own."""
    blocks = re.findall(r"```sql\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    return [
        [
            re.sub(r"\bDATABASE bitgoeul\b", f"DATABASE {name}", one.strip())
            for one in block.split(";")
            if one.strip()
        ]
        for block in blocks
    ]


def url_as(role: tuple[str, str], name: str) -> str:
    parts = urlsplit(databases.SERVER)
    user, password = role[0], role[1].replace(" ", "%20")
    return parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}", path=f"/{name}").geturl()


@pytest.fixture(scope="module")
def name():
    """A database made word for word as the how-to says; gone afterwards, with its roles."""
    name = "how_to_production"
    at_server, in_database = statements(name)
    try:
        with psycopg.connect(databases.SERVER, autocommit=True) as server:
            for statement in at_server:
                server.execute(statement)
        own = urlsplit(databases.SERVER)._replace(path=f"/{name}").geturl()
        with psycopg.connect(own, autocommit=True) as database:
            for statement in in_database:
                database.execute(statement)
        yield name
    finally:
        with psycopg.connect(databases.SERVER, autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            server.execute(f"DROP ROLE IF EXISTS {OWNER[0]}, {PORTAL[0]}")


@pytest.fixture(scope="module")
def home(name, tmp_path_factory):
    """A home whose database the owner has migrated; everything else is done by the portal's role."""
    home = tmp_path_factory.mktemp("roles") / "home"
    databases.use(home, url_as(OWNER, name))
    done = command(home, "migrate", timeout=300)
    assert done.returncode == 0, done.stderr
    databases.use(home, url_as(PORTAL, name))
    done = command(home, "example", "load", timeout=300)
    assert done.returncode == 0, done.stderr
    return home


def test_the_portal_runs_on_the_role_that_owns_nothing(home):
    assert project_of(Installation(home))
    for book in ("ledger", "audit"):
        assert command(home, book, "verify").returncode == 0
    assert command(home, "migrate", "--check").returncode == 0
    done = command(home, "doctor", environ={"BITGOEUL_MODE": "production"})
    assert "database role: bitgoeul_portal only reads and writes rows" in done.stdout


def test_doctor_calls_the_owner_wrong_in_production(home, name):
    done = command(
        home, "doctor", environ={"BITGOEUL_MODE": "production", "BITGOEUL_DATABASE_URL": url_as(OWNER, name)}
    )
    assert "WRONG  database role: bitgoeul_owner may switch append-only triggers off" in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER {table}_no_change ON {table}",
        "ALTER TABLE {table} DISABLE TRIGGER {table}_no_change",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "TRUNCATE {table} CASCADE",
        "DROP TABLE {table} CASCADE",
        "ALTER TABLE {table} ADD COLUMN more integer",
        "CREATE RULE slip AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "CREATE OR REPLACE FUNCTION append_only_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "SET session_replication_role = 'replica'",
        "SET ROLE bitgoeul_owner",
    ],
)
def test_the_portals_role_cannot_get_past_the_triggers(home, name, statement):
    with psycopg.connect(url_as(PORTAL, name), autocommit=True) as portal:
        for table in append_only_tables() if "{table}" in statement else [""]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                portal.execute(statement.format(table=table))


def test_the_portals_role_is_refused_by_the_triggers_like_anybody(home, name):
    with psycopg.connect(url_as(PORTAL, name), autocommit=True) as portal:
        for statement in ("UPDATE audit_event SET verb = 'other'", "DELETE FROM audit_event"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                portal.execute(statement)


def test_the_owner_can_and_the_verification_names_it(home, name):
    with psycopg.connect(url_as(OWNER, name), autocommit=True) as owner:
        owner.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_no_change")
        done = command(home, "audit", "verify")
        owner.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_event_no_change")
    assert done.returncode == 1
    assert "audit_event_no_change" in done.stdout
