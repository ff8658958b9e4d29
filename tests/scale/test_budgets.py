"""Nothing grows with rows: the same queries, bounded rows and no full scan, at full size and at ten times that.

In CI the example's year is a tenth (EXAMPLE_SHARE, 10); `make soak` takes the whole of it. Each measurement runs
as a process of its own on a home of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installation import command, copy_home, environment

pytestmark = pytest.mark.slow
SHARE = os.environ.get("EXAMPLE_SHARE", "10")
MEASURE = Path(__file__).with_name("measure.py")
SECONDS_MAX = 900
ROWS_MAX = 260
# Summed by the database over the whole fleet, a few hundred nodes: the sum is the page.
SUMMED = {"compute_node"}


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
def homes(template_home, tmp_path_factory):
    """A home with a hundredth of the year, and one with the share asked for."""
    root = tmp_path_factory.mktemp("scale")
    small = load(copy_home(template_home, root / "small"), "100")
    return small, load(copy_home(template_home, root / "full"), SHARE)


@pytest.fixture(scope="module")
def costs(homes, tmp_path_factory):
    """What everything costs on the small home, the full one, and one with ten times its rows."""
    small, full = homes
    tenfold = copy_home(full, tmp_path_factory.mktemp("tenfold") / "home")
    return measured(small), measured(full), measured(tenfold, "--times", "10")


def test_everything_takes_the_same_number_of_queries_at_any_size(costs):
    small, full, tenfold = ({name: one["queries"] for name, one in cost.items()} for cost in costs)
    assert len(small) > 30
    assert full == small
    assert tenfold == small


def test_a_page_fetches_a_bounded_number_of_rows(costs):
    for cost in costs:
        grown = {name: one["rows"] for name, one in cost.items() if not name.startswith("export-")}
        assert {name: rows for name, rows in grown.items() if rows > ROWS_MAX} == {}


def test_no_page_and_no_nightly_job_reads_a_large_table_from_end_to_end(costs):
    for cost in costs:
        found = {name: set(one["scans"]) - SUMMED for name, one in cost.items()}
        assert {name: tables for name, tables in found.items() if tables} == {}


def test_the_books_and_the_chain_of_the_full_example_agree(homes):
    for book in ("ledger", "audit"):
        done = command(homes[1], book, "verify", timeout=SECONDS_MAX)
        assert done.returncode == 0, done.stdout[-2_000:]
