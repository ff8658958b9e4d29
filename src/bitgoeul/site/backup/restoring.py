"""Bring a backup back into an empty home: staged, verified by the code that will run it, then put in place.

Loads no settings: those make files in the home, and a home that is being restored must stay as it is. Everything
is written to ``HOME/.restore`` first. While that folder is there no process of the platform starts on the home,
and the same command begins anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitgoeul.kernel.signing import PublicKey

from . import archive, sealing, server

STAGING = ".restore"
CLAIMED = "database-was-empty"
PLACED = ("keys", "heads", "content", "bitgoeul.sqlite3")
SQLITE_FILE = "bitgoeul.sqlite3"
FINISH = (sys.executable, "-m", "bitgoeul.site.cli", "restored", "--json")


class Refused(Exception):
    """Nothing was changed; says why and what to do."""


@dataclass
class Restore:
    """One restore: from which archive, into which home and database."""

    path: Path
    home: Path
    database_url: str
    passphrase: bytes | None = None
    keys: Path | None = None
    trusted: PublicKey | None = None
    accept_findings: bool = False
    progress: archive.Progress = print

    @property
    def staging(self) -> Path:
        """Where everything stands until it is known to be good."""
        return self.home / STAGING

    @property
    def vendor(self) -> str:
        """The database that the settings ask for."""
        return "postgresql" if self.database_url else "sqlite"

    def run(self) -> list[Mapping[str, Any]]:
        """All of it, or nothing; what the verification said.

        Raises Refused, BrokenArchive, BadPassphrase, ServerTrouble.
        """
        checked = archive.check(self.path, trusted=self.trusted, progress=self.progress)
        self._fits(checked)
        self._claim()
        try:
            self._stage(checked)
            rows = self._verify()
            self._place()
        except BaseException:
            self.undo()
            raise
        return rows

    def _fits(self, checked: archive.Checked) -> None:
        if checked.vendor != self.vendor:
            raise Refused(
                f"The backup is of {checked.vendor}, this installation uses {self.vendor}.\n"
                "Set BITGOEUL_DATABASE_URL for PostgreSQL, or leave it empty for SQLite, and restore again."
            )
        keys = checked.manifest["keys"]
        if keys == "sealed" and self.passphrase is None and self.keys is None:
            raise Refused(
                "The keys of this backup are sealed.\nName the passphrase's file: --passphrase-file FILE"
            )
        if keys == "left out" and self.keys is None:
            raise Refused(
                "This backup was made without its private keys.\nName the folder that keeps them: --keys DIRECTORY"
            )

    def _claim(self) -> None:
        """Take an empty home, or one that this command left half-way; refuse any other."""
        if self.staging.exists():
            self.progress("An earlier restore was cut short; beginning anew.")
            self.undo()
        if there := [name for name in PLACED if _holds_something(self.home / name)]:
            raise Refused(
                f"{self.home} is not empty: it has {', '.join(there)}. Nothing is overwritten.\n"
                "Name an empty directory in BITGOEUL_HOME, or move what is there away."
            )
        if self.database_url:
            with server.connect(self.database_url) as connection:
                server.tool("pg_restore", server.major_of(connection))
                if not server.is_empty(connection):
                    raise Refused(
                        "The database is not empty. Nothing is overwritten.\nName an empty one: createdb NAME"
                    )
        self.staging.mkdir(parents=True, mode=0o700)
        (self.staging / CLAIMED).touch()

    def undo(self) -> None:
        """Take back everything that a restore brought; only what it claimed empty."""
        if (self.staging / CLAIMED).exists():
            if self.database_url:
                server.wipe(self.database_url)
            for name in PLACED:
                _remove(self.home / name)
        shutil.rmtree(self.staging, ignore_errors=True)

    def _stage(self, checked: archive.Checked) -> None:
        wanted = {part.name: part for part in checked.parts("")}
        damaged = set(checked.manifest.get("damaged", ()))
        for number, (name, source) in enumerate(archive.members(self.path), 1):
            if name in (archive.MANIFEST, archive.SIGNATURE) or name.removeprefix("content/") in damaged:
                continue
            target = self.staging / _place_of(name)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            hasher = hashlib.sha256()
            with archive.new_private(target) as file:
                for chunk in archive.pieces(name, source):
                    hasher.update(chunk)
                    file.write(chunk)
                os.fsync(file.fileno())
            if hasher.hexdigest() != wanted[name].sha256:  # it was right a moment ago: somebody writes to it
                raise archive.BrokenArchive(name, "changed while it was read")
            if name.startswith("content/") or name.endswith(".pub"):
                target.chmod(0o440 if name.startswith("content/") else 0o644)
            if number % 100 == 0:
                self.progress(f"{number}/{len(wanted)} parts written")
        self._keys()
        if self.database_url:
            self.progress("loading the database …")
            server.load(self.database_url, self.staging / archive.POSTGRESQL)
            (self.staging / archive.POSTGRESQL).unlink()

    def _keys(self) -> None:
        """Private keys from the sealed part, or from the folder named."""
        folder = self.staging / "keys"
        folder.mkdir(exist_ok=True, mode=0o700)
        sealed = self.staging / archive.SEALED_KEYS
        if self.keys is not None:
            for path in sorted(self.keys.iterdir()):
                if path.is_file() and path.suffix != ".pub":
                    _write_private(folder / path.name, path.read_bytes())
        elif sealed.exists():
            opened = sealing.unseal(sealed.read_bytes(), self.passphrase or b"")
            with tarfile.open(fileobj=io.BytesIO(opened)) as tar:
                for info in tar:
                    source = tar.extractfile(info)
                    if source is not None and archive.NAMES.fullmatch(f"keys/{info.name}"):
                        _write_private(folder / info.name, source.read())
        sealed.unlink(missing_ok=True)

    def _verify(self) -> list[Mapping[str, Any]]:
        """Migrate and verify the staged home in a process of its own, as it will run."""
        environ = os.environ | {"BITGOEUL_HOME": str(self.staging)}
        done = subprocess.run(
            FINISH, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        try:
            rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        except ValueError:
            rows = []
        for row in rows:
            self.progress(f"{'ok   ' if row['ok'] else 'WRONG'}  {row['step']}: {row['text']}")
        whole = bool(rows) and rows[-1]["step"] == "evidence"
        if not whole:
            last = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise Refused(f"The restored data cannot be brought to this code; nothing was kept.\n{last}")
        if not all(row["ok"] for row in rows) and not self.accept_findings:
            raise Refused(
                "The restored data does not verify; nothing was kept.\n"
                "To keep it with these findings, for example to look into it: --accept-findings"
            )
        return rows

    def _place(self) -> None:
        """Every part to its place; the database last, so that a home without it is never taken for a whole one."""
        for name in PLACED:
            source = self.staging / name
            if source.exists():
                _remove(self.home / name)  # an empty folder, or the file that opening a new database makes
                source.rename(self.home / name)
        for aside in ("-wal", "-shm"):
            _remove(self.home / (SQLITE_FILE + aside))
        settings = self.staging / archive.SETTINGS
        settings.replace(self.home / "restored-settings.json")
        shutil.rmtree(self.staging)


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with archive.new_private(path) as file:
        file.write(data)


def _place_of(name: str) -> str:
    folder, _slash, rest = name.partition("/")
    if folder == "content":
        return f"content/{rest[:2]}/{rest[2:4]}/{rest}"
    if folder == "public-keys":
        return f"keys/{rest}"
    return SQLITE_FILE if name == archive.SQLITE else name


def _holds_something(path: Path) -> bool:
    """A database with a byte in it, or a folder with a file other than the session key that any command makes."""
    if path.is_dir():
        return any(each.is_file() and each.name != "secret_key" for each in path.rglob("*"))
    return path.exists() and path.stat().st_size > 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
