"""Every write of the content room."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .models import Blob
from .queries import ref
from .storage import chunks_of, store
from .types import BlobRef, NoSuchBlob

MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")


def put_stream(chunks: Iterable[bytes], *, media_type: str, limit_bytes: int) -> BlobRef:
    """Store bytes that come in pieces; the same bytes again give the same content.

    The file is on disk before its row: a crash in between leaves a file without a row, which the next put adopts.
    Raises TooLarge, StorageFull, BadInput for a wrong media type. Call it outside a transaction when it is large.
    """
    if len(media_type) > 120 or not MEDIA_TYPE.fullmatch(media_type):
        raise BadInput(N_("“{name}” is not a media type."), field="media_type", name=media_type)
    digest, size = store().keep(chunks, limit_bytes)
    with transaction.atomic():
        row, _new = Blob.objects.get_or_create(digest=digest, defaults={"size": size, "media_type": media_type})
    return ref(row)


def put_bytes(data: bytes, *, media_type: str, limit_bytes: int) -> BlobRef:
    """Store ``data``; see ``put_stream``."""
    return put_stream([data], media_type=media_type, limit_bytes=limit_bytes)


def put_file(path: Path, *, media_type: str, limit_bytes: int) -> BlobRef:
    """Store a copy of the file at ``path``; see ``put_stream``."""
    return put_stream(chunks_of(path), media_type=media_type, limit_bytes=limit_bytes)


def retain(digest: str, *, until: datetime) -> BlobRef:
    """Forbid removal before ``until``; a time already promised is never shortened."""
    Blob.objects.filter(Q(retain_until=None) | Q(retain_until__lt=until), digest=digest).update(retain_until=until)
    row = Blob.objects.filter(digest=digest).first()
    if row is None:
        raise NoSuchBlob()
    return ref(row)
