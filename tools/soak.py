"""The full counts of races, kills and cut connections, on SQLite and on PostgreSQL, as a table for docs/measured.

python tools/soak.py [--database sqlite|postgresql] [--tenth] [piece …]

Each piece is some tests of the suite with their numbers turned up, and has a limit of its own; one that fails or
runs out of time does not stop the others. Exit status 1 when one did not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import postgres
from setup import PYTHON, ROOT
from trouble import Trouble

NOTHING_CHOSEN = 5  # how pytest ends when a folder holds no slow test
DATABASES = ("sqlite", "postgresql")
FULL = {"SOAK": "1", "SOAK_ROUNDS": "50", "RACE_JOBS": "400", "EXAMPLE_SHARE": "1"}
TENTH = {"SOAK": "0", "SOAK_ROUNDS": "5", "RACE_JOBS": "40"}


@dataclass(frozen=True)
class Piece:
    """One part of the soak: which tests, for how long at most, and on which databases."""

    name: str
    tests: tuple[str, ...]
    minutes_max: int
    databases: tuple[str, ...] = DATABASES


PIECES = (
    Piece("races", ("tests/races",), 30),
    Piece("followers", ("tests/faults/test_followers.py",), 30),
    Piece("ingest", ("tests/faults/test_ingest.py",), 30),
    Piece("kills", ("tests/journeys/test_kill.py",), 60),
    Piece("scale", ("tests/scale",), 60, ("sqlite",)),  # it reads SQLite's query plans
    Piece("slurm", ("tests/slurm/test_faults.py", "tests/slurm/test_followers.py"), 60, ("sqlite",)),
    Piece("database", ("tests/faults/test_database.py",), 30, ("postgresql",)),
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    database: str
    piece: str
    test: str
    result: str
    seconds: float
    held: bool

    def __str__(self) -> str:
        return f"| {self.database} | {self.piece} | {self.test} | {self.result} | {self.seconds:.0f} |"


def soak(piece: Piece, database: str, environ: dict[str, str]) -> Iterator[Row]:
    """Run one piece and read what its tests say of themselves."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        # xunit1 has a place for what a test says of itself.
        command = [str(PYTHON), "-m", "pytest", "-q", "-m", "slow", "-o", "junit_family=xunit1",
                   f"--junitxml={report.name}", *piece.tests]  # fmt: skip
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        try:
            process.wait(piece.minutes_max * 60)
        except subprocess.TimeoutExpired:
            pass  # told below as a piece that did not hold
        finally:
            process.terminate()
            process.wait()
        rows = list(_rows(Path(report.name), piece, database))
    if process.returncode not in (0, NOTHING_CHOSEN) and all(row.held for row in rows):
        why = f"DID NOT HOLD: ended with status {process.returncode}; at most {piece.minutes_max} min are given"
        rows.append(Row(database, piece.name, "the whole", why, time.monotonic() - started, held=False))
    yield from rows


def _rows(report: Path, piece: Piece, database: str) -> Iterator[Row]:
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest of this machine wrote it
    except ElementTree.ParseError:
        return
    for case in cases:
        seconds = float(case.get("time", "0"))
        name = case.get("name", "").removeprefix("test_").replace("_", " ")
        fault = next((each for kind in ("failure", "error") for each in case.iter(kind)), None)
        said = next((each.get("value", "") for each in case.iter("property") if each.get("name") == "result"), "")
        if fault is not None:
            message = " ".join(fault.get("message", "").split()).replace("|", "/")[:200]
            yield Row(database, piece.name, name, f"DID NOT HOLD: {message}", seconds, held=False)
        elif next(case.iter("skipped"), None) is None:
            yield Row(database, piece.name, name, said or "held", seconds, held=True)


def header(counts: str) -> str:
    """When, where and of what the table speaks."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    folder = postgres.programs()
    server = f", PostgreSQL {postgres.version_of(folder)}" if folder else ""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    where = f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}{server}"
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"\n## Soak of {time.strftime('%Y-%m-%d %H:%M')} ({counts}, commit {commit})\n\n{where}, load {load}.\n\n"
        "| database | piece | test | result | seconds |\n|---|---|---|---|---|"
    )


def run(databases: Sequence[str], pieces: Sequence[Piece], *, tenth: bool) -> int:
    """Every piece on every database; the table last, on standard output."""
    rows: list[Row] = []
    head = header("a tenth of the counts" if tenth else "full counts")
    with ExitStack() as stack:
        for database in databases:
            environ = os.environ | (TENTH if tenth else FULL)
            environ.pop(postgres.URL_VARIABLE, None)
            if database == "postgresql":
                environ[postgres.URL_VARIABLE] = stack.enter_context(postgres.throwaway()).url()
            for piece in pieces:
                if database in piece.databases:
                    print(f"\n== {piece.name} on {database}", file=sys.stderr, flush=True)
                    rows += soak(piece, database, environ)
    print(head, *rows, sep="\n", flush=True)
    failed = sum(not row.held for row in rows)
    print(f"\n{len(rows) - failed} held, {failed} did not.", flush=True)
    return 1 if failed or not rows else 0


def main() -> int:
    """The command line."""
    names = [piece.name for piece in PIECES]
    parser = argparse.ArgumentParser(prog="tools/soak.py", description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=DATABASES, help="only this one")
    parser.add_argument("--tenth", action="store_true", help="a tenth of the counts, to see that it works")
    parser.add_argument("piece", nargs="*", help=f"only these of {', '.join(names)}")
    given = parser.parse_args()
    if unknown := set(given.piece) - set(names):
        parser.error(f"there is no piece {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [piece for piece in PIECES if not given.piece or piece.name in given.piece]
    postgres.clean_up_when_ended()
    try:
        return run([given.database] if given.database else DATABASES, chosen, tenth=given.tenth)
    except KeyboardInterrupt:
        return 130
    except Trouble as trouble:
        print(f"\n{trouble.what}\n{trouble.remedy}", file=sys.stderr)
        return trouble.status


if __name__ == "__main__":
    sys.exit(main())
