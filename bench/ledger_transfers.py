"""Ledger transfers a second against bare inserts of as many rows into the same database, in one run.

    python bench/ledger_transfers.py [--rounds N] [--verify POSTINGS] [--database-url postgresql://…]

One JSON line a shape: the ledger's transfers a second, the rows a second of each baseline, and the ratio to each
(the median of the rounds; ledger and baselines take turns, so that a busy neighbour slows all of them).

``bare``   raw SQL, executemany, one table with the columns of a transfer, no constraint but its primary key
``keyed``  the same into a copy of the transfer table: its keys (primary and foreign), checks and indexes
``bare_copy``, ``keyed_copy``  the same two by COPY, on PostgreSQL alone, where executemany is not the fastest

With ``--verify`` the ledger then grows to that many postings, and ``ledger verify``, sealing 100,000 events and
``audit verify`` are timed, each in a process of its own with its peak memory. On PostgreSQL a database of its
own is made and dropped again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("posting_id", "line", "debit_id", "credit_id", "amount", "reason", "effective_at", "recorded_at")
BARE = (
    "CREATE TABLE bare (id {text} PRIMARY KEY, posting_id {text}, line INTEGER, debit_id {text}, credit_id {text},"
    " amount {whole}, reason {text}, effective_at {time}, recorded_at {time})"
)
LINES = 1_000
PARENTS = 20_000
GROW = 5_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--verify", type=int, default=0, metavar="POSTINGS")
    options.add_argument("--database-url", default=os.environ.get("BITGOEUL_DATABASE_URL", ""))
    options.add_argument("--only", choices=sorted(WHOLE), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
    if chosen.only:
        return tell(alone(chosen.only))
    with tempfile.TemporaryDirectory() as home, a_database(chosen.database_url) as url:
        os.environ["BITGOEUL_HOME"] = home
        if url:
            os.environ["BITGOEUL_DATABASE_URL"] = url
        measure(chosen.rounds, chosen.verify)
    return None


@contextmanager
def a_database(server: str) -> Iterator[str]:
    """A database of our own on that server; without a server the file in the home."""
    if not server:
        yield ""
        return
    import psycopg

    name = f"bitgoeul_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def measure(rounds: int, verify: int) -> None:
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0)
    book, baselines = open_book(), Baselines(connection)
    for name, (shape, size, calls) in SHAPES.items():
        tell({"shape": name, **compare(rounds, partial(shape, book, size, calls), baselines.of(size, calls))})
    if verify:
        grow(book, verify)
        connection.close()
        for name in WHOLE:
            subprocess.run([sys.executable, __file__, "--only", name], check=True)


def tell(line: dict[str, object]) -> None:
    from django.db import connection

    print(json.dumps({"bench": "ledger", "database": connection.vendor, **line}), flush=True)


def compare(
    rounds: int, ours: Callable[[], int], theirs: dict[str, Callable[[], int]]
) -> dict[str, float | dict[str, float]]:
    seen = [(rate(ours), {name: rate(work) for name, work in theirs.items()}) for _ in range(rounds)]
    return {
        "transfers_per_second": round(statistics.median(rate for rate, _ in seen)),
        "rows_per_second": {name: round(statistics.median(rates[name] for _, rates in seen)) for name in theirs},
        "ratio": {
            name: round(statistics.median(rate / rates[name] for rate, rates in seen), 3) for name in theirs
        },
    }


def rate(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def open_book():
    sys.path.insert(0, str(ROOT / "tests"))
    from ledger.book import open_book

    book = open_book()
    book.award(10**12)
    return book


def post(book, size: int, calls: int) -> int:
    """Postings of one line, ``size`` a call."""
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.ledger import facade as ledger

    line = ledger.TransferLine(book.supply, book.account, 1)
    for _ in range(calls):
        moment = now()
        requests = [ledger.PostingRequest(new_id(), [line], ledger.Reason.AWARD, moment) for _ in range(size)]
        ledger.post_many(postings=requests, actor="system:bench")
    return size * calls


def long(book, size: int, calls: int) -> int:
    """One posting of ``size`` lines."""
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.ledger import facade as ledger

    for _ in range(calls):
        lines = [ledger.TransferLine(book.supply, book.account, 1 + n) for n in range(size)]
        request = ledger.PostingRequest(new_id(), lines, ledger.Reason.AWARD, now())
        ledger.post_many(postings=[request], actor="system:bench")
    return size * calls


def settle(book, size: int, calls: int) -> int:
    """Uses without a hold, ``size`` a call."""
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.ledger import facade as ledger

    for _ in range(calls):
        moment = now()
        uses = [ledger.SettleRequest(new_id(), book.account, book.used, 1, moment) for _ in range(size)]
        ledger.settle_many(lines=uses, actor="system:bench")
    return size * calls


SHAPES: dict[str, tuple[Callable[..., int], int, int]] = {
    "single: one posting of one line a call": (post, 1, 100),
    "batched: 500 postings of one line a call": (post, 500, 4),
    "batched: 5,000 postings of one line a call": (post, 5_000, 1),
    "batched: one posting of 1,000 lines a call": (long, LINES, 3),
    "batched: settle_many of 1,000 uses a call": (settle, 1_000, 3),
}


class Baselines:
    """The tables that bare rows go into, and rows for them that satisfy the keys."""

    def __init__(self, connection) -> None:
        self.connection, self.serial = connection, count()
        types = {"text": "TEXT", "whole": "BIGINT", "time": "TEXT"}
        if connection.vendor == "postgresql":
            types |= {"time": "TIMESTAMPTZ"}
        with connection.cursor() as cursor:
            cursor.execute(BARE.format(**types))
            for statement in self._copy_of_the_transfer_table(cursor):
                cursor.execute(statement)
        self.parents = self._parents()

    def _copy_of_the_transfer_table(self, cursor) -> Iterator[str]:
        if self.connection.vendor == "postgresql":
            yield "CREATE TABLE keyed (LIKE ledger_transfer INCLUDING ALL)"
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conrelid = 'ledger_transfer'::regclass AND contype = 'f'"
            )
            yield from [f"ALTER TABLE keyed ADD {definition}" for (definition,) in cursor.fetchall()]
        else:
            cursor.execute(
                "SELECT sql FROM sqlite_master WHERE tbl_name = 'ledger_transfer' AND type IN ('table', 'index')"
                " AND sql IS NOT NULL ORDER BY type DESC"
            )
            yield from [sql.replace("ledger_transfer", "keyed") for (sql,) in cursor.fetchall()]

    def _parents(self) -> list[tuple[str, str, str]]:
        """Postings for the rows of ``keyed`` to belong to, and two accounts."""
        book = open_book()
        post(book, PARENTS // 4, 4)
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT id FROM ledger_posting LIMIT %s", [PARENTS])
            ids = [str(row[0]) for row in cursor.fetchall()]
        accounts = [
            id.hex if self.connection.vendor == "sqlite" else str(id) for id in (book.supply, book.account)
        ]
        return [(id, *accounts) for id in ids]

    def of(self, size: int, calls: int) -> dict[str, Callable[[], int]]:
        """The baselines for ``calls`` transactions of ``size`` rows each."""
        found = {
            "bare": lambda: self._run("bare", size, calls, self._many),
            "keyed": lambda: self._run("keyed", size, calls, self._many),
        }
        if self.connection.vendor == "postgresql":
            found["bare_copy"] = lambda: self._run("bare", size, calls, self._copy)
            found["keyed_copy"] = lambda: self._run("keyed", size, calls, self._copy)
        return found

    def _run(self, table: str, size: int, calls: int, insert: Callable) -> int:
        from django.db import transaction

        from bitgoeul.kernel.ids import new_id

        own = ("id",) if table == "bare" else ()
        for _ in range(calls):
            rows = [(*((str(new_id()),) if own else ()), *row) for row in islice(self._rows(), size)]
            with transaction.atomic(), self.connection.cursor() as cursor:
                insert(cursor, table, (*own, *COLUMNS), rows)
        return size * calls

    def _rows(self) -> Iterator[tuple[object, ...]]:
        moment = "2026-11-25 12:00:00.123456"
        for n in self.serial:
            posting, debit, credit = self.parents[n % PARENTS]
            yield (posting, n // PARENTS, debit, credit, 1, "AWARD", moment, moment)

    @staticmethod
    def _many(cursor, table: str, columns: tuple[str, ...], rows: list) -> None:
        places = ", ".join(["%s"] * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)

    @staticmethod
    def _copy(cursor, table: str, columns: tuple[str, ...], rows: list) -> None:
        with cursor.cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def grow(book, postings: int) -> None:
    """Fill the ledger up to that many postings."""
    from bitgoeul.ledger.models import Posting

    while (missing := postings - Posting.objects.count()) > 0:
        settle(book, min(GROW, missing), 1)


def _seal() -> dict[str, int]:
    from bitgoeul.audit import facade as audit

    return {"sealed": audit.seal_all()}


def _ledger() -> dict[str, int]:
    from bitgoeul.ledger import facade as ledger

    report = ledger.verify()
    return {"findings": len(report.findings), **report.counts}


def _audit() -> dict[str, int]:
    from bitgoeul.audit import facade as audit

    report = audit.verify()
    return {"findings": len(report.findings), **report.counts}


def _events() -> dict[str, int]:
    from bitgoeul.audit import facade as audit

    events = 100_000
    for start in range(0, events, GROW):
        audit.record_many(
            [audit.EventDraft("bench.made", "bench", str(start + n), "system:bench") for n in range(GROW)]
        )
    return {"events": events}


WHOLE: dict[str, Callable[[], dict[str, int]]] = {
    "ledger verify": _ledger,
    "record 100,000 events": _events,
    "seal what waits": _seal,
    "audit verify": _audit,
}


def alone(name: str) -> dict[str, object]:
    """One of WHOLE in this process of its own, with its time and peak memory."""
    import django

    django.setup()
    started = time.perf_counter()
    counts = WHOLE[name]()
    return {"shape": name, "seconds": round(time.perf_counter() - started, 2), "peak_mb": peak_mb(), **counts}


def peak_mb() -> int:
    """The most memory this program held; ``getrusage`` would count the program that started it too."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(line) // 1024


if __name__ == "__main__":
    main()
