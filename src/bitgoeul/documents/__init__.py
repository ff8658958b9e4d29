"""Documents from plain data; knows no database."""

from .xlsx import Cell, Column, xlsx

__all__ = ["Cell", "Column", "xlsx"]
