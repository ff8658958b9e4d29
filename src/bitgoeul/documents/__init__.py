"""Documents from plain data; knows no database."""

from .xlsx import Cell, Column, TooManyRows, xlsx

__all__ = ["Cell", "Column", "TooManyRows", "xlsx"]
