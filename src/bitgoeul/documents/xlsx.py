"""XLSX sheets for lists, written row by row so that a long list does not fill the memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

Cell = str | int | datetime | None
ROWS_MAX = 1_048_575
# The largest whole number a spreadsheet shows exactly.
EXACT_INTEGER = 10**15
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
KOREA = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Column:
    """A column's heading and its width in characters."""

    heading: str
    width: int = 18


def xlsx(title: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> bytes:
    """One sheet with a heading row; times in Korean time, numbers too large for a spreadsheet as text.

    Text that a spreadsheet would run as a formula is written as text. Raises ValueError for more rows than a
    sheet has.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_title(title))
    for index, column in enumerate(columns):
        sheet.column_dimensions[chr(ord("A") + index)].width = column.width
    heading = [WriteOnlyCell(sheet, column.heading) for column in columns]
    for cell in heading:
        cell.font = Font(bold=True)
    sheet.append(heading)
    for number, row in enumerate(rows):
        if number >= ROWS_MAX:
            raise ValueError(f"a sheet has at most {ROWS_MAX} rows")
        sheet.append([_cell(sheet, value) for value in row])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet_title(title: str) -> str:
    return "".join("-" if sign in r"[]:*?/\\" else sign for sign in title)[:31] or "Sheet"


def _cell(sheet: WriteOnlyWorksheet, value: Cell) -> object:
    if isinstance(value, datetime):
        return value.astimezone(KOREA).replace(tzinfo=None)
    if isinstance(value, int) and abs(value) >= EXACT_INTEGER:
        return str(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        cell = WriteOnlyCell(sheet, value)
        cell.data_type = "s"
        return cell
    return value
