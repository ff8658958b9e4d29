"""Which database an installation uses: SQLite beside its other files, or a PostgreSQL server named by a URL.

Pure text work; the settings ask it for what Django wants to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SHAPE = "postgresql://user:password@host:port/name?sslmode=verify-full"
SCHEMES = ("postgresql", "postgres")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
PARAMETERS = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DEFAULT_PORT = 5432
CONNECT_SECONDS_MAX = 5
CONNECTION_AGE_SECONDS_MAX = 600
# Every wait has an end: one page or one loop must not hold the others for longer than this.
LIMITS_MS = {
    "lock_timeout": 10_000,
    "statement_timeout": 30_000,
    "idle_in_transaction_session_timeout": 60_000,
}
# Migrations and verifications read and rebuild whole tables. They still do not queue for a lock for ever, since
# everybody else would queue behind them.
PATIENT_LIMITS_MS = {"lock_timeout": 60_000, "statement_timeout": 0, "idle_in_transaction_session_timeout": 0}


class BadUrl(ValueError):
    """The URL cannot be used; the text says why and never holds its password."""


@dataclass(frozen=True)
class PostgresUrl:
    """A parsed database URL; ``host`` is a name, an address, or the directory of the server's socket."""

    name: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int
    tls: dict[str, str]


def parse_url(text: str) -> PostgresUrl:
    """Read a database URL; raises BadUrl that names the part and the remedy.

    Without ``sslmode`` a server on another machine must show a certificate that is valid for its name
    (``verify-full``, by the system's authorities), since libpq's own default falls back to plain text unasked.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadUrl(
            f"is no URL: write {SHAPE}, the port as a number, and %XX for / : @ ? # in the password"
        ) from None
    if parts.scheme not in SCHEMES:
        raise BadUrl(f"must begin with postgresql://; write {SHAPE}, or leave it empty for SQLite")
    parameters = _parameters(parts.query)
    host = parameters.pop("host", "") or unquote(parts.hostname or "")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise BadUrl(f"names no database; write {SHAPE}")
    if not parts.username:
        raise BadUrl(f"names no user; write {SHAPE}")
    if parts.fragment:
        raise BadUrl("holds a #; write it as %23 when it belongs to the password")
    if not host:
        raise BadUrl("names no host; write one, or ?host=/run/postgresql for the server's socket")
    return PostgresUrl(
        name=name,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        host=host,
        port=port or DEFAULT_PORT,
        tls=_tls(host, parameters),
    )


def _parameters(query: str) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(found) - set(PARAMETERS)):
        raise BadUrl(f"holds unknown parameters: {', '.join(unknown)}; there are {', '.join(PARAMETERS)}")
    return found


def _tls(host: str, given: dict[str, str]) -> dict[str, str]:
    mode = given.get("sslmode", "")
    if mode and mode not in SSL_MODES:
        raise BadUrl(f"has sslmode={mode}; there are {', '.join(SSL_MODES)}")
    for name in ("sslrootcert", "sslcert", "sslkey"):
        path = given.get(name, "")
        if path and path != "system" and not Path(path).is_file():
            raise BadUrl(f"has {name}={path}, where no file stands; name a readable file")
    if is_local(host):
        return given
    chosen = {"sslmode": "verify-full"} | given
    if chosen["sslmode"] == "verify-full":
        chosen.setdefault("sslrootcert", "system")
    return chosen


def is_local(host: str) -> bool:
    """Whether what is sent to that host stays on this machine."""
    return host in LOOPBACK or host.startswith("/")


def limits(limits_ms: dict[str, int]) -> str:
    """Waiting limits as PostgreSQL's start-up ``options``."""
    return " ".join(f"-c {name}={value}" for name, value in limits_ms.items())


def django_database(url: str, home: Path) -> dict[str, Any]:
    """Django's description of the database; SQLite under ``home`` when ``url`` is empty."""
    return _postgresql(parse_url(url)) if url else _sqlite(home)


def _postgresql(url: PostgresUrl) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.name,
        "USER": url.user,
        "PASSWORD": url.password,
        "HOST": url.host,
        "PORT": url.port,
        "CONN_MAX_AGE": CONNECTION_AGE_SECONDS_MAX,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **url.tls,
            "connect_timeout": CONNECT_SECONDS_MAX,
            "application_name": "bitgoeul",
            "options": limits(LIMITS_MS),
            # A server that vanished without a word (power, network) is noticed within half a minute.
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    }


def _sqlite(home: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": home / "bitgoeul.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # IMMEDIATE: a writer waits at BEGIN instead of failing when it upgrades a read lock.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            # recursive_triggers: without it REPLACE slips past a DELETE trigger.
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
                "PRAGMA recursive_triggers=ON; PRAGMA cache_size=-32000;"
            ),
        },
    }


def be_patient(settings_dict: dict[str, Any]) -> None:
    """Lift the limits of a Django connection's settings for work that reads or rebuilds whole tables.

    Call it before the connection is opened; a process that does so ends with its work.
    """
    if settings_dict["ENGINE"] == "django.db.backends.postgresql":
        settings_dict["OPTIONS"]["options"] = limits(PATIENT_LIMITS_MS)
