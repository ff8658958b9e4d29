"""XLSX sheets for lists, written row by row so that a long list does not fill the memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.cell.cell import Cell as SheetCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from bitgoeul.kernel.errors import LimitReached
from bitgoeul.kernel.text import N_, Text

Cell = str | int | float | datetime | None
ROWS_MAX = 1_048_575
# The largest whole number a spreadsheet shows exactly.
EXACT_INTEGER = 10**15
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
TEXT_MAX = 32_767
KOREA = timezone(timedelta(hours=9))


class TooManyRows(LimitReached):
    """The list has more lines than a sheet holds."""

    code = "too_many_rows"

    def __init__(self, *, limit: int) -> None:
        super().__init__(
            N_("The list has more than the {limit} lines that a sheet holds."),
            remedy=Text(N_("Choose a shorter period.")),
            limit=limit,
        )


@dataclass(frozen=True)
class Column:
    """A column's heading and its width in characters."""

    heading: str
    width: int = 18


def xlsx(title: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> bytes:
    """One sheet with a heading row; times in Korean time, numbers too large for a spreadsheet as text.

    Text that a spreadsheet would run as a formula is written as text, and stays text when a cell is edited or the
    sheet saved as CSV and opened again. Control characters, which no sheet can hold, are shown as �. Raises
    TooManyRows, nothing is cut off.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_title(title))
    for index, column in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = column.width
    heading = [_text(sheet, column.heading) for column in columns]
    for cell in heading:
        cell.font = Font(bold=True)
    sheet.append(heading)
    for number, row in enumerate(rows):
        if number >= ROWS_MAX:
            raise TooManyRows(limit=ROWS_MAX)
        sheet.append([_cell(sheet, value) for value in row])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet_title(title: str) -> str:
    plain = ILLEGAL_CHARACTERS_RE.sub("", title)
    return "".join("-" if sign in "[]:*?/\\" else sign for sign in plain)[:31].strip("'") or "Sheet"


def _text(sheet: WriteOnlyWorksheet, value: str) -> SheetCell:
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("�", value)[:TEXT_MAX])
    cell.data_type = "s"
    cell.quotePrefix = value.startswith(FORMULA_STARTS)
    return cell


def _cell(sheet: WriteOnlyWorksheet, value: Cell) -> object:
    if isinstance(value, datetime):
        return value.astimezone(KOREA).replace(tzinfo=None)
    if isinstance(value, int) and abs(value) >= EXACT_INTEGER:
        return str(value)
    return _text(sheet, value) if isinstance(value, str) else value
