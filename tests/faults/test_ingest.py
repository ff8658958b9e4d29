"""A reading of a cluster's accounting is killed half way, again and again: in the end each record is charged once.

SOAK_ROUNDS is the number of kills.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bitgoeul.compute.ports import account_name
from compute.metering.lines import export, line
from installation import environment

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("SOAK_ROUNDS", "3"))
RECORDS = 2_000
# Two cores for ten seconds, in thousandths.
EACH = 20_000
ACT = str(Path(__file__).with_name("act.py"))


def act(home: Path, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, ACT, *arguments], env=environment(home), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ingest(home: Path, file: Path) -> list[str]:
    command = [sys.executable, "-m", "bitgoeul.site.cli", "usage", "ingest", str(file), "--cluster", "moa"]
    return [*command, "--json"]


def test_a_killed_ingest_charges_each_record_once_in_the_end(stopped_installation, tmp_path, record_property):
    home, chance = stopped_installation.home, random.Random(7)
    number = act(home, "project")["number"]
    file = tmp_path / "sacct.txt"
    lines = [
        line(JobID=str(each), End="2026-11-25T09:00:10", Elapsed="00:00:10", Account=account_name(str(number)))
        for each in range(1, RECORDS + 1)
    ]
    file.write_text("\n".join(export(*lines)) + "\n")
    killed = 0
    for _round in range(KILLS):
        process = subprocess.Popen(
            ingest(home, file), env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(1.0 + 3.0 * chance.random())
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
            killed += 1
    assert killed, "no reading was ever interrupted"
    half_way = act(home, "metered")
    assert half_way["used"] == half_way["records"] * EACH, "what is read is charged, and nothing else"
    done = subprocess.run(ingest(home, file), env=environment(home), capture_output=True, text=True, timeout=300,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert act(home, "metered") == {"records": RECORDS, "used": RECORDS * EACH, "days": RECORDS * EACH}
    for book in ("ledger", "audit"):
        assert stopped_installation.run(book, "verify").returncode == 0
    record_property(
        "result", f"{killed} kills, the last at {half_way['records']} of {RECORDS}: each charged once in the end"
    )
