"""A real export against the figures that Open XDMoD itself reports for it, through the command."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from bitgoeul.accounts.facade import Actor
from bitgoeul.compute import facade as compute
from bitgoeul.compute.metering import FIELDS, SITE_ZONE, Borders, LeftOut, Reader, Tally
from bitgoeul.compute.models import DayUse, MeteredRecord
from bitgoeul.compute.services.metering import record_of
from bitgoeul.site.cli import cli

TRACES = Path(__file__).resolve().parents[4] / "shared" / "data" / "traces"
LOG, EXPECTED = TRACES / "xdmod-phillips-sacct.log.gz", TRACES / "xdmod-phillips-expected" / "expected.csv"
NAMES = {
    "total_cpu_hours": "cpu_hours",
    "total_gpu_hours": "gpu_hours",
    "total_node_hours": "node_hours",
    "total_wallduration_hours": "wall_hours",
    "total_waitduration_hours": "wait_hours",
    "job_count": "jobs_ended",
    "started_job_count": "jobs_started",
    "running_job_count": "jobs_running",
}
pytestmark = pytest.mark.skipif(not LOG.exists(), reason=f"needs the trace {LOG.name} in ../shared/data/traces")


@pytest.fixture(scope="module", params=["day", "month"])
def told(request):
    """What the command says by day or by month, and which of the two."""
    done = CliRunner().invoke(
        cli,
        ["usage", "ingest", str(LOG), "--cluster", "phillips", "--dry-run", "--json", "--by", request.param,
         "--zone", "UTC"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return request.param, [json.loads(line) for line in done.stdout.splitlines()]


def test_eight_metrics_agree_in_every_expected_cell(told):
    period, lines = told
    ours = {(row["metric"], row["start"]): row["value"] for row in lines[:-1]}
    with EXPECTED.open(encoding="utf-8") as source:
        cells = [row for row in csv.DictReader(source) if row["metric"] in NAMES and row["period"] == period]
    assert len(cells) == 8 * {"day": 11, "month": 2}[period]
    off = [row for row in cells if abs(ours[NAMES[row["metric"]], row["start"]] - float(row["value"])) > 0.0001]
    assert off == []


@pytest.mark.django_db
def test_the_books_say_the_same_through_the_real_ingest_twice_over():
    system, utc, seoul = Actor.system("test"), ZoneInfo("UTC"), ZoneInfo(SITE_ZONE)

    def records():
        with gzip.open(LOG, "rt", encoding="utf-8") as source:
            yield from Reader(cluster="phillips", source_zone=utc).records(source)

    first = compute.ingest(actor=system, cluster="phillips", records=records())
    assert (first.new, first.left_out) == (4046, {LeftOut.UNKNOWN_ACCOUNT: 4046})
    kept = set(DayUse.objects.values_list("day", "resource", *FIELDS))
    again = compute.ingest(actor=system, cluster="phillips", records=records())
    assert (again.new, again.changed, again.unchanged) == (0, 0, 4046)
    assert set(DayUse.objects.values_list("day", "resource", *FIELDS)) == kept

    tallies = [Tally(Borders(zone, kind)) for zone, kind in ((utc, "day"), (utc, "month"), (seoul, "day"))]
    for row in MeteredRecord.objects.all():
        for tally in tallies:
            tally.add(record_of(row))
    ours = {
        (figure.metric, figure.period): float(figure.text) for tally in tallies[:2] for figure in tally.figures()
    }
    with EXPECTED.open(encoding="utf-8") as source:
        cells = [row for row in csv.DictReader(source) if row["metric"] in NAMES]
    assert len(cells) == 8 * 13
    assert [
        row for row in cells if abs(ours[NAMES[row["metric"]], row["start"]] - float(row["value"])) > 0.0001
    ] == []
    fields = {
        **{f"{name}_hours": name for name in ("node", "wall", "wait")},
        **{f"jobs_{name}": name for name in ("started", "ended", "submitted")},
    }
    by_day = {(row.day.isoformat(), row.resource): row for row in DayUse.objects.all()}
    for each in tallies[2].figures():
        row, gpus = by_day[each.period, "cpu"], by_day.get((each.period, "gpu"))
        if each.metric in fields:
            assert getattr(row, fields[each.metric]) == each.value, each
        elif each.metric == "cpu_hours":
            assert row.amount == each.value
        elif each.metric == "gpu_hours":
            assert (gpus.amount if gpus else 0) == each.value


def test_submissions_are_counted_where_the_source_drops_those_that_ran_in_another_period(told):
    _period, lines = told
    assert sum(row["value"] for row in lines[:-1] if row["metric"] == "jobs_submitted") == 4046
    assert lines[-1] == {"left_out": {"never_started": 239}}


def test_every_cell_is_there_zeros_too(told):
    period, lines = told
    assert len(lines) == 1 + 10 * {"day": 11, "month": 2}[period]
    assert {row["period"] for row in lines[:-1]} == {period}
