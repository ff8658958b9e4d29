"""What each page, export and nightly job costs on a home with the full example: queries, rows fetched, full scans.

    python tests/scale/measure.py HOME [--times N]

One JSON object on standard output: ``costs`` by name ``{"queries", "rows", "scans"}``, and ``size``, the rows of
books and chain. A process of its own, for a test process has its own database. ``--times N`` first multiplies
the rows of the large tables by N, by SQL.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGE = (
    "compute_job", "resources_usage", "resources_allocation", "ledger_transfer", "ledger_posting", "ledger_hold",
    "ledger_account", "ledger_openhold", "audit_event", "audit_seal", "accounts_project", "compute_node",
    "resources_useday", "resources_usemonth", "compute_dayuse",
)  # fmt: skip
EVIDENCE = 60
# Partial indexes that hold a small part of a large table: reading all of one is what it is for.
SMALL = {"compute_job_unfinished"}
# Copies of rows that pages list or add up; a copy keeps the project and the accounts of its original.
COPIES = {
    "compute_job": ("id", "version"),
    "resources_usage": ("id", "source_key", "posting_id"),
    "compute_node": ("code",),
    "resources_resource": ("code",),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("home")
    options.add_argument("--times", type=int, default=1)
    chosen = options.parse_args()
    os.environ["BITGOEUL_HOME"] = chosen.home
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
    import logging

    import django

    django.setup()
    logging.disable(logging.WARNING)
    publish(EVIDENCE * chosen.times)
    if chosen.times > 1:
        multiply(chosen.times)
    watch_rows()
    # The copies have no audit events, so the verifies are measured on what was really posted.
    acts = {**pages(), **jobs()} | ({} if chosen.times > 1 else nightly())
    json.dump({"costs": measure(acts), "size": size()}, sys.stdout)


def publish(count: int) -> None:
    """Public evidence of the projects that the owner's home shows."""
    from bitgoeul.accounts import facade as accounts
    from judged import publish

    owner = accounts.actor_for(user_id=accounts.example_id("user", "history-1"))
    publish([project.id for project in accounts.my_projects(owner, 1).items], count)


def multiply(times: int) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for table, fresh in COPIES.items():
            names = [row[1] for row in cursor.execute(f"PRAGMA table_info({table})").fetchall()]
            for _copy in range(times - 1):
                cells = [cell(name) if name in fresh and name != "version" else f"t.{name}" for name in names]
                cursor.execute(
                    f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(cells)} FROM {table} t"
                    f" WHERE t.rowid <= (SELECT COUNT(*) FROM {table}) LIMIT {rows_of(cursor, table, times)}"
                )
        postings(cursor, times)
        cursor.execute("ANALYZE")


_first: dict[str, int] = {}


def rows_of(cursor: Any, table: str, _times: int) -> int:
    if table not in _first:
        _first[table] = cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    return _first[table]


def cell(name: str) -> str:
    return {
        "id": "lower(hex(randomblob(16)))",
        "posting_id": "lower(hex(randomblob(16)))",
        "source_key": "'copy:' || hex(randomblob(12))",
        "code": "substr(t.code, 1, 20) || '-' || lower(hex(randomblob(6)))",
    }[name]


def postings(cursor: Any, times: int) -> None:
    """Postings with their transfers, again and again; balances are not touched, for nothing here verifies them."""
    cursor.execute("PRAGMA defer_foreign_keys=ON")
    names = {t: [row[1] for row in cursor.execute(f"PRAGMA table_info({t})").fetchall()]
             for t in ("ledger_posting", "ledger_transfer")}  # fmt: skip
    for copy in range(1, times):
        for table, key in (("ledger_posting", "id"), ("ledger_transfer", "posting_id")):
            other = [f"substr(t.{key}, 1, 30) || '{copy:02x}'" if name == key else
                     f"substr(t.id, 1, 30) || '{copy:02x}'" if name == "id" else f"t.{name}"
                     for name in names[table]]  # fmt: skip
            limit = rows_of(cursor, table, times)
            cursor.execute(
                f"INSERT OR IGNORE INTO {table} ({', '.join(names[table])}) SELECT {', '.join(other)}"
                f" FROM {table} t ORDER BY t.rowid LIMIT {limit}"
            )


class Cost:
    def __init__(self) -> None:
        self.rows = 0
        self.statements: list[tuple[str, Any]] = []


_open: list[Cost] = []


def watch_rows() -> None:
    """Count every row that a cursor hands out."""
    from django.db.backends.utils import CursorWrapper

    def counting(name: str) -> Callable[..., Any]:
        def fetch(self: Any, *arguments: Any) -> Any:
            found = getattr(self.cursor, name)(*arguments)
            if _open:
                _open[-1].rows += len(found) if isinstance(found, list) else int(found is not None)
            return found

        return fetch

    for name in ("fetchone", "fetchmany", "fetchall"):
        setattr(CursorWrapper, name, counting(name))


@contextmanager
def cost() -> Any:
    from django.db import connection

    seen = Cost()

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.statements.append((sql, params))
        return execute(sql, params, many, context)

    _open.append(seen)
    try:
        with connection.execute_wrapper(note):
            yield seen
    finally:
        _open.pop()


def scans(statements: list[tuple[str, Any]]) -> list[str]:
    """Large tables that a SELECT reads from end to end."""
    from django.db import connection

    found: set[str] = set()
    with connection.cursor() as cursor:
        for sql, params in statements:
            if sql.lstrip().upper().startswith("SELECT"):
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                for row in cursor.fetchall():
                    words = row[3].split()
                    if words[0] == "SCAN" and words[1] in LARGE and words[-1] not in SMALL and "LIMIT" not in sql:
                        found.add(words[1])
    return sorted(found)


def size() -> int:
    """Rows that the verifies have to read: postings, transfers, holds, accounts, events and their places."""
    from django.db import connection

    tables = ("ledger_posting", "ledger_transfer", "ledger_hold", "ledger_account", "audit_event", "audit_seal")
    with connection.cursor() as cursor:
        return sum(cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables)


def measure(acts: dict[str, Callable[[], None]]) -> dict[str, Any]:
    found = {}
    for name, act in acts.items():
        if not name.startswith("nightly"):
            act()  # what a process keeps after its first request is not what a request costs
        with cost() as seen:
            act()
        found[name] = {"queries": len(seen.statements), "rows": seen.rows, "scans": scans(seen.statements)}
    return found


def pages() -> dict[str, Callable[[], None]]:
    from django.test import Client

    from bitgoeul.accounts.facade import example_id
    from bitgoeul.accounts.models import OperatorGrant, User
    from bitgoeul.compute.models import Job
    from people import sign_in_by

    clients = {}
    owner = User.objects.get(pk=example_id("user", "history-1"))
    engineer = User.objects.get(pk=OperatorGrant.objects.filter(role="ENGINEER").first().user_id)
    staff = User.objects.get(pk=OperatorGrant.objects.filter(role="STAFF").first().user_id)
    for name, user in (("owner", owner), ("engineer", engineer), ("staff", staff)):
        clients[name] = Client(headers={"Host": "localhost"})
        sign_in_by(clients[name], user.pk)
    clients["anybody"] = Client(headers={"Host": "localhost"})
    project = example_id("project", "history-1")
    job = Job.objects.filter(project_id=project).order_by("submitted_at").first().pk
    asked = f"""
    anybody / | anybody /calls/ | anybody /board/ | anybody /verify/ | anybody /catalogue/
    anybody /catalogue/?q=시험 | anybody /catalogue/gpu-h100/ | anybody /figures/
    anybody /api/v1/catalogue | anybody /api/v1/figures | anybody /api/v1/board
    owner /home/ | owner /projects/{project}/ | owner /projects/{project}/statement/
    owner /projects/{project}/members/
    owner /projects/{project}/sweeps/ | owner /projects/{project}/sweeps/new/ | staff /prices/
    owner /projects/{project}/jobs/ | owner /jobs/{job}/ | owner /applications/ | owner /agreements/
    owner /api/v1/projects | owner /api/v1/jobs?project_id={project} | owner /api/v1/projects/{project}/allocations
    engineer /fleet/ | engineer /fleet/nodes/ | engineer /api/v1/fleet | engineer /api/v1/fleet/queue
    anybody /search/?q=시험 | owner /search/?q=학습 | owner /search/?q=가람 | engineer /search/?q=학습
    staff /search/?q=가람 | staff /search/?q=영상 | staff /decisions/
    staff /use/ | staff /use/?by=project | staff /use/?by=kind&unit=core_ms | staff /use/allocations/
    staff /use/allocations/?flag=out&order=left | export-staff /use.xlsx?by=project
    export-staff /use/allocations.xlsx
    staff /api/v1/use?by=project | staff /api/v1/use/allocations
    engineer /fleet/reconciliation/ | engineer /api/v1/fleet/reconciliation
    staff /home/ | staff /agreements/?waiting | staff /partners/ | staff /partners/?order=name
    export-owner /projects/{project}/statement/?format=xlsx | export-engineer /fleet/nodes.xlsx
    export-owner /prices.xlsx | export-anybody /catalogue.xlsx | export-staff /partners.xlsx
    """
    found: dict[str, Callable[[], None]] = {}
    for line in asked.replace("\n", "|").split("|"):
        if line.strip():
            who, path = line.strip().split(" ", 1)
            name = path.replace(str(project), "P").replace(str(job), "J")
            found[f"{who} {name}"] = asking(clients[who.removeprefix("export-")], path)
    return found


def asking(client: Any, path: str) -> Callable[[], None]:
    def ask() -> None:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        assert answer.content

    return ask


def jobs() -> dict[str, Callable[[], None]]:
    """The steps that the worker repeats when there is nothing to do."""
    from bitgoeul.audit import facade as audit
    from bitgoeul.compute import facade as compute
    from bitgoeul.kernel.clock import now
    from bitgoeul.ledger import facade as ledger
    from bitgoeul.outcomes import facade as outcomes
    from bitgoeul.resources import facade as resources

    audit.seal_all()
    while resources.expire_due(now()):
        pass
    while audit.dispatch_once(limit=200):
        pass
    audit.seal_all()
    return {
        "idle seal": lambda: audit.seal(limit=500) and None,
        "idle dispatch": lambda: audit.dispatch_once(limit=20) and None,
        "idle expire holds": lambda: ledger.expire_holds(now=now(), actor="system:worker") and None,
        "idle expire allocations": lambda: resources.expire_due(now()) and None,
        "idle embargoes": lambda: outcomes.look_again() and None,
        "idle follower": lambda: compute.follow_once() and None,
    }


def nightly() -> dict[str, Callable[[], None]]:
    """What reads everything once a night; each tells that it found nothing amiss."""
    from bitgoeul.audit import facade as audit
    from bitgoeul.ledger import facade as ledger
    from bitgoeul.outcomes import facade as outcomes

    def holds(report: Any) -> None:
        assert report.ok, report.findings[:3]

    return {
        "nightly ledger verify": lambda: holds(ledger.verify()),
        "nightly audit verify": lambda: holds(audit.verify()),
        "nightly figures": lambda: outcomes.public_figures() and None,
    }


if __name__ == "__main__":
    main()
