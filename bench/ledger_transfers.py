"""Ledger transfers a second against bare inserts of as many rows into the same database, in one run.

    python bench/ledger_transfers.py [--rounds N]

One JSON line: rates single (one posting a transaction) and batched (500 a call), and their ratios to the bare
rate of the same shape. A bare row has the columns of a transfer and no index beside its key.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BATCH = 500
BARE = (
    "CREATE TABLE bare (id TEXT PRIMARY KEY, posting TEXT, line INTEGER, debit TEXT, credit TEXT, amount INTEGER,"
    " reason TEXT, effective_at TEXT, recorded_at TEXT)"
)
INSERT = "INSERT INTO bare VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
    with tempfile.TemporaryDirectory() as home:
        os.environ["BITGOEUL_HOME"] = home
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        print(json.dumps({"bench": "ledger", "rounds": rounds, **measure(rounds)}))


def measure(rounds: int) -> dict[str, float]:
    from django.db import connection

    book = open_book()
    with connection.cursor() as cursor:
        cursor.execute(BARE)
    shapes: dict[str, tuple[Callable[[], int], Callable[[], int]]] = {
        "single": (lambda: sum(post(book, 1) for _ in range(100)), lambda: sum(bare(1) for _ in range(100))),
        "batched": (lambda: post(book, BATCH), lambda: bare(BATCH)),
    }
    found: dict[str, float] = {}
    for name, (ours, theirs) in shapes.items():
        # Alternating, so that a busy neighbour slows both.
        pairs = [(rate(ours), rate(theirs)) for _ in range(rounds)]
        found[f"{name}_transfers_per_second"] = round(statistics.median(a for a, _ in pairs), 1)
        found[f"{name}_bare_inserts_per_second"] = round(statistics.median(b for _, b in pairs), 1)
        found[f"{name}_ratio"] = round(statistics.median(a / b for a, b in pairs), 3)
    return found


def rate(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def open_book():
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from ledger.book import open_book

    return open_book()


def post(book, count: int) -> int:
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.ledger import facade as ledger

    moment = now()
    line = ledger.TransferLine(book.supply, book.account, 1)
    requests = [ledger.PostingRequest(new_id(), [line], ledger.Reason.AWARD, moment) for _ in range(count)]
    return len(ledger.post_many(postings=requests, actor="system:bench"))


def bare(count: int) -> int:
    from django.db import connection, transaction

    from bitgoeul.kernel.ids import new_id

    rows = [(str(new_id()), "p", 0, "d", "c", 1, "AWARD", "t", "t") for _ in range(count)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(INSERT, rows)
    return count


if __name__ == "__main__":
    main()
