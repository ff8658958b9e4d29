"""What other rooms may ask of the content room. It knows no rights: whoever refers to a content checks them."""

from __future__ import annotations

from .queries import absent, blobs, file_of, open_blob, path_of, read, verify, verify_blob
from .services import put_bytes, put_file, put_stream, retain
from .types import BlobRef, Damaged, NoSuchBlob, StorageFull, TooLarge

__all__ = [
    "BlobRef",
    "Damaged",
    "NoSuchBlob",
    "StorageFull",
    "TooLarge",
    "absent",
    "blobs",
    "file_of",
    "open_blob",
    "path_of",
    "put_bytes",
    "put_file",
    "put_stream",
    "read",
    "retain",
    "verify",
    "verify_blob",
]
