"""Evidence from the command line; `verify` needs neither server nor database nor network."""

from __future__ import annotations

from pathlib import Path

import click

from .output import BAD_INPUT, FINDINGS, Out, json_option
from .user import client_for, remote_options

EVIDENCE_BYTES_MAX = 4 * 2**20


@click.group()
def evidence() -> None:
    """Signed results of trials."""


@evidence.command("verify")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "key",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The centre's public key (PEM).",
)
@json_option
def verify(file: Path, key: Path, as_json: bool) -> None:
    """Check FILE offline; exit 0 valid, 1 refused (the failed check is named), 2 unreadable."""
    from bitgoeul.trials.verify import verify_file

    out = Out(as_json)
    contents = []
    for path in (file, key):
        try:
            with path.open("rb") as source:
                contents.append(source.read(EVIDENCE_BYTES_MAX + 1))
        except OSError as error:
            out.note(f"{path} cannot be read: {error.strerror}")
            raise click.exceptions.Exit(BAD_INPUT) from None
    if len(contents[0]) > EVIDENCE_BYTES_MAX:
        out.note(f"{file} is larger than {EVIDENCE_BYTES_MAX // 2**20} MiB; evidence never is.")
        raise click.exceptions.Exit(BAD_INPUT)
    report = verify_file(contents[0], contents[1])
    for name, ok, text in report.checks:
        out.row({"check": name, "ok": ok, "text": str(text)}, f"{'ok     ' if ok else 'REFUSED'}  {name}: {text}")
    out.row({"file": str(file), "valid": report.valid}, "valid" if report.valid else "refused")
    raise click.exceptions.Exit(0 if report.valid else FINDINGS)


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
        click.get_binary_stream("stdout").write(data)
        return
    path.write_bytes(data)
    Out(as_json).row({"digest": digest, "file": str(path), "bytes": len(data)}, f"{path} ({len(data)} bytes)")


COMMANDS = (evidence,)
