"""The month as a Parquet file: DuckDB reads of it what the page says, corrections and late use included."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from bitgoeul.accounts.facade import Actor
from bitgoeul.documents import NoParquet, ParquetColumn, parquet
from bitgoeul.documents import parquet as writer
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import Label
from bitgoeul.resources import facade as resources
from bitgoeul.resources.facade import OF_A_DAY, OF_A_RECORD, UseLine
from bitgoeul.resources.models import UseMonth
from bitgoeul.site.cli import cli
from bitgoeul.site.cli import usage as commands

pytestmark = pytest.mark.django_db
SYSTEM, NAMES = Actor.system("test"), Label("시험", "test")


@pytest.fixture(autouse=True)
def same_connection(monkeypatch):
    """Both are for a process of its own: they end the connection, and with it this test's transaction."""
    monkeypatch.setattr(commands, "use_django_patiently", lambda: None)
    monkeypatch.setattr(commands, "refuse_other_schema", lambda _what: None)


@pytest.fixture
def allocation(project):
    resources.define_resource(
        actor=SYSTEM, code="core", category=resources.Category.COMPUTE, unit="core_ms", label=NAMES,
        provider=NAMES, location=NAMES,
    )  # fmt: skip
    return resources.grant(
        actor=SYSTEM, id=new_id(), project_id=project.id, resource_code="core", amount=10**9,
        starts_at=now() - timedelta(days=90), ends_at=now() + timedelta(days=30),
        origin=resources.Origin("staff", "1", "t", group="call-1"),
    )  # fmt: skip


def use(allocation, key, amount, ended, **detail):
    line = UseLine(
        allocation_id=allocation.id, amount=amount, source_key=key, started_at=ended - timedelta(hours=1),
        ended_at=ended, detail=detail,
    )  # fmt: skip
    resources.settle_use(lines=[line], actor=SYSTEM.id)


@pytest.fixture
def october(allocation):
    """Two uses in October, one of them corrected, one at each border in Seoul, and one late for September."""
    at = lambda *when: datetime(2026, *when, tzinfo=UTC)  # noqa: E731
    use(allocation, "sacct:moa:1:2:3:cpu:2026-10:x", 1_000, at(10, 5, 3))
    use(allocation, "sacct:moa:1:2:3:cpu:2026-10:x", 400, at(10, 5, 3))
    use(allocation, "moa:job:0", 70, at(10, 31, 14, 59))  # 23:59 of the last day
    use(allocation, "moa:job:1", 7_000, at(10, 31, 15, 0))  # November there
    use(allocation, "moa:job:2", 9_000, at(9, 30, 14, 59))  # September
    use(allocation, "sacct:moa:9:2:3:cpu:2026-09:x", 5, at(9, 30, 15, 0), late_for="2026-09")
    return allocation


def export(tmp_path, *words, name="october.parquet"):
    file = tmp_path / name
    done = CliRunner().invoke(cli, ["usage", "export", "--month", "2026-10", "--to", str(file), "--json", *words])
    assert done.exit_code == 0, done.output
    return file, json.loads(done.stdout)


def ask(text: str, file):
    return duckdb.sql(text.format(f"read_parquet('{file}')")).fetchall()


def test_duckdb_reads_every_record_with_its_corrections_and_sums_to_the_page(october, project, tmp_path):
    file, told = export(tmp_path)
    assert (told["rows"], told["table"]) == (4, "usage-records")
    whole = UseMonth.objects.get(month="2026-10-01").amount
    assert ask("select sum(change) from {}", file) == [(whole,)] == [(475,)]
    assert ask("select sum(amount) from {} where is_current", file) == [(475,)]
    rows = ask("select revision, is_current, amount, change, source from {} where record like 'sacct:moa:1%'"
               " order by revision", file)  # fmt: skip
    assert rows == [(0, False, 1_000, 1_000, "accounting"), (1, True, 400, -600, "accounting")]
    assert ask("select late_for, amount from {} where late_for is not null", file) == [("2026-09", 5)]
    (row,) = ask("select project, organisation_kind, programme, allocation, resource, unit, source from {} where"
                 " record = 'moa:job:0'", file)  # fmt: skip
    kind = project_kind(project)
    assert row == (project.number, kind, "call-1", str(october.id), "core", "core_ms", "portal")
    ((ended, zone),) = ask("select epoch(ended_at), typeof(ended_at) from {} where record = 'moa:job:0'", file)
    assert (ended, zone) == (datetime(2026, 10, 31, 14, 59, tzinfo=UTC).timestamp(), "TIMESTAMP WITH TIME ZONE")


def project_kind(project):
    from bitgoeul.accounts.models import Project

    return Project.objects.get(pk=project.id).organisation.kind


def test_the_days_sum_to_the_same(october, tmp_path):
    file, told = export(tmp_path, "--daily")
    assert told["table"] == "usage-days"
    assert ask("select day::varchar, amount from {} order by day", file) == [
        ("2026-10-01", 5), ("2026-10-05", 400), ("2026-10-31", 70),
    ]  # fmt: skip


@pytest.mark.parametrize(("words", "columns"), [((), OF_A_RECORD), (("--daily",), OF_A_DAY)])
def test_the_columns_are_those_of_the_reference_with_their_meaning_even_of_nothing(words, columns, tmp_path):
    import pyarrow.parquet as pq

    file, told = export(tmp_path, *words)
    assert told["rows"] == 0
    schema = pq.read_schema(file)
    assert [(each.name, each.metadata[b"meaning"].decode()) for each in schema] == [
        (each.name, each.meaning) for each in columns
    ]
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metering.md").read_text(encoding="utf-8")
    for each in columns:
        assert f"| `{each.name}` |" in page, each.name


def test_a_file_is_never_overwritten_and_a_failure_leaves_none(october, tmp_path, monkeypatch):
    file, _told = export(tmp_path)
    before = file.read_bytes()
    again = CliRunner().invoke(cli, ["usage", "export", "--month", "2026-10", "--to", str(file)])
    assert (again.exit_code, file.read_bytes()) == (2, before)
    for words in (
        ["--month", "2026-13", "--to", str(tmp_path / "x")],
        ["--month", "2026-10", "--to", "/nowhere/x"],
    ):
        assert CliRunner().invoke(cli, ["usage", "export", *words]).exit_code != 0

    def breaks(**_period):
        yield from ()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resources, "usage_to_export", breaks)
    full = CliRunner().invoke(cli, ["usage", "export", "--month", "2026-10", "--to", str(tmp_path / "y")])
    assert full.exit_code == 2
    assert "No space left" in full.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["october.parquet"]


def test_a_file_that_somebody_else_writes_meanwhile_stays_theirs(october, tmp_path, monkeypatch):
    file, read = tmp_path / "x", resources.usage_to_export

    def meanwhile(**period):
        yield from read(**period)
        file.write_text("theirs")

    monkeypatch.setattr(resources, "usage_to_export", meanwhile)
    done = CliRunner().invoke(cli, ["usage", "export", "--month", "2026-10", "--to", str(file)])
    assert (done.exit_code, "never overwritten" in done.output, file.read_text()) == (2, True, "theirs")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NoParquet, match="pyarrow"):
        parquet(tmp_path / "x", "t", (), ())


def test_rows_are_written_in_groups(tmp_path, monkeypatch):
    import sys

    import pyarrow.parquet as pq

    monkeypatch.setattr(sys.modules["bitgoeul.documents.parquet"], "GROUP_ROWS", 10)
    columns = [ParquetColumn("n", "integer", "a number"), ParquetColumn("t", "text", "a text", optional=True)]
    assert writer(tmp_path / "x", "t", columns, ((n, None) for n in range(95))) == 95
    file = pq.ParquetFile(tmp_path / "x")
    assert (file.num_row_groups, file.metadata.num_rows) == (10, 95)
