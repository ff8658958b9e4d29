"""`bitgoeul usage ingest --dry-run`: what it prints, and what it says of input that it cannot use."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitgoeul.compute.metering import METRICS, LeftOut
from bitgoeul.site.cli import cli, usage
from compute.metering.lines import export, line

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metering.md"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "export.txt"
    path.write_text("\n".join(export(line(), line(JobID="8", End="2026-11-25T08:00:00"))) + "\n", encoding="utf-8")
    return path


def run(file, *words):
    return CliRunner().invoke(cli, ["usage", "ingest", str(file), "--cluster", "moa", "--dry-run", *words])


def refusal(file, *words):
    return str(CliRunner().invoke(
        cli, ["usage", "ingest", str(file), "--cluster", "moa", "--dry-run", *words], standalone_mode=False
    ).exception)  # fmt: skip


def test_every_metric_and_period_is_a_line_with_decimals_and_the_last_line_says_what_was_left_out(file):
    lines = run(file, "--json", "--by", "day").stdout.splitlines()
    rows = [json.loads(each) for each in lines]
    assert [row["metric"] for row in rows[:-1]] == list(METRICS)
    assert rows[0] == {"metric": "cpu_hours", "period": "day", "start": "2026-11-25", "value": 2}
    assert all(re.search(r'"value": \d+\.\d{6,}}$', each) for each in lines[:-1])
    assert rows[-1] == {"left_out": {"ends_before_start": 1}}


def test_people_read_a_table_and_for_each_reason_its_first_line_and_remedy(file):
    done = run(file, "--source-zone", "Asia/Seoul").output
    assert re.search(r"^2026-11 +2\.0000 +0\.0000", done, re.MULTILINE)
    assert "left out, ends_before_start: 1, first in line 3 – End: check the cluster's clocks" in done


def test_a_packed_file_is_read_whatever_its_name(file):
    packed = file.with_name("packed")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert run(packed, "--json").stdout == run(file, "--json").stdout


def test_a_packed_file_that_was_cut_short_is_refused(file):
    packed = file.with_suffix(".gz")
    packed.write_bytes(gzip.compress(file.read_bytes() * 50)[:-20])
    assert "damaged or cut short" in refusal(packed)


def test_files_and_zones_that_are_none_are_refused_with_a_remedy(file, tmp_path):
    assert "cannot be read: No such file" in refusal(tmp_path / "none")
    assert "cannot be read: Is a directory" in refusal(tmp_path)
    assert "--zone: there is no time zone “Mars/X”" in refusal(file, "--zone", "Mars/X")
    assert "--source-zone: there is no time zone" in refusal(file, "--source-zone", "x")
    file.write_bytes(b"\x7fELF\0\xff\xfe\n" * 3)
    assert "neither a header of sacct nor" in refusal(file)
    file.write_text("JobID|State\n7|COMPLETED\n", encoding="utf-8")
    assert "The header has no column Submit." in refusal(file)


def test_an_empty_export_is_an_empty_answer(file):
    file.write_text("", encoding="utf-8")
    assert run(file, "--json").stdout == '{"left_out": {}}\n'


def test_the_page_names_every_reason_and_metric():
    text = PAGE.read_text(encoding="utf-8")
    assert [each for each in (*LeftOut, *METRICS) if f"`{each}`" not in text] == []
    assert usage.COMMANDS


@pytest.mark.django_db
def test_an_export_goes_into_the_books_and_a_months_use_is_told(file, monkeypatch):
    monkeypatch.setattr(usage, "use_django_patiently", lambda: None)
    monkeypatch.setattr(usage, "refuse_other_schema", lambda what: None)

    def told(*words):
        done = CliRunner().invoke(cli, ["usage", *map(str, words), "--json"], standalone_mode=False)
        assert done.exception is None, done.exception
        return [json.loads(each) for each in done.stdout.splitlines()]

    left_out = {"ends_before_start": 1, "unknown_account": 1}
    assert told("ingest", file, "--cluster", "moa") == [
        {"new": 1, "changed": 0, "unchanged": 0, "entries": 0, "left_out": left_out}
    ]
    assert told("ingest", file, "--cluster", "moa")[0]["unchanged"] == 1
    row = {"project": None, "resource": "cpu", "amount": 7_200_000, "charged": 0}
    assert row in told("month", "2026-11")
    assert told("close-month", "2026-10") == [{"month": "2026-10", "closed": True}]


def test_the_books_take_no_other_zone_and_no_cluster_without_a_name(file):
    for words, said in (
        (["--cluster", "moa", "--zone", "UTC"], "--zone: the books are cut in Asia/Seoul"),
        (["--cluster", "a b"], "--cluster: give a name"),
    ):
        done = CliRunner().invoke(cli, ["usage", "ingest", str(file), *words], standalone_mode=False)
        assert said in str(done.exception)
