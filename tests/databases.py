"""Which database the tests use: SQLite, or the PostgreSQL server that ``TEST_DATABASE_URL`` names.

On PostgreSQL every home has a database of its own, made when the home is first used, or as a copy of another's.
``tools/postgres.py with …`` starts a server for a run; its role may make databases.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from bitgoeul.kernel.ids import new_id

SERVER = os.environ.get("TEST_DATABASE_URL", "")
POSTGRESQL = bool(SERVER)
TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    if POSTGRESQL
    else "SELECT name FROM sqlite_master WHERE type = 'table'"
)
TRIGGERS = (
    "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
    if POSTGRESQL
    else "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
)
_urls: dict[Path, str] = {}


def use(home: Path, url: str) -> None:
    """Give ``home`` a database of another server than the tests' own."""
    _urls[home] = url


def url_of(home: Path) -> str:
    """The URL of the home's database."""
    return _urls[home]


def _administer(statement: str, *names: str) -> None:
    with psycopg.connect(SERVER, autocommit=True, connect_timeout=10) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _name_in(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _new_url() -> str:
    return urlsplit(SERVER)._replace(path=f"/home_{new_id().hex}").geturl()


def settings_of(home: Path) -> dict[str, str]:
    """The environment that leads a process of ``home`` to its database."""
    if not POSTGRESQL:
        return {}
    if home not in _urls:
        _urls[home] = _new_url()
        _administer("CREATE DATABASE {}", _name_in(_urls[home]))
    return {"BITGOEUL_DATABASE_URL": _urls[home]}


def copy(source: Path, target: Path) -> None:
    """Give ``target`` a copy of the database of ``source``, which nothing uses at the moment."""
    if POSTGRESQL:
        _urls[target] = _new_url()
        _administer("CREATE DATABASE {} TEMPLATE {}", _name_in(_urls[target]), _name_in(_urls[source]))
        return
    # SQLite's own backup, so that no open WAL is torn.
    with sqlite3.connect(source / "bitgoeul.sqlite3") as old, sqlite3.connect(target / "bitgoeul.sqlite3") as new:
        old.backup(new)


def drop(home: Path) -> None:
    """Let go of a home's database; on SQLite it goes with the home, and another server takes its own along."""
    url = _urls.pop(home, "")
    if url and urlsplit(url).netloc == urlsplit(SERVER).netloc:
        _administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", _name_in(url))


@contextmanager
def opened(home: Path) -> Iterator[Any]:
    """A connection to the home's database beside Django's, each statement its own transaction."""
    if POSTGRESQL:
        with psycopg.connect(_urls[home], autocommit=True, connect_timeout=10) as connection:
            yield connection
    else:
        with closing(sqlite3.connect(home / "bitgoeul.sqlite3", isolation_level=None)) as connection:
            yield connection
