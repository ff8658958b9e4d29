"""Copy what an ended job left from its engine into the content room; may be repeated without harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bitgoeul.content import facade as content
from bitgoeul.kernel.errors import NotFound

from ..models import Job
from ..ports import READ_LIMIT, STREAMS, Chunk, Engine, Handle, LogReader, OutputReader
from .ending import Kept

LOG_BYTES_MAX = 16 * 1024 * 1024
MIB = 1024 * 1024
ReadFile = Callable[[Handle, str, int, int], Chunk]
ReadPiece = Callable[[int, int], Chunk]


def collect(engine: Engine, row: Job, handle: Handle) -> list[Kept]:
    """Store a job's logs (their first 16 MiB) and promised outputs; what it did not leave is left out."""
    return [*_logs(engine, handle), *_outputs(engine, row, handle)]


def _logs(engine: Engine, handle: Handle) -> Iterator[Kept]:
    if not isinstance(engine, LogReader):
        return
    for stream in STREAMS:
        reader = _reader(engine.read_log, handle, stream)
        size = reader(0, 1).size
        if size:
            blob = content.put_stream(
                pieces(reader, LOG_BYTES_MAX), media_type="text/plain", limit_bytes=LOG_BYTES_MAX
            )
            yield Kept("log", stream, blob, truncated=size > blob.size)


def _outputs(engine: Engine, row: Job, handle: Handle) -> Iterator[Kept]:
    if not isinstance(engine, OutputReader):
        return
    limit = int(row.request["limits"]["file_mib"]) * MIB
    for name, size in engine.outputs(handle).items():
        reader = _reader(engine.read_output, handle, name)
        try:
            blob = content.put_stream(
                pieces(reader, limit), media_type="application/octet-stream", limit_bytes=limit
            )
        except NotFound:  # it stood there a moment ago: then the job did not leave it
            continue
        yield Kept("output", name, blob, truncated=size > blob.size)


def _reader(read: ReadFile, handle: Handle, name: str) -> ReadPiece:
    return lambda offset, limit: read(handle, name, offset, limit)


def pieces(read: ReadPiece, limit: int) -> Iterator[bytes]:
    """A file in pieces, up to ``limit`` bytes."""
    offset = 0
    while offset < limit:
        chunk = read(offset, min(READ_LIMIT, limit - offset))
        if not chunk.data:
            return
        offset += len(chunk.data)
        yield chunk.data
