"""Job records a second from an export into the books, against bulk-inserting the same rows, in one run.

    python bench/metering_ingest.py [--records N] [--projects P] [--gpu-every G] [--report] [--database-url URL]

One JSON line. The ingest is the whole way: lines read, records kept, charged in the ledger, added to the days, in
batches of a thousand a transaction. ``bulk`` inserts the rows that the ingest left (records, uses, postings,
transfers, sums by day), and those of records alone as ``records_only``, into copies of their tables with all keys,
checks and indexes, a thousand records a transaction, by what is fastest there: ``executemany`` on SQLite, COPY on
PostgreSQL. ``bulk_create`` inserts the same rows by Django's own, from instances that are made before. With
``--report`` the month's report from the sums by day is timed instead (give --projects 2200).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ledger_transfers import a_database

BASE = 1_790_000_000
HEADER = "JobID|JobIDRaw|Account|User|Submit|Start|End|Elapsed|State|ReqTRES|AllocTRES|NodeList"
TABLES = ("compute_meteredrecord", "resources_usage", "ledger_posting", "ledger_transfer", "compute_dayuse")
LINES = 1_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--projects", type=int, default=50)
    options.add_argument("--gpu-every", type=int, default=0, help="each how many-th record holds GPUs too; 0 none")
    options.add_argument("--report", action="store_true", help="time the month's report instead")
    options.add_argument("--profile", action="store_true")
    options.add_argument("--database-url", default=os.environ.get("BITGOEUL_DATABASE_URL", ""))
    chosen = options.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
    with tempfile.TemporaryDirectory() as home, a_database(chosen.database_url) as url:
        os.environ["BITGOEUL_HOME"] = home
        if url:
            os.environ["BITGOEUL_DATABASE_URL"] = url
        measure(chosen)


def measure(chosen: argparse.Namespace) -> None:
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    gc.set_threshold(100_000)  # as the command does
    call_command("migrate", verbosity=0)
    numbers = projects(chosen.projects)
    if chosen.report:
        print(json.dumps(report(numbers)), flush=True)
        return
    lines = list(export(numbers, chosen.records, chosen.gpu_every))
    if chosen.profile:
        import cProfile
        import pstats

        with cProfile.Profile() as profile:
            ingest(lines)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    wall, processor = time.perf_counter(), time.process_time()
    entries = ingest(lines)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    again = time.perf_counter()
    ingest(lines)
    again = time.perf_counter() - again
    found = {name: rows_of(connection, name) for name in TABLES}
    bulk = bulk_insert(connection, found, chosen.records)
    only = bulk_insert(connection, {TABLES[0]: found[TABLES[0]]}, chosen.records)
    created = bulk_create(connection, chosen.records)
    line = {
        "bench": "metering",
        "database": connection.vendor,
        "records": chosen.records,
        "entries": entries,
        "records_per_second": round(chosen.records / wall),
        "records_per_processor_second": round(chosen.records / processor),
        "again_per_second": round(chosen.records / again),
        "bulk_records_per_second": round(chosen.records / bulk),
        "ratio": round(bulk / wall, 3),
        "bulk_create_records_per_second": round(chosen.records / created),
        "bulk_create_ratio": round(created / wall, 3),
        "records_only_ratio": round(only / wall, 3),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(line), flush=True)


def projects(count: int) -> list[str]:
    """Projects with an allocation of cores and of GPUs each."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.kernel.text import Label
    from bitgoeul.resources import facade as resources

    system, names, user = accounts.Actor.system("bench"), Label("시험", "test"), new_id()
    accounts.create_user(
        actor=system, id=user, email="b@example.kr", display_name="B", password="correct horse battery",
        operator_roles=frozenset(),
    )  # fmt: skip
    organisation = accounts.create_organisation(
        actor=accounts.actor_for(user_id=user), id=new_id(), name="가온칩 (예시)",
        kind=accounts.OrganisationKind.START_UP, registration_number="", is_example=True,
    )  # fmt: skip
    made = [
        accounts.create_project(
            actor=system, id=new_id(), organisation_id=organisation.id, title=f"p{n}", owner_user_id=user
        )
        for n in range(count)
    ]
    for unit in ("core_ms", "gpu_h100_ms"):
        resources.define_resource(
            actor=system, code=f"bench-{unit}", category=resources.Category.COMPUTE, unit=unit, label=names,
            provider=names, location=names,
        )  # fmt: skip
        resources.grant_many(
            actor=system,
            grants=[
                resources.GrantLine(
                    new_id(), each.id, f"bench-{unit}", 10**15, now() - timedelta(days=400),
                    now() + timedelta(days=400), resources.Origin("bench", "1"),
                )
                for each in made
            ],
        )  # fmt: skip
    return [each.number for each in made]


def export(numbers: list[str], count: int, gpu_every: int) -> Iterator[str]:
    """An export in the order of the ends, as sacct gives one; a few jobs run over midnight."""
    dice = random.Random(2026)
    yield HEADER
    for job in range(1, count + 1):
        start = BASE + job * 30
        length = int(dice.lognormvariate(7.0, 1.6)) % 200_000
        days, rest = divmod(length, 86_400)
        elapsed = f"{days}-{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
        cores = dice.choice((1, 2, 4, 8, 16, 64))
        gpu = ",gres/gpu:h100=1,gres/gpu=1" if gpu_every and job % gpu_every == 0 else ""
        tres = f"billing={cores},cpu={cores}{gpu},mem={cores * 4}G,node=1"
        state = dice.choices(("COMPLETED", "FAILED", "CANCELLED by 1000", "TIMEOUT"), (80, 10, 7, 3))[0]
        account = f"bg-{dice.choice(numbers).lower()}"
        yield (
            f"{job}|{job}|{account}|ara|{start - dice.randrange(3600)}|{start}|{start + length}|{elapsed}|{state}|"
            f"{tres}|{tres}|n{job % 100}"
        )


def ingest(lines: list[str]) -> int:
    from zoneinfo import ZoneInfo

    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.metering import Reader

    records = Reader(cluster="moa", source_zone=ZoneInfo("UTC")).records(lines)
    return compute.ingest(actor=Actor.system("bench"), cluster="moa", records=records).entries


def rows_of(connection, table: str) -> tuple[list[str], list[tuple]]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
                " ORDER BY ordinal_position",
                [table],
            )
            columns = [(name, "::text" if kind == "jsonb" else "") for name, kind in cursor.fetchall()]
            cells = ", ".join('"' + name + '"' + cast for name, cast in columns)
            cursor.execute(f"SELECT {cells} FROM {table}")
            return [name for name, _cast in columns], cursor.fetchall()
        cursor.execute(f"SELECT * FROM {table}")
        return [column[0] for column in cursor.description], cursor.fetchall()


def bulk_insert(connection, found: dict[str, tuple[list[str], list[tuple]]], records: int) -> float:
    """Seconds to insert the rows into copies of their tables, as many transactions as the ingest had."""
    from django.db import transaction

    make_copies(connection, found)
    batches = -(-records // LINES)
    started = time.perf_counter()
    for batch in range(batches):
        with transaction.atomic(), connection.cursor() as cursor:
            for table, (columns, rows) in found.items():
                step = -(-len(rows) // batches)
                insert(cursor, connection.vendor, table, columns, rows[batch * step : (batch + 1) * step])
    return time.perf_counter() - started


def bulk_create(connection, records: int) -> float:
    """Seconds of Django's ``bulk_create`` for the same rows into empty copies of their tables."""
    from django.apps import apps
    from django.db import transaction

    models = [model for model in apps.get_models() if model._meta.db_table in TABLES]
    rows = {model: list(model._base_manager.all()) for model in models}
    make_copies(connection, TABLES)
    batches = -(-records // LINES)
    try:
        for model in models:
            model._meta.db_table = f"copy_{model._meta.db_table}"
        started = time.perf_counter()
        for batch in range(batches):
            with transaction.atomic():
                for model, instances in rows.items():
                    step = -(-len(instances) // batches)
                    model._base_manager.bulk_create(instances[batch * step : (batch + 1) * step])
        return time.perf_counter() - started
    finally:
        for model in models:
            model._meta.db_table = model._meta.db_table.removeprefix("copy_")


def make_copies(connection, tables: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS copy_{table}")
            for statement in copy_of(cursor, connection.vendor, table):
                cursor.execute(statement)


def copy_of(cursor, vendor: str, table: str) -> Iterator[str]:
    if vendor == "postgresql":
        yield f"CREATE TABLE copy_{table} (LIKE {table} INCLUDING ALL)"
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
            [table],
        )
        yield from [f"ALTER TABLE copy_{table} ADD {definition}" for (definition,) in cursor.fetchall()]
        return
    cursor.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = %s AND type IN ('table', 'index')"
        " AND sql IS NOT NULL ORDER BY type DESC",
        [table],
    )
    for _kind, name, sql in cursor.fetchall():
        copied = sql.replace(f'"{table}"', f'"copy_{table}"')
        yield copied if name == table else copied.replace(f'"{name}"', f'"copy_{name}"', 1)


def insert(cursor, vendor: str, table: str, columns: list[str], rows: list[tuple]) -> None:
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in columns)
    if vendor == "postgresql":
        with cursor.cursor.copy(f"COPY copy_{table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    places = ", ".join(["%s"] * len(columns))
    cursor.executemany(f"INSERT INTO copy_{table} ({names}) VALUES ({places})", rows)


def report(numbers: list[str], months: int = 4) -> dict[str, object]:
    """The month's report by project and resource, from sums by day as a million records a year would leave them.

    2,500 records a day of that many projects touch two thirds of them, each with a row for cores and one more.
    """
    from django.db import connection, transaction

    from bitgoeul.accounts import facade as accounts
    from bitgoeul.audit import facade as audit
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.metering import FIELDS
    from bitgoeul.compute.models import DayUse, MeteredCluster
    from bitgoeul.kernel.ids import derive

    MeteredCluster.objects.get_or_create(pk="year")
    ids, dice = sorted(accounts.projects_by_number(numbers).values()), random.Random(2026)
    resources, numbers_of = ("cpu", "gpu:h100"), [1] * len(FIELDS)
    count = 0
    for number in range(months * 30):
        day = (date(2025, 3, 1) + timedelta(days=number)).isoformat()
        rows = [
            (derive("bench", day, project, each).hex, day, "year", project.hex, each, *numbers_of)
            for project in dice.sample(ids, len(ids) * 2 // 3)
            for each in resources
        ]
        with transaction.atomic():
            audit.insert_rows(DayUse, ("id", "day", "cluster", "project", "resource", *FIELDS), rows)
        count += len(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    seen = []
    for _ in range(5):
        started = time.perf_counter()
        lines = compute.month_use(month="2025-04")
        seen.append(time.perf_counter() - started)
    return {"bench": "month report", "database": connection.vendor, "day_rows": count, "projects": len(ids),
            "lines": len(lines), "seconds": round(statistics.median(seen), 3)}  # fmt: skip


if __name__ == "__main__":
    main()
