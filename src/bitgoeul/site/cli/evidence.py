"""Evidence from the command line; `verify` needs neither server nor database nor network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import BAD_INPUT, BadInput, Out, bad_input, json_option
from .output import FINDINGS as FINDINGS_STATUS
from .user import client_for, remote_options

if TYPE_CHECKING:
    from bitgoeul.kernel.signing import PublicKey

EVIDENCE_BYTES_MAX = 4 * 2**20


@click.group()
def evidence() -> None:
    """Signed results of trials."""


@evidence.command("verify")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option(
    "--key",
    "key",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The centre's public key (PEM).",
)
@json_option
def verify(files: tuple[Path, ...], key: Path, as_json: bool) -> None:
    """Check each FILE offline; exit 0 valid, 1 refused (the failed check is named), 2 unreadable.

    Of several files the worst status wins.
    """
    # Pure modules only: an officer's machine has neither the database nor the settings of the centre.
    from bitgoeul.kernel.signing import UnusableKey, public_key

    try:
        trusted = public_key(_contents(key))
    except UnusableKey as refusal:
        raise bad_input(f"{key}: {refusal.text}") from None
    out = Out(as_json)
    raise click.exceptions.Exit(max([_verify(file, trusted, out) for file in files]))


def _verify(file: Path, trusted: PublicKey, out: Out) -> int:
    """Say what holds of one file; its exit status."""
    from bitgoeul.trials.verify import verify_evidence

    try:
        data = _contents(file)
    except BadInput as refusal:
        out.row({"file": str(file), "valid": False, "failed": "readable"}, f"{file}: unreadable")
        refusal.show()
        return BAD_INPUT
    result = verify_evidence(data, [trusted])
    if out.as_json:
        out.row({"file": str(file), **result.to_json()}, "")
    else:
        for check in result.checks:
            out.note(f"{'ok      ' if check.passed else 'REFUSED '} {check.name}: {check.text}")
        refused = result.failed.name if result.failed else ""
        out.note(f"{file}: valid" if result.valid else f"{file}: refused ({refused})")
    return result.exit_status


def _contents(path: Path) -> bytes:
    """The file's bytes, one more than is allowed at most; the size check itself is the verifier's."""
    try:
        with path.open("rb") as source:
            return source.read(EVIDENCE_BYTES_MAX + 1)
    except OSError as error:
        raise bad_input(f"{path} cannot be read: {error.strerror}") from None


@evidence.command("export")
@click.argument("digest")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), default=None, help="File to write; '-' for the screen."
)
@remote_options
@json_option
def export(digest: str, target: Path | None, url: str | None, as_json: bool) -> None:
    """Fetch the evidence file named DIGEST."""
    with client_for(url) as client:
        data = client.evidence_file(digest)
    path = target or Path(f"evidence-{digest[:12]}.json")
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        path.write_bytes(data)
    except OSError as error:
        raise bad_input(
            f"--to: {path} cannot be written: {error.strerror}. Name a file in a directory you may write to, or -"
        ) from None
    Out(as_json).row({"digest": digest, "file": str(path), "bytes": len(data)}, f"{path} ({len(data)} bytes)")


@evidence.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read and derive again; keep nothing.")
@json_option
def import_(path: Path, dry_run: bool, as_json: bool) -> None:
    """Read results that others published, from PATH, any level of an MLPerf Inference submission tree.

    Every number that the detail log of its run also has is held against it. They stay third-party results,
    never measured here.
    Exit 0 read, 1 a result needs a look (its flags say why), 2 unreadable. Needs neither server nor database.
    """
    from bitgoeul.published.mlperf import FINDINGS, NoResults, read_tree

    if not dry_run:
        raise bad_input("Results of others are read and checked, and not kept yet: add --dry-run.")
    out, found = Out(as_json), False
    try:
        for each in read_tree(path):
            found = found or not FINDINGS.isdisjoint(each.flags)
            out.row(each.to_json(), str(each))
    except NoResults:
        raise bad_input(
            f"{path}: no performance run here. Name a submission tree, or a folder in it, with"
            " performance/run_1/mlperf_log_summary.txt below it."
        ) from None
    except OSError as error:
        raise bad_input(f"{error.filename or path} cannot be read: {error.strerror}") from None
    if found:
        raise click.exceptions.Exit(FINDINGS_STATUS)


COMMANDS = (evidence,)
