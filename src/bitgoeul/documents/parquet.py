"""Parquet files for whoever reckons on: typed columns, written a row group at a time.

pyarrow is large and only wanted here, so it comes with the extra ``bitgoeul[parquet]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from bitgoeul.kernel.errors import Unavailable
from bitgoeul.kernel.text import N_, Text

# A row group is held in memory while it is written: some tens of MiB.
GROUP_ROWS = 50_000
Kind = Literal["text", "integer", "time", "day", "yes_or_no"]


class NoParquet(Unavailable):
    """The library that writes Parquet is not installed."""

    code = "no_parquet"

    def __init__(self) -> None:
        super().__init__(
            N_("Parquet files need the library pyarrow, which is not installed."),
            remedy=Text(N_("Install it beside bitgoeul: pip install 'bitgoeul[parquet]'")),
        )


@dataclass(frozen=True)
class ParquetColumn:
    """A column's name, what it holds, what that means, and whether it may be empty.

    Whole numbers have 64 bits, times are UTC to the microsecond.
    """

    name: str
    kind: Kind
    meaning: str
    optional: bool = False


def parquet(path: Path, name: str, columns: Sequence[ParquetColumn], rows: Iterable[Sequence[Any]]) -> int:
    """Write all rows to ``path``, replacing it, and say how many; memory is bounded by GROUP_ROWS of them.

    The file says what it is (``name``, kept as ``bitgoeul.table``) and what each column means. Raises NoParquet.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError:
        raise NoParquet() from None
    types = {
        "text": pa.string(), "integer": pa.int64(), "time": pa.timestamp("us", tz="UTC"), "day": pa.date32(),
        "yes_or_no": pa.bool_(),
    }  # fmt: skip
    fields = [
        pa.field(each.name, types[each.kind], nullable=each.optional, metadata={"meaning": each.meaning})
        for each in columns
    ]
    schema = pa.schema(fields, metadata={"bitgoeul.table": name})
    written, source = 0, iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(source, GROUP_ROWS)):
            cells = zip(*group, strict=True)
            arrays = [pa.array(each, type=kind.type) for each, kind in zip(cells, fields, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=GROUP_ROWS)
            written += len(group)
    return written
