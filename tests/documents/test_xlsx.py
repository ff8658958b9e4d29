"""Sheets open again with what was put in."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest
from openpyxl import load_workbook

from bitgoeul.documents import Column, TooManyRows, xlsx


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


def test_a_formula_stays_text_when_its_cell_is_edited():
    sheet = read(xlsx("x", [Column("a")], [["=1+1"], ["plain"]]))
    assert (sheet.cell(2, 1).quotePrefix, sheet.cell(3, 1).quotePrefix) == (True, False)


def test_signs_that_no_sheet_can_hold_are_shown_as_such():
    sheet = read(xlsx("\x00'a'", [Column("a\x0b")], [["b\x1fc"]]))
    assert (sheet.title, sheet.cell(1, 1).value, sheet.cell(2, 1).value) == ("a", "a�", "b�c")


def test_a_wide_list_has_its_widths():
    sheet = read(xlsx("x", [Column(str(n), width=9) for n in range(30)], [list(range(30))]))
    assert sheet.column_dimensions["AD"].width == 9
    assert sheet.cell(2, 30).value == 29


def test_too_long_a_list_is_refused_not_cut(monkeypatch):
    monkeypatch.setitem(xlsx.__globals__, "ROWS_MAX", 2)
    with pytest.raises(TooManyRows) as caught:
        xlsx("x", [Column("a")], [[1], [2], [3]])
    assert caught.value.remedy
    assert caught.value.text.params == {"limit": 2}
