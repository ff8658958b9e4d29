"""Nothing grows with rows: the same queries, bounded rows and no full scan, at one size and at ten times that.

In CI the example's year is a tenth (share 10); `make soak` takes the whole of it (SOAK=1). The example is loaded
once a run, measured, copied, multiplied by SQL and measured again, each time by a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installation import command, copy_home, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the query plans read here are SQLite's"),
]
SHARE = os.environ.get("EXAMPLE_SHARE", "1" if os.environ.get("SOAK") == "1" else "10")
MEASURE = Path(__file__).with_name("measure.py")
SECONDS_MAX = 1_800 if SHARE == "1" else 600
ROWS_MAX = 260
# Summed by the database over the whole fleet, a few hundred nodes: the sum is the page.
SUMMED = {"compute_node"}
# A workbook of every project names every project.
WHOLE = {
    "export-staff /use.xlsx?by=project": {"accounts_project"},
    "export-staff /use/allocations.xlsx": {"accounts_project"},
}
# The verifies read each row of books and chain a few times, in batches of hundreds.
READS_MAX, BATCH_MIN, STATEMENTS_MAX = 6, 20, 120


def load(home, share):
    done = command(home, "example", "load", "--full", "--share", share, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr[-2_000:]
    return home


def measured(home, *options):
    done = subprocess.run(
        [sys.executable, str(MEASURE), str(home), *options],
        env=environment(home), capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def home(template_home, tmp_path_factory):
    """A home with the share of the example's year asked for."""
    return load(copy_home(template_home, tmp_path_factory.mktemp("scale") / "home"), SHARE)


@pytest.fixture(scope="module")
def measurements(home, tmp_path_factory):
    """What everything costs on that home, and on a copy with ten times its rows."""
    once = measured(home)
    tenfold = copy_home(home, tmp_path_factory.mktemp("tenfold") / "home")
    return once, measured(tenfold, "--times", "10")


def nightly(cost):
    return {name: one for name, one in cost.items() if name.startswith("nightly")}


@pytest.fixture(scope="module")
def costs(measurements):
    """The costs at both sizes, without the nightly jobs that read everything."""
    found = [one["costs"] for one in measurements]
    return [{name: one for name, one in cost.items() if name not in nightly(cost)} for cost in found]


def test_everything_takes_the_same_number_of_queries_at_ten_times_the_rows(costs):
    once, tenfold = ({name: one["queries"] for name, one in cost.items()} for cost in costs)
    assert len(once) > 30
    assert tenfold == once


def test_a_page_fetches_a_bounded_number_of_rows(costs):
    for cost in costs:
        grown = {name: one["rows"] for name, one in cost.items() if not name.startswith("export-")}
        assert {name: rows for name, rows in grown.items() if rows > ROWS_MAX} == {}


def test_no_page_and_no_nightly_job_reads_a_large_table_from_end_to_end(costs):
    for cost in costs:
        found = {name: set(one["scans"]) - SUMMED - WHOLE.get(name, set()) for name, one in cost.items()}
        assert {name: tables for name, tables in found.items() if tables} == {}


def test_nightly_verifies_find_nothing_amiss_and_read_each_row_a_few_times_in_batches(measurements):
    found = nightly(measurements[0]["costs"])
    size = measurements[0]["size"]
    assert set(found) == {"nightly ledger verify", "nightly audit verify", "nightly figures"}
    for name, cost in found.items():
        assert cost["queries"] <= STATEMENTS_MAX + size / BATCH_MIN, (name, cost, size)
        assert cost["rows"] <= ROWS_MAX + READS_MAX * size, (name, cost, size)
    assert found["nightly figures"]["queries"] <= STATEMENTS_MAX
    assert found["nightly figures"]["rows"] <= ROWS_MAX
