"""Sheets open again with what was put in."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

from openpyxl import load_workbook

from bitgoeul.documents import Column, xlsx


def read(data: bytes):
    return load_workbook(BytesIO(data)).active


def test_rows_come_back_with_korean_time_and_exact_numbers():
    sheet = read(
        xlsx(
            "사용/내역",
            [Column("때"), Column("양"), Column("메모")],
            [[datetime(2026, 1, 1, 15, tzinfo=UTC), 2**53, None]],
        )
    )
    assert sheet.title == "사용-내역"
    assert [c.value for c in sheet[1]] == ["때", "양", "메모"]
    assert [c.value for c in sheet[2]] == [datetime(2026, 1, 2), "9007199254740992", None]


def test_a_formula_in_somebodys_name_is_not_run():
    sheet = read(xlsx("x", [Column("a")], [["=HYPERLINK(1)"], ["+1"], ["@x"], ["-2"]]))
    assert [sheet.cell(row, 1).data_type for row in range(2, 6)] == ["s"] * 4
    assert sheet.cell(2, 1).value == "=HYPERLINK(1)"
