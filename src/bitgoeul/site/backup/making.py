"""Make a backup while the platform runs: one moment of the database, and everything that moment refers to."""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from bitgoeul.content import facade as content
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.signing import FileKey, Signer

from . import archive, sealing, server

BLOBS = "SELECT digest FROM content_blob ORDER BY digest"
SHOWN = ("mode", "public_url", "allowed_hosts", "centre", "official_site", "host", "port", "upload_limit_mib")


@dataclass
class Made:
    """What became of a backup: its size, what it holds, and contents that were missing or damaged already."""

    path: Path
    bytes: int = 0
    contents: int = 0
    keys: str = ""
    damaged: list[str] = field(default_factory=list)


def make(path: Path, *, keys: bool, passphrase: bytes | None, progress: archive.Progress) -> Made:
    """Write the archive beside its final name and give it that name when it is whole.

    The heads are copied before the database and so never know a position that the copy lacks. Contents never
    change, and one that the copy refers to was on disk before its row.
    """
    made = Made(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        draft = Path(folder) / "archive"
        with archive.new_private(draft) as file:
            tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - Writer closes it
            writer = archive.Writer(tar)
            _heads(writer)
            made.keys = _keys(writer, keys, passphrase)
            progress("database …")
            with snapshot(Path(folder)) as (dump, blobs, migrations):
                writer.file(dump.name, dump)
            dump.unlink()
            _contents(writer, blobs, made, progress)
            writer.data(archive.SETTINGS, archive_settings())
            writer.close(_facts(made, migrations), _signer())
            file.flush()
            os.fsync(file.fileno())
        made.bytes = draft.stat().st_size
        draft.rename(path)
    _sync(path.parent)
    return made


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _heads(writer: archive.Writer) -> None:
    for path in sorted(Path(settings.HEADS).glob("*.jsonl")):
        data = path.read_bytes()
        writer.data(f"heads/{path.name}", data[: data.rfind(b"\n") + 1])  # a line being written has no end yet


def _keys(writer: archive.Writer, wanted: bool, passphrase: bytes | None) -> str:
    """Public keys always; private ones plainly, sealed, or not at all."""
    files = sorted(
        path for path in Path(settings.KEYS).glob("*") if path.is_file() and not path.name.startswith(".")
    )
    for path in files:
        if path.suffix == ".pub":
            writer.file(f"public-keys/{path.name}", path)
    private = [path for path in files if path.suffix != ".pub"]
    if not wanted:
        return "left out"
    if passphrase is None:
        for path in private:
            writer.file(f"keys/{path.name}", path)
        return "plain"
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for path in private:
            tar.add(path, path.name, recursive=False)
    writer.data(archive.SEALED_KEYS, sealing.seal(whole.getvalue(), passphrase))
    return "sealed"


Snapshot = tuple[Path, list[str], Mapping[str, list[str]]]


@contextmanager
def snapshot(folder: Path) -> Iterator[Snapshot]:
    """The database at one moment as a file, the contents it refers to, and its migrations."""
    yield _of_server(folder) if connection.vendor == "postgresql" else _of_file(folder)


def _of_file(folder: Path) -> Snapshot:
    target = folder / archive.SQLITE
    source = sqlite3.connect(f"file:{settings.DATABASES['default']['NAME']}?mode=ro", uri=True, timeout=60)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)  # one read transaction: writers go on, and their pages are not seen
        copy.execute("PRAGMA journal_mode=DELETE")
        blobs = [row[0] for row in copy.execute(BLOBS)]
        rows = copy.execute("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
    finally:
        copy.close()
        source.close()
    return target, blobs, _by_app(rows)


def _of_server(folder: Path) -> Snapshot:
    target = folder / archive.POSTGRESQL
    parameters = dict(connection.get_connection_params())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot(), current_setting('server_version_num')::int / 10000")
        name, major = cursor.fetchone()
        program = server.tool("pg_dump", major)
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name}", f"--file={target}"]
        server.run([program, *options], parameters)
        cursor.execute(BLOBS)
        blobs = [row[0] for row in cursor.fetchall()]
        rows = sorted(MigrationRecorder(connection).applied_migrations())
    return target, blobs, _by_app(rows)


def _by_app(rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for app, name in rows:
        found.setdefault(app, []).append(name)
    return found


def _contents(writer: archive.Writer, blobs: list[str], made: Made, progress: archive.Progress) -> None:
    """Every content of the copy; one that is damaged is told, for the others must be saved all the same."""
    for number, digest in enumerate(blobs, 1):
        try:
            path = content.path_of(digest)
            part = writer.file(f"content/{digest}", path)
        except (DomainError, OSError):
            made.damaged.append(digest)
            continue
        if part.sha256 != digest:
            made.damaged.append(digest)
        made.contents += 1
        if number % 50 == 0 or number == len(blobs):
            progress(f"contents {number}/{len(blobs)}")


def archive_settings() -> bytes:
    """What an operator needs to set up the same again; never a secret."""
    import json

    shown: dict[str, Any] = {name: getattr(settings.ENV, name) for name in SHOWN}
    return json.dumps(shown, ensure_ascii=False, indent=1).encode()


def _facts(made: Made, migrations: Mapping[str, list[str]]) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        release = cursor.fetchone()[0]
    return {
        "made_at": rfc3339(now()),
        "code": version("bitgoeul"),
        "database": {"vendor": connection.vendor, "version": release},
        "migrations": migrations,
        "keys": made.keys,
        "damaged": made.damaged,
    }


def _signer() -> Signer | None:
    path = Path(settings.KEYS)
    return FileKey.load(path) if (path / "centre.key").exists() else None
