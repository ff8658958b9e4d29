"""Documents from plain data; knows no database."""

from .parquet import NoParquet, ParquetColumn, parquet
from .xlsx import Cell, Column, TooManyRows, xlsx

__all__ = ["Cell", "Column", "NoParquet", "ParquetColumn", "TooManyRows", "parquet", "xlsx"]
