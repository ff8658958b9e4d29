"""What the content room gives and refuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bitgoeul.kernel.errors import LimitReached, NotFound, Unavailable


@dataclass(frozen=True)
class BlobRef:
    """A stored content: ``digest`` is the SHA-256 in lower-case hex, ``size`` in bytes.

    ``media_type`` is what its first writer said; it is never trusted as a type to execute or render.
    """

    digest: str
    size: int
    media_type: str
    retain_until: datetime | None = None


class TooLarge(LimitReached):
    """The file is larger than allowed."""

    code = "too_large"


class StorageFull(Unavailable):
    """The disk is full. Nothing was stored; make room or tell the operator, then try again."""

    code = "storage_full"


class NoSuchBlob(NotFound):
    """There is no content of this digest."""

    code = "no_such_content"


class Damaged(Unavailable):
    """The stored content does not match its digest any more. Restore it from a backup."""

    code = "content_damaged"
