"""What the command line makes of tables and grids, before it asks the platform."""

from __future__ import annotations

import json

import pytest
from click import ClickException
from click.testing import CliRunner

from bitgoeul.site.cli import cli
from bitgoeul.site.cli.sweep import grid_of, table_of


@pytest.fixture
def table(tmp_path):
    """A file with these bytes."""

    def go(data: bytes):
        path = tmp_path / "points.csv"
        path.write_bytes(data)
        return path

    return go


def test_a_table_as_spreadsheets_save_it(table):
    points = [{"lr": "0.1", "메모": "가, 나"}, {"lr": "0.2", "메모": ""}]
    text = 'lr,메모\r\n0.1,"가, 나"\r\n\r\n0.2,\r\n'.replace("메모", "note")
    wanted = [{"lr": point["lr"], "note": point["메모"]} for point in points]
    assert table_of(table(text.encode("utf-8-sig"))) == wanted
    assert table_of(table(text.encode())) == wanted
    assert table_of(table(b"lr\tseed\n0.1\t 1\n")) == [{"lr": "0.1", "seed": "1"}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"lr,lr\n0.1,0.2\n", "each name once"),
        (b'lr,seed\n0.1,"1\n0.2,2\n', "Line 2 cannot be read"),
        (b"lr\n" + b"9" * 140_000, "Line 2 cannot be read"),
        (b"lr,seed\n\n\n0.1\n", "Line 4 must give 2 values"),
        (b"", "Give 1 to 16 parameters"),
        (b"lr\n", "these parameters make 0"),
        ("lr,메모\n0.1,가\n".encode("cp949"), "Save it from the spreadsheet as “CSV UTF-8”."),
    ],
)
def test_a_table_that_cannot_run_is_refused_in_words(table, data, said):
    path = table(data)
    with pytest.raises(ClickException) as caught:
        table_of(path)
    assert said in caught.value.message
    assert caught.value.message.startswith(f"--table: {path}")
    assert "Only text goes with a job" not in caught.value.message
    done = CliRunner().invoke(
        cli, ["sweep", "submit", "--table", str(path), "--url", "http://127.0.0.1:9", "true"]
    )
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_a_grid_is_read_as_the_form_reads_it():
    assert grid_of(("lr=0.1, 0.01", "seed = 1,2,")) == {"lr": ["0.1", "0.01"], "seed": ["1", "2"]}
    assert json.dumps(grid_of(("word=안녕, a=b",)), ensure_ascii=False) == '{"word": ["안녕", "a=b"]}'


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("lr",), "is not NAME=V1,V2"),
        (("lr=",), "is not NAME=V1,V2"),
        (("lr=1", "lr=2"), "is given twice"),
        (("lr=1", "lr =2"), "is given twice"),
        (("a-b=1",), "cannot be a parameter"),
        (("n=" + ",".join(map(str, range(1001))),), "these parameters make 1001"),
    ],
)
def test_a_grid_that_cannot_run_is_refused_in_words(texts, said):
    with pytest.raises(ClickException) as caught:
        grid_of(texts)
    assert said in caught.value.message
