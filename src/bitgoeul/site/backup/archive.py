"""The archive: a tar file whose last members say what must be in it.

``manifest.json`` lists every part with size and SHA-256, ``manifest.sig`` is its signature by the centre's key.
Knows neither Django nor the database, so that an archive can be checked anywhere.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.signing import PublicKey, Signer, b64decode, b64encode, public_key

FORMAT = "bitgoeul-backup-1"
MANIFEST, SIGNATURE, SETTINGS = "manifest.json", "manifest.sig", "settings.json"
SQLITE, POSTGRESQL = "database.sqlite3", "database.pgdump"
DATABASES = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
SEALED_KEYS = "keys.sealed"
NAMES = re.compile(
    r"manifest\.(json|sig)|settings\.json|database\.(sqlite3|pgdump)|keys\.sealed|content/[0-9a-f]{64}"
    r"|(keys|public-keys|heads)/[A-Za-z0-9][A-Za-z0-9._-]{0,100}"
)
CHUNK = 2**20
SMALL_MAX = 64 * 2**20
Progress = Callable[[str], None]


class BrokenArchive(Exception):
    """The archive is not what was written; ``part`` names what is wrong."""

    def __init__(self, part: str, text: str) -> None:
        super().__init__(f"{part}: {text}")
        self.part = part


@dataclass(frozen=True)
class Part:
    """One member: its name, its size in bytes and its SHA-256."""

    name: str
    size: int
    sha256: str


class _Hashing(io.RawIOBase):
    """Reads through to a file and keeps the digest of what was read."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.hasher = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.hasher.update(data)
        return data


@dataclass
class Writer:
    """Writes the members of a new archive and, at its end, what they are."""

    tar: tarfile.TarFile
    parts: list[Part] = field(default_factory=list)

    def file(self, name: str, path: Path) -> Part:
        """Add a file as it is now; one that grows meanwhile is taken up to its present size."""
        with path.open("rb") as source:
            return self._add(name, source, path.stat().st_size)

    def data(self, name: str, data: bytes) -> Part:
        """Add bytes."""
        return self._add(name, io.BytesIO(data), len(data))

    def _add(self, name: str, source: IO[bytes], size: int) -> Part:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        reader = _Hashing(source)
        self.tar.addfile(info, reader)
        part = Part(name, size, reader.hasher.hexdigest())
        self.parts.append(part)
        return part

    def close(self, facts: Mapping[str, Any], signer: Signer | None) -> None:
        """Write the manifest, its signature when there is a key, and the end of the archive."""
        parts = [part.__dict__ for part in self.parts]
        manifest = json.dumps({"format": FORMAT, **facts, "parts": parts}, ensure_ascii=False, indent=1).encode()
        self.data(MANIFEST, manifest)
        if signer is not None:
            signature = {"keyid": signer.keyid, "sig": b64encode(signer.sign(manifest))}
            self.data(SIGNATURE, json.dumps(signature).encode())
        self.tar.close()


def new_private(path: Path) -> IO[bytes]:
    """A new file that only its owner may read; FileExistsError when the name is taken."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Every member in order; BrokenArchive for what is no archive of ours, is cut, or has a wrong name."""
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                if not info.isreg() or not NAMES.fullmatch(info.name):
                    raise BrokenArchive(info.name[:100], "does not belong into a backup")
                source = tar.extractfile(info)
                assert source is not None
                yield info.name, source
    except (tarfile.TarError, EOFError) as error:
        raise BrokenArchive(path.name, f"is cut or is no backup ({error})") from error


def pieces(name: str, source: IO[bytes]) -> Iterator[bytes]:
    """A member in pieces; BrokenArchive when it is cut."""
    try:
        while chunk := source.read(CHUNK):
            yield chunk
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BrokenArchive(name, "is cut") from error


@dataclass(frozen=True)
class Checked:
    """What a whole archive says of itself, after every part was read and compared."""

    manifest: Mapping[str, Any]
    signed_by: str

    @property
    def vendor(self) -> str:
        """Which database it holds."""
        return str(self.manifest["database"]["vendor"])

    def parts(self, prefix: str) -> list[Part]:
        """The parts whose names begin so."""
        return [Part(**part) for part in self.manifest["parts"] if part["name"].startswith(prefix)]


def check(path: Path, *, trusted: PublicKey | None = None, progress: Progress = lambda _text: None) -> Checked:
    """Read the whole archive and compare it with its manifest; raises BrokenArchive naming the part.

    ``trusted`` is a key that must have signed the manifest; without one the archive's own key is believed, which
    shows damage but no forgery.
    """
    found: dict[str, Part] = {}
    small: dict[str, bytes] = {}
    for name, source in members(path):
        if name in found:
            raise BrokenArchive(name, "is there twice")
        hasher, size, kept = hashlib.sha256(), 0, bytearray()
        for chunk in pieces(name, source):
            hasher.update(chunk)
            size += len(chunk)
            if name in (MANIFEST, SIGNATURE) or name.startswith("public-keys/"):
                kept += chunk
                if size > SMALL_MAX:
                    raise BrokenArchive(name, "is too large")
        found[name], small[name] = Part(name, size, hasher.hexdigest()), bytes(kept)
        if len(found) % 100 == 0:
            progress(f"{len(found)} parts read")
    manifest = _manifest(small.get(MANIFEST, b""))
    _compare({part.name: part for part in map(_part, manifest["parts"])}, found)
    return Checked(manifest, _signer(small, trusted))


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
        if manifest["format"] != FORMAT:
            raise BrokenArchive(MANIFEST, f"is of the form {manifest['format']}; this code reads {FORMAT}")
        _shape = manifest["parts"][0]["name"], manifest["database"]["vendor"], manifest["keys"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BrokenArchive(
            MANIFEST, "is missing or cannot be read; the archive is cut or is no backup"
        ) from error
    return dict(manifest)


def _part(data: Mapping[str, Any]) -> Part:
    try:
        return Part(str(data["name"]), int(data["size"]), str(data["sha256"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenArchive(MANIFEST, "lists something that is no part") from error


def _compare(wanted: Mapping[str, Part], found: Mapping[str, Part]) -> None:
    for name, part in wanted.items():
        if name not in found:
            raise BrokenArchive(name, "is missing")
        if found[name] != part:
            raise BrokenArchive(name, "is not what was written: its digest or its size differs")
    if extra := sorted(set(found) - set(wanted) - {MANIFEST, SIGNATURE}):
        raise BrokenArchive(extra[0], "is not in the manifest")


def _signer(small: Mapping[str, bytes], trusted: PublicKey | None) -> str:
    """The id of the key that signed the manifest; empty when none did and none had to."""
    if SIGNATURE not in small:
        if trusted is not None:
            raise BrokenArchive(SIGNATURE, "is missing: nobody signed this backup")
        return ""
    try:
        signature = json.loads(small[SIGNATURE])
        keyid, sig = str(signature["keyid"]), b64decode(signature["sig"])
        own = [data for name, data in small.items() if name.startswith("public-keys/")]
        keys = [trusted] if trusted else [public_key(data) for data in own]
    except (ValueError, KeyError, TypeError, DomainError) as error:
        raise BrokenArchive(SIGNATURE, "cannot be read") from error
    if not any(key.keyid == keyid and key.verify(small[MANIFEST], sig) for key in keys):
        raise BrokenArchive(
            SIGNATURE, "is not that of the key asked for" if trusted else "does not fit the manifest"
        )
    return keyid
