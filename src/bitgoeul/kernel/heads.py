"""Signed heads of a hash chain, kept as lines outside the database.

A chain alone cannot show that its last rows were removed; a head signed earlier and kept elsewhere can.
One JSON line a head: ``{"chain", "sequence", "hash", "at", "keyid", "signature"}``.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .canonical import canonical_bytes
from .clock import now, rfc3339
from .signing import FileKey, public_key
from .text import N_, Text

LINES_CHECKED_MAX = 10_000
LINE_BYTES_MAX = 4096
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Head:
    """The newest position of a chain at the time ``at``."""

    chain: str
    sequence: int
    hash: str
    at: str

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return canonical_bytes({"chain": self.chain, "sequence": self.sequence, "hash": self.hash, "at": self.at})


@dataclass(frozen=True)
class SignedHead(Head):
    """A head with its signature, as it is handed to others."""

    keyid: str
    signature: bytes

    def to_json(self) -> dict[str, object]:
        """The head as a line of the file has it."""
        told = {name: getattr(self, name) for name in ("chain", "sequence", "hash", "at", "keyid")}
        return told | {"signature": base64.b64encode(self.signature).decode("ascii")}

    @classmethod
    def from_json(cls, data: object) -> SignedHead:
        """A head that somebody was given; raises ValueError for what is none."""
        if not isinstance(data, dict) or (head := _head(data)) is None or not HASH.fullmatch(head.hash):
            raise ValueError("not a signed head")
        return cls(**head.__dict__, keyid=str(data.get("keyid")), signature=_signature(data))


@dataclass(frozen=True)
class HeadFault:
    """A kept head that does not agree with the chain, or cannot be trusted."""

    subject: str
    text: Text


def append_head(path: Path, *, keys: Path, chain: str, sequence: int, hash: str) -> Head:
    """Sign a head with the centre's key and append it, synced to disk."""
    key = FileKey.load_or_create(keys)
    head = Head(chain, sequence, hash, rfc3339(now()))
    signature = base64.b64encode(key.sign(head.signed_bytes())).decode("ascii")
    line = json.dumps({**head.__dict__, "keyid": key.keyid, "signature": signature}, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    return head


def latest_head(path: Path) -> Head | None:
    """The last readable head, or None."""
    return _head(_last_line(path))


def latest_signed_head(path: Path) -> SignedHead | None:
    """The last readable head with its signature, or None."""
    try:
        return SignedHead.from_json(_last_line(path))
    except ValueError:
        return None


def check_heads(
    path: Path, *, keys: Path, chain: str, hash_at: Callable[[int], str | None]
) -> Iterator[HeadFault]:
    """Compare the kept heads with the chain: signature right, position present, hash the same."""
    lines = list(_lines(path))
    if not lines:
        return
    key = public_key((keys / "centre.pub").read_bytes())
    for line in lines[-LINES_CHECKED_MAX:]:
        head = _head(line)
        if head is None or head.chain != chain:
            yield HeadFault("?", Text(N_("A kept chain head cannot be read.")))
            continue
        if not key.verify(head.signed_bytes(), _signature(line)):
            yield HeadFault(f"#{head.sequence}", Text(N_("The signature of a kept chain head is not valid.")))
        elif hash_at(head.sequence) != head.hash:
            yield HeadFault(
                f"#{head.sequence}",
                Text(N_("The chain no longer has the position that was signed on {at}."), {"at": head.at}),
            )


def _last_line(path: Path) -> dict[str, object] | None:
    """The last whole line, without reading those before it."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LINE_BYTES_MAX * 2))
            ended = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return None
    return _parsed(ended.rpartition(b"\n")[2].decode("utf-8", "replace"))


def _lines(path: Path) -> Iterator[dict[str, object] | None]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            # A last line without its newline was cut by a crash while it was written.
            if line.endswith("\n"):
                yield _parsed(line)


def _parsed(line: str) -> dict[str, object] | None:
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _head(data: dict[str, object] | None) -> Head | None:
    if data is None or not isinstance(data.get("sequence"), int):
        return None
    return Head(str(data.get("chain")), int(str(data["sequence"])), str(data.get("hash")), str(data.get("at")))


def _signature(data: dict[str, object] | None) -> bytes:
    try:
        return base64.b64decode(str((data or {}).get("signature", "")), validate=True)
    except ValueError:
        return b""
