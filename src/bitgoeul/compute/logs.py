"""A job's log: from the engine while it is unfinished, from the content room afterwards."""

from __future__ import annotations

from uuid import UUID

from bitgoeul.accounts import facade as accounts
from bitgoeul.content import facade as content
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.text import N_

from .engines import engine_of
from .models import Job, JobArtefact
from .ports import READ_LIMIT, STREAMS, Chunk, Handle, LogReader
from .queries import checked_job
from .types import LogChunk


def read_log(
    *, actor: accounts.Actor, job_id: UUID, stream: str = "stdout", offset: int = 0, limit: int = 65536
) -> LogChunk:
    """At most ``limit`` bytes (≤ 1 MiB) of ``stdout`` or ``stderr`` from byte ``offset``, as text.

    What is no UTF-8 shows as the replacement character; a character cut at the end of an unfinished piece is left
    for the next one, so that following never garbles.
    """
    row = checked_job(actor, job_id)
    if stream not in STREAMS:
        raise BadInput(N_("A log is “stdout” or “stderr”."), field="stream")
    if offset < 0 or not 0 < limit <= READ_LIMIT:
        raise BadInput(N_("Read from byte 0 on, 1 to {limit} bytes at a time."), field="offset", limit=READ_LIMIT)
    if row.ended_at is None:
        return _chunk(_live(row, stream, offset, limit), ended=False)
    kept = JobArtefact.objects.filter(job=row, role="log", name=stream).select_related("blob").first()
    if kept is None:
        return LogChunk("", offset, offset, 0, complete=True)
    with content.open_blob(kept.blob_id) as file:
        file.seek(offset)
        piece = Chunk(file.read(limit), offset, kept.blob.size)
    return _chunk(piece, ended=True, truncated=kept.truncated)


def _live(row: Job, stream: str, offset: int, limit: int) -> Chunk:
    engine = engine_of(row.cluster) if row.handle else None
    if not isinstance(engine, LogReader):
        return Chunk(b"", offset, 0)
    try:
        return engine.read_log(Handle.from_json(row.handle), stream, offset, limit)
    except NotFound:  # unknown to the engine at the moment: nothing to show, and not the reader's mistake
        return Chunk(b"", offset, 0)


def _chunk(piece: Chunk, *, ended: bool, truncated: bool = False) -> LogChunk:
    at_end = ended and piece.offset + len(piece.data) >= piece.size
    data = piece.data if at_end else whole_characters(piece.data)
    following = piece.offset + len(data)
    return LogChunk(data.decode(errors="replace"), piece.offset, following, piece.size, at_end, truncated)


def whole_characters(data: bytes) -> bytes:
    """``data`` without an unfinished UTF-8 character at its end."""
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead & 0xC0 != 0x80:  # the start of the last character
            length = 2 if lead >> 5 == 0b110 else 3 if lead >> 4 == 0b1110 else 4 if lead >> 3 == 0b11110 else 1
            return data[:-back] if length > back else data
    return data
