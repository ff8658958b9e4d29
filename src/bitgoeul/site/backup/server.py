"""PostgreSQL from outside: its own tools, found, checked and run with the password out of sight."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from bitgoeul.site.database import parse_url

SECONDS_MAX = 4 * 3600
PARAMETERS = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
}  # fmt: skip
WIPE = """
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
    EXECUTE format('DROP TABLE IF EXISTS %I CASCADE', one.tablename);
  END LOOP;
  DROP FUNCTION IF EXISTS append_only_refuse() CASCADE;
END $$
"""


class ServerTrouble(Exception):
    """The server or its tools cannot be used; the text says what to do."""


def environment(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The connection as the tools read it: never on a command line, where everybody sees it."""
    known = {PARAMETERS[name]: str(value) for name, value in parameters.items() if name in PARAMETERS and value}
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | known


def tool(name: str, server_major: int) -> str:
    """The path of a client tool that is not older than the server; ServerTrouble says which to install."""
    places = [f"/usr/lib/postgresql/{server_major}/bin", *os.environ.get("PATH", "").split(os.pathsep)]
    seen = []
    for place in places:
        path = shutil.which(name, path=place)
        if path is None:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
        major = int((re.search(r"(\d+)", said) or ["0"])[0])
        if major >= server_major:
            return path
        seen.append(f"{path} is {major}")
    has = f" ({', '.join(seen)})" if seen else ""
    raise ServerTrouble(
        f"The server is PostgreSQL {server_major}; {name} of that version or a newer one is not here{has}.\n"
        f"Install it: apt install postgresql-client-{server_major}"
    )


def run(arguments: list[str], parameters: Mapping[str, Any]) -> None:
    """Run a client tool; ServerTrouble with its last lines when it fails."""
    done = subprocess.run(
        arguments, env=environment(parameters), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ServerTrouble(f"{Path(arguments[0]).name} failed:\n{last}")


def parameters_of(url: str) -> dict[str, Any]:
    """The connection that the settings ask for, TLS included."""
    found = parse_url(url)
    named = {"host": found.host, "port": found.port, "user": found.user, "password": found.password}
    return {**named, "dbname": found.name, **found.tls}


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection of our own; ServerTrouble when the server does not answer."""
    try:
        return psycopg.connect(**parameters_of(url), connect_timeout=20, autocommit=True)
    except psycopg.OperationalError as error:
        raise ServerTrouble(f"The database server does not answer: {error}\nSee BITGOEUL_DATABASE_URL.") from error


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether the schema holds no table."""
    row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").fetchone()
    return row is not None and row[0] == 0


def major_of(connection: psycopg.Connection[Any]) -> int:
    """The server's main version."""
    return connection.info.server_version // 10000


def load(url: str, dump: Path) -> None:
    """Load a dump into the empty database, all of it or nothing."""
    with connect(url) as connection:
        program = tool("pg_restore", major_of(connection))
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    parameters = parameters_of(url)
    run([program, *options, "--dbname", str(parameters["dbname"]), str(dump)], parameters)


def wipe(url: str) -> None:
    """Empty a database that was empty before a restore filled it."""
    with connect(url) as connection:
        connection.execute(WIPE)
