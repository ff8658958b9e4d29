"""Cuts one write off at each of its statements in turn: `cut.py hold|settle|submit|cancel|ingest`.

The connection is ended by the server (`pg_terminate_backend`) right before or right after the n-th statement, for
every n that the write has. Prints JSON: how many cuts were made, and everything that did not hold.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from uuid import UUID

import django

django.setup()

import psycopg  # noqa: E402
from django.db import InterfaceError, OperationalError, connection  # noqa: E402

from bitgoeul.accounts import facade as accounts  # noqa: E402
from bitgoeul.compute import facade as compute  # noqa: E402
from bitgoeul.kernel.clock import now  # noqa: E402
from bitgoeul.kernel.ids import new_id  # noqa: E402
from bitgoeul.ledger import facade as ledger  # noqa: E402
from bitgoeul.site.settings import ENV  # noqa: E402
from ledger.book import open_book  # noqa: E402

ACTOR = "system:cut"
SYSTEM = accounts.Actor.system("cut")
STATEMENTS_MAX = 200
LIMITS = compute.Limits(cores=1, memory_mib=64, wall_seconds=30, processes=8, file_mib=1)
other = psycopg.connect(ENV.database_url, autocommit=True)
TABLES = [row[0] for row in other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


class Cutter:
    """Ends the connection at the n-th statement of a transaction."""

    def __init__(self, number: int, *, after: bool) -> None:
        self.number, self.after, self.seen, self.done = number, after, 0, False

    def __call__(self, execute, statement, params, many, context):
        self.seen += connection.in_atomic_block
        mine = connection.in_atomic_block and self.seen == self.number and not self.done
        if mine and not self.after:
            self.cut()
        answer = execute(statement, params, many, context)
        if mine and self.after:
            self.cut()
        return answer

    def cut(self) -> None:
        self.done = True
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])


EVERYTHING = " UNION ALL ".join(
    f"SELECT '{table}', count(*), coalesce(sum(xmin::text::numeric), 0) FROM {table}" for table in TABLES
)


def everything() -> set[tuple[object, ...]]:
    """Rows of every table and the transactions that wrote them, so that nothing that a cut leaves goes unseen."""
    return set(other.execute(EVERYTHING).fetchall())


def cut_everywhere(make: Callable[[], Callable[[], object]]) -> dict[str, object]:
    """``make`` prepares one write; it is cut at every statement, then made again, which must succeed."""
    cuts, faults = 0, []
    for number in range(1, STATEMENTS_MAX):
        for after in (False, True):
            write = make()
            before, cutter = everything(), Cutter(number, after=after)
            try:
                with connection.execute_wrapper(cutter):
                    write()
            except (OperationalError, InterfaceError):
                cuts += 1
                if everything() != before:
                    faults.append(f"statement {number}, after={after}: something stayed")
            else:
                if cutter.done:
                    faults.append(f"statement {number}, after={after}: the cut went unnoticed")
                if not cutter.done:
                    return {"cuts": cuts, "faults": faults}
            write()
            if everything() == before and cutter.done:
                faults.append(f"statement {number}, after={after}: the second time changed nothing")
    raise SystemExit("a write of more statements than this looks at")


def holding() -> Callable[[], Callable[[], object]]:
    book = open_book()
    book.award(1_000_000)

    def make() -> Callable[[], object]:
        request = ledger.HoldRequest(new_id(), book.account, 2, now() + timedelta(hours=1))
        return lambda: ledger.hold_many(holds=[request], actor=ACTOR)

    return make


def settling() -> Callable[[], Callable[[], object]]:
    book = open_book()
    book.award(1_000_000)

    def make() -> Callable[[], object]:
        line = ledger.SettleRequest(new_id(), book.account, book.used, 3, now(), book.hold(2).id)
        return lambda: ledger.settle_many(lines=[line], actor=ACTOR)

    return make


def submitting() -> Callable[[], Callable[[], object]]:
    project = project_with_resources()
    wanted = compute.JobRequest(argv=("true",), limits=LIMITS)

    def make() -> Callable[[], object]:
        job_id = new_id()
        return lambda: compute.submit_job(actor=SYSTEM, id=job_id, project_id=project, name="cut", request=wanted)

    return make


def cancelling() -> Callable[[], Callable[[], object]]:
    make_submission, made = submitting(), []

    def make() -> Callable[[], object]:
        job = make_submission()()
        made.append(job.id)
        return lambda: compute.cancel_job(actor=SYSTEM, job_id=made[-1])

    return make


def ingesting() -> Callable[[], Callable[[], object]]:
    from bitgoeul.compute.ports import account_name
    from compute.metering.lines import line, read

    account = account_name(accounts.projects([project_with_resources()]).popitem()[1].number)
    made = count()

    def make() -> Callable[[], object]:
        records, _reader = read(line(JobID=str(next(made)), Account=account))
        return lambda: compute.ingest(actor=SYSTEM, cluster="moa", records=records)

    return make


def project_with_resources() -> UUID:
    from faults.act import prepare_project

    return prepare_project()


if __name__ == "__main__":
    acts = {"hold": holding, "settle": settling, "submit": submitting, "cancel": cancelling, "ingest": ingesting}
    print(json.dumps(cut_everywhere(acts[sys.argv[1]]())))
