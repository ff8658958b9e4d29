"""Commands that keep an installation safe: backup, restore, upgrade."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .django_side import use_django_patiently
from .output import FINDINGS, Out, bad_input, json_option

if TYPE_CHECKING:
    from bitgoeul.kernel.signing import PublicKey

FILE = click.Path(dir_okay=False, path_type=Path)
KEYS_PLAIN = (
    "WARNING: the private keys stand in this file as they are. Whoever reads it can sign as this centre.\n"
    "Keep it as you keep them; --passphrase-file seals them, --without-keys leaves them out."
)


def _progress(text: str) -> None:
    """Progress goes to the terminal alone, one line that renews itself."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", nl=False, err=True)


def _done_with_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)


def _trusted(key: Path | None) -> PublicKey | None:
    from bitgoeul.kernel.signing import UnusableKey, public_key

    if key is None:
        return None
    try:
        return public_key(key.read_bytes())
    except (OSError, UnusableKey) as error:
        raise bad_input(f"--key: {key} is not a public key that can be read ({error})") from None


def _passphrase(path: Path | None) -> bytes | None:
    from bitgoeul.site.backup.sealing import BadPassphrase, passphrase_in

    if path is None:
        return None
    try:
        return passphrase_in(path)
    except (OSError, BadPassphrase) as error:
        raise bad_input(f"--passphrase-file: {error}") from None


@click.command()
@click.argument("file", type=FILE)
@click.option("--check", "only_check", is_flag=True, help="Read FILE and compare every part; restore nothing.")
@click.option("--key", type=FILE, default=None, help="With --check: the public key that must have signed it.")
@click.option("--without-keys", is_flag=True, help="Leave the private keys out; keep them elsewhere.")
@click.option("--passphrase-file", type=FILE, default=None, help="Seal the private keys with its first line.")
@json_option
def backup(
    file: Path, only_check: bool, key: Path | None, without_keys: bool, passphrase_file: Path | None, as_json: bool
) -> None:
    """Write everything that must not be lost to FILE, while the platform runs.

    FILE gets its name when it is whole; an existing one is never overwritten. Exit 1: it was written, but contents
    were missing or damaged before.
    """
    if only_check:
        _check(file, key, Out(as_json))
        return
    if file.exists():
        raise bad_input(f"{file} exists; a backup is never overwritten. Name another file.")
    if not os.access(file.absolute().parent, os.W_OK):
        raise bad_input(f"{file.absolute().parent} is no directory that you may write to. Name another one.")
    use_django_patiently()
    from bitgoeul.site.backup.making import make
    from bitgoeul.site.backup.server import ServerTrouble

    phrase = _passphrase(passphrase_file)
    try:
        made = make(file.absolute(), keys=not without_keys, passphrase=phrase, progress=_progress)
    except (OSError, ServerTrouble) as error:
        raise bad_input(f"No backup was written: {error}") from None
    finally:
        _done_with_progress()
    out = Out(as_json)
    if made.keys == "plain":
        click.echo(KEYS_PLAIN, err=True)
    for digest in made.damaged:
        out.row({"damaged": digest}, f"DAMAGED  content {digest}: missing or not what was stored; it is not saved")
    told = {"file": str(file), "bytes": made.bytes, "contents": made.contents, "keys": made.keys}
    out.row(
        {**told, "ok": not made.damaged}, f"{file}: {made.bytes} bytes, {made.contents} contents, keys {made.keys}"
    )
    raise click.exceptions.Exit(FINDINGS if made.damaged else 0)


def _check(file: Path, key: Path | None, out: Out) -> None:
    from bitgoeul.site.backup.archive import BrokenArchive, check

    try:
        found = check(file, trusted=_trusted(key), progress=_progress)
    except BrokenArchive as refusal:
        _done_with_progress()
        out.row({"file": str(file), "ok": False, "part": refusal.part}, f"{file}: REFUSED  {refusal}")
        raise click.exceptions.Exit(FINDINGS) from None
    except OSError as error:
        raise bad_input(f"{file} cannot be read: {error.strerror}") from None
    _done_with_progress()
    facts = found.manifest
    told = {name: facts.get(name) for name in ("made_at", "code", "database", "keys", "damaged")}
    parts = len(facts["parts"])
    text = f"{file}: whole; {parts} parts of {told['made_at']}, {found.vendor}, keys {told['keys']}"
    by = f", signed by {found.signed_by[:16]}" if found.signed_by else ", not signed"
    out.row({"file": str(file), "ok": True, "parts": parts, "signed_by": found.signed_by, **told}, text + by)


@click.command()
@click.argument("file", type=FILE)
@click.option("--passphrase-file", type=FILE, default=None, help="Opens the sealed keys of FILE.")
@click.option("--keys", type=click.Path(file_okay=False, exists=True, path_type=Path), default=None,
              help="The folder with the private keys, for a backup without them.")  # fmt: skip
@click.option("--key", type=FILE, default=None, help="The public key that must have signed FILE.")
@click.option("--accept-findings", is_flag=True, help="Keep the data even when it does not verify.")
@json_option
def restore(
    file: Path,
    passphrase_file: Path | None,
    keys: Path | None,
    key: Path | None,
    accept_findings: bool,
    as_json: bool,
) -> None:
    """Bring FILE back into an empty BITGOEUL_HOME, and into an empty database when it is a server's.

    Digests are checked first; then all of it is restored or nothing. It ends with migrations, ledger verify, audit
    verify and a check of one evidence.
    """
    from bitgoeul.site import supervisor
    from bitgoeul.site.backup.archive import BrokenArchive
    from bitgoeul.site.backup.restoring import Refused, Restore
    from bitgoeul.site.backup.sealing import BadPassphrase
    from bitgoeul.site.backup.server import ServerTrouble
    from bitgoeul.site.env import load_env

    env, out = load_env(), Out(as_json)
    url = env.database_url
    work = Restore(
        file, env.home, url, _passphrase(passphrase_file), keys, _trusted(key), accept_findings, out.note
    )
    try:
        lock = supervisor.take_lock(env.home)
        rows = work.run()
    except BrokenArchive as refusal:
        raise bad_input(f"{file} is damaged and nothing was restored. {refusal}") from None
    except (Refused, BadPassphrase, ServerTrouble, supervisor.Refused) as refusal:
        raise bad_input(str(refusal)) from None
    except OSError as error:
        raise bad_input(f"Nothing was restored: {error}") from None
    os.close(lock)
    ok = all(row["ok"] for row in rows)
    said = "whole and verified" if ok else "kept with findings"
    out.row(
        {"home": str(env.home), "ok": ok, "steps": rows},
        f"Restored into {env.home}: {said}. Start it: bitgoeul up",
    )
    raise click.exceptions.Exit(0 if ok else FINDINGS)


@click.command()
@click.option("--backup", "file", type=FILE, default=None, help="Where the backup before the migration goes.")
@click.option("--no-backup", is_flag=True, help="Migrate without one; what a migration breaks is then lost.")
@click.option("--passphrase-file", type=FILE, default=None, help="Seal the private keys in the backup.")
@json_option
def upgrade(file: Path | None, no_backup: bool, passphrase_file: Path | None, as_json: bool) -> None:
    """Bring database and static files to this code, while stopped: backup, migrate, collect, doctor."""
    from bitgoeul.site import supervisor
    from bitgoeul.site.env import load_env

    home, out = load_env().home, Out(as_json)
    try:
        lock = supervisor.take_lock(home)
    except supervisor.Refused as refusal:
        raise bad_input(f"An upgrade needs the platform stopped. {refusal}") from None
    use_django_patiently()
    from bitgoeul.site.schema import schema

    found = schema()
    if found.unknown:
        raise bad_input(f"{found.fault} {found.remedy}")
    if found.missing and found.applied and not no_backup:
        _backup_before(file, _passphrase(passphrase_file), out)
    _migrate_and_collect(len(found.missing), out)
    wrong = _doctor(out)
    os.close(lock)
    raise click.exceptions.Exit(FINDINGS if wrong else 0)


def _backup_before(file: Path | None, phrase: bytes | None, out: Out) -> None:
    from bitgoeul.site.backup.making import make

    if file is None:
        raise bad_input("A migration is missing and would change the data. Name a new file: --backup FILE")
    if file.exists():
        raise bad_input(f"{file} exists; a backup is never overwritten. Name another file.")
    try:
        made = make(file.absolute(), keys=True, passphrase=phrase, progress=_progress)
    except OSError as error:
        raise bad_input(f"No backup was written, and nothing was changed: {error}") from None
    _done_with_progress()
    out.row({"step": "backup", "file": str(file), "bytes": made.bytes}, f"backup: {file} ({made.bytes} bytes)")


def _migrate_and_collect(missing: int, out: Out) -> None:
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    out.row({"step": "migrate", "applied": missing}, f"migrate: {missing} applied")
    if settings.PRODUCTION:
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        out.row({"step": "collect", "folder": str(settings.STATIC_ROOT)}, f"static files: {settings.STATIC_ROOT}")


def _doctor(out: Out) -> int:
    from bitgoeul.site.doctor import examine

    # An upgrade is the owner's work; the portal's own role is looked at when the portal runs.
    wrong = [finding for finding in examine() if not finding.ok and finding.check != "database role"]
    for finding in wrong:
        out.row(finding.to_json(), f"WRONG  {finding.check}: {finding.text}\n       {finding.remedy}")
    out.row({"step": "doctor", "ok": not wrong}, f"doctor: {len(wrong)} finding(s)")
    return len(wrong)


@click.command(hidden=True)
@json_option
def restored(as_json: bool) -> None:
    """The end of a restore, in a process of its own on the staged home."""
    use_django_patiently()
    from dataclasses import asdict

    from bitgoeul.site.backup.finishing import finish

    out = Out(as_json)
    for step in finish():
        out.row(asdict(step), f"{step.step}: {step.text}")


COMMANDS = (backup, restore, upgrade, restored)
