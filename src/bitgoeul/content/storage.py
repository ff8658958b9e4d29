"""Bytes on disk by digest: written in one step, never changed afterwards."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.storage import FileSystemStorage, default_storage

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .types import StorageFull, TooLarge

CHUNK = 1024 * 1024
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
HEX = frozenset("0123456789abcdef")


class BlobStorage(FileSystemStorage):
    """Django's file storage with content addresses: ``ab/cd/abcd…`` under the default storage's place."""

    def name_of(self, digest: str) -> str:
        """The name of a content in the storage; raises BadInput for what is no digest (and so never leaves it)."""
        if len(digest) != 64 or not HEX.issuperset(digest):
            raise BadInput(N_("A digest is 64 characters of 0–9 and a–f."), field="digest")
        return f"{digest[:2]}/{digest[2:4]}/{digest}"

    def place_of(self, digest: str) -> Path:
        """The path of a content, whether it is there or not."""
        return Path(self.path(self.name_of(digest)))

    def keep(self, chunks: Iterable[bytes], limit_bytes: int) -> tuple[str, int]:
        """Store bytes; digest and size. A crash leaves a temporary file at most, never half a content.

        Raises TooLarge beyond ``limit_bytes`` and StorageFull when the disk is.
        """
        with _disk_errors(), self._temporary() as (file, path):
            digest, size = _write(file, chunks, limit_bytes)
            place = self.place_of(digest)
            if not (place.is_file() and place.stat().st_size == size):
                place.parent.mkdir(parents=True, exist_ok=True)
                path.chmod(0o440)
                path.rename(place)
                _sync(place.parent)
            return digest, size

    @contextmanager
    def _temporary(self) -> Iterator[tuple[int, Path]]:
        directory = Path(self.location) / "tmp"
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=directory)
        try:
            yield handle, Path(name)
        finally:
            os.close(handle)
            Path(name).unlink(missing_ok=True)


def store() -> BlobStorage:
    """The storage of this installation."""
    return BlobStorage(location=default_storage.path(""))


def chunks_of(path: Path) -> Iterator[bytes]:
    """A file in pieces."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    hasher = hashlib.sha256()
    for chunk in chunks_of(path):
        hasher.update(chunk)
    return hasher.hexdigest()


def _write(handle: int, chunks: Iterable[bytes], limit_bytes: int) -> tuple[str, int]:
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(
                N_("The file is larger than the limit of {limit} bytes. Make it smaller."), limit=limit_bytes
            )
        hasher.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(handle, view) :]
    os.fsync(handle)
    return hasher.hexdigest(), size


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull() from error
        raise
