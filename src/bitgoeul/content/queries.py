"""Reading contents; every read checks what it reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from bitgoeul.audit.types import Finding, Report
from bitgoeul.kernel.text import N_

from .models import Blob
from .storage import digest_of, store
from .types import BlobRef, Damaged, NoSuchBlob, TooLarge


def ref(row: Blob) -> BlobRef:
    """The row as other rooms see it."""
    return BlobRef(row.digest, row.size, row.media_type, row.retain_until)


def blobs(digests: Iterable[str]) -> Mapping[str, BlobRef]:
    """Contents by digest, in one query; what does not exist is left out."""
    return {row.digest: ref(row) for row in Blob.objects.filter(digest__in=set(digests))}


def path_of(digest: str) -> Path:
    """The file of a content, its size checked; raises NoSuchBlob or Damaged. Read it, never write it."""
    row = Blob.objects.filter(digest=digest).first()
    if row is None:
        raise NoSuchBlob()
    return file_of(ref(row))


def file_of(blob: BlobRef) -> Path:
    """The file of a content that was looked up, its size checked; raises Damaged. Read it, never write it."""
    path = store().place_of(blob.digest)
    if not path.is_file() or path.stat().st_size != blob.size:
        raise Damaged(detail={"digest": blob.digest})
    return path


def open_blob(digest: str) -> BinaryIO:
    """The content as an open file, its size checked; the caller closes it."""
    return path_of(digest).open("rb")


def read(digest: str, *, max_bytes: int) -> bytes:
    """The whole content, its digest checked; raises TooLarge rather than cutting it."""
    with open_blob(digest) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(N_("The content is larger than {limit} bytes."), limit=max_bytes)
    if hashlib.sha256(data).hexdigest() != digest:
        raise Damaged(detail={"digest": digest})
    return data


def verify_blob(digest: str) -> None:
    """Hash the stored file again; raises NoSuchBlob or Damaged."""
    if digest_of(path_of(digest)) != digest:
        raise Damaged(detail={"digest": digest})


def absent() -> list[str]:
    """The digests of contents whose file is missing or of another size; reads no file."""
    place = store().place_of
    rows = Blob.objects.order_by("digest").values_list("digest", "size").iterator()
    return [digest for digest, size in rows if not _is_there(place(digest), size)]


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def verify() -> Report:
    """Hash every content again and report what is damaged or gone; it reads all of the storage."""
    findings, count = [], 0
    for digest in Blob.objects.order_by("digest").values_list("digest", flat=True).iterator():
        count += 1
        try:
            verify_blob(digest)
        except Damaged as error:
            findings.append(Finding("content", digest, error.text))
    return Report(findings=findings, counts={"contents": count})
