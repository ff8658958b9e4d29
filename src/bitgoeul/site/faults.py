"""More of what `doctor` looks at: what piles up, what disagrees, what an operator forgot."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.mail import get_connection
from django.db import connection

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.clock import now
from bitgoeul.ledger import facade as ledger
from bitgoeul.trials import facade as trials

from .findings import Finding
from .logs import hide
from .supervisor import status_of

UNSEALED_MAX = timedelta(minutes=5)
HOLD_LATE_MAX = timedelta(minutes=10)
SKEW_MAX = timedelta(seconds=5)
MAIL_SECONDS_MAX = 5
SHOWN_MAX = 3


def home() -> Finding:
    """The home takes files."""
    try:
        with tempfile.TemporaryFile(dir=settings.HOME) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        remedy = f"chown -R USER {settings.HOME}, with the user that runs bitgoeul; or set BITGOEUL_HOME."
        return Finding("home", False, f"{settings.HOME}: {error.strerror}", remedy)
    return Finding("home", True, f"{settings.HOME} can be written")


def static_files() -> Finding:
    """In production the collected files are there and of this code."""
    if not settings.PRODUCTION:
        return Finding("static files", True, "served from the code")
    here, collected = Path(settings.SITE) / "static" / "site", Path(settings.STATIC_ROOT) / "site"
    sources = [path for path in here.rglob("*") if path.is_file()]
    stale = [path.name for path in sources if not _same(path, collected / path.relative_to(here))]
    text = ", ".join(stale[:SHOWN_MAX]) or f"{len(sources)} collected"
    return Finding("static files", not stale, text, "bitgoeul upgrade, while it is stopped")


def _same(source: Path, copy: Path) -> bool:
    return copy.is_file() and copy.stat().st_size == source.stat().st_size


def outbox() -> Finding:
    """News that could not be delivered after several attempts."""
    stuck = audit.stuck()
    shown = [
        f"{each.topic} ({each.attempts} attempts): {hide(each.last_error)[:200]}" for each in stuck[:SHOWN_MAX]
    ]
    text = "; ".join([f"{len(stuck)} stuck", *shown])
    return Finding(
        "outbox", not stuck, text, "Mend what it says; log/worker.log has the whole. It tries again by itself."
    )


def sealing() -> Finding:
    """Events get their chain position within minutes."""
    found = audit.backlog()
    late = found.unsealed_since is not None and now() - found.unsealed_since > UNSEALED_MAX
    since = f" since {found.unsealed_since:%Y-%m-%d %H:%M} UTC" if late else ""
    return Finding(
        "sealing", not late, f"{found.unsealed} waiting{since}", "bitgoeul up, or bitgoeul audit verify: it seals"
    )


def heads() -> Finding:
    """The chains still have every position that was signed."""
    found = [*audit.head_findings(), *trials.head_findings()]
    text = "; ".join(f"{each.subject} {each.text}" for each in found[:SHOWN_MAX]) or "agree"
    remedy = (
        "Stop, keep a copy of all of it, run bitgoeul audit verify; then restore the last backup that verifies."
    )
    return Finding("heads", not found, text, remedy)


def holds() -> Finding:
    """Holds end when their time has come."""
    _all, late = ledger.open_holds(now() - HOLD_LATE_MAX)
    return Finding("holds", not late, f"{late} past their time", "bitgoeul up: the worker releases them")


def lost_jobs() -> Finding:
    """Jobs that their engine no longer knows."""
    lost = compute.standing(now()).jobs["UNKNOWN"]
    return Finding(
        "lost jobs", not lost, f"{lost} UNKNOWN", "An engineer finds each or writes it off: docs/reference/jobs.md"
    )


def clock() -> Finding:
    """This machine's clock agrees with the record and with the database server's."""
    moment = now()
    wrong = []
    newest = audit.newest_event_at()
    if newest is not None and newest - moment > SKEW_MAX:
        wrong.append(f"the newest event is {(newest - moment).total_seconds():.0f} s ahead of this clock")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            server: datetime = cursor.fetchone()[0]
        if abs(server - now()) > SKEW_MAX:
            wrong.append(f"the database server's clock differs by {(server - now()).total_seconds():.0f} s")
    return Finding(
        "clock",
        not wrong,
        "; ".join(wrong) or "agrees",
        "timedatectl set-ntp true; see that both machines have the time",
    )


def example_people() -> Finding:
    """No example people in production."""
    found = accounts.example_people()
    ok = not (found and settings.PRODUCTION)
    return Finding("example people", ok, f"{found} here", "Begin with an empty database for the public.")


def port() -> Finding:
    """While nothing runs, the port is free."""
    if status_of(Path(settings.HOME))["running"]:
        return Finding("port", True, "is ours")
    host, number = settings.ENV.host, settings.ENV.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            remedy = f"ss -ltnp 'sport = :{number}' says whose it is; or set BITGOEUL_PORT."
            return Finding("port", False, f"{host}:{number}: {error.strerror}", remedy)
    return Finding("port", True, f"{number} is free")


def mail() -> Finding:
    """The mail server answers and takes our sign-in; without one, the folder takes files."""
    if not settings.ENV.mail_host:
        ok = not settings.PRODUCTION and os.access(settings.HOME, os.W_OK)
        return Finding("mail", ok or not settings.PRODUCTION, "kept as files", "Set BITGOEUL_MAIL_HOST.")
    server = get_connection(timeout=MAIL_SECONDS_MAX)
    try:
        server.open()
        server.close()
    except Exception as error:  # noqa: BLE001 - whatever a mail library raises, mail does not leave
        where = f"{settings.ENV.mail_host}:{settings.ENV.mail_port}"
        text = f"{where}: {type(error).__name__}: {hide(str(error))[:200]}"
        return Finding(
            "mail",
            False,
            text,
            "See BITGOEUL_MAIL_HOST, _PORT, _USER and _PASSWORD_FILE, and the server's own log.",
        )
    return Finding("mail", True, f"{settings.ENV.mail_host} answers")


MACHINE: tuple[Callable[[], Finding], ...] = (home, static_files, port, mail)
RECORD: tuple[Callable[[], Finding], ...] = (outbox, sealing, heads, holds, lost_jobs, clock, example_people)
