"""Evidence from the command line; `verify` needs neither server nor database nor network."""

from __future__ import annotations

import csv
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .django_side import use_django_patiently
from .operator import refuse_other_schema
from .output import BAD_INPUT, BadInput, Out, bad_input, json_option
from .output import FINDINGS as FINDINGS_STATUS
from .user import client_for, remote_options

if TYPE_CHECKING:
    from bitgoeul.kernel.heads import SignedHead
    from bitgoeul.kernel.signing import PublicKey
    from bitgoeul.published.mlperf import Result
    from bitgoeul.trials.proofs import Checked, Consistency, Inclusion

EVIDENCE_BYTES_MAX = 4 * 2**20
IDS_MAX = 100_000


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
@click.option(
    "--proof",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Also check this proof that the FILE is in the log.",
)
@json_option
def verify(files: tuple[Path, ...], key: Path, proof: Path | None, as_json: bool) -> None:
    """Check each FILE offline; exit 0 valid, 1 refused (the failed check is named), 2 unreadable.

    Of several files the worst status wins.
    """
    if proof is not None and len(files) > 1:
        raise bad_input("--proof is about one file: name that file alone")
    # Pure modules only: an officer's machine has neither the database nor the settings of the centre.
    trusted, out = _trusted(key), Out(as_json)
    status = max([_verify(file, trusted, out) for file in files])
    if proof is not None and status == 0:
        status = _verify_inclusion(files[0], proof, trusted, out)
    raise click.exceptions.Exit(status)


def _verify_inclusion(file: Path, proof: Path, trusted: PublicKey, out: Out) -> int:
    """Say whether a valid file is in the log; the exit status."""
    from bitgoeul.kernel.canonical import loads_strict, sha256_hex
    from bitgoeul.kernel.signing import Envelope
    from bitgoeul.trials.proofs import Inclusion, check_evidence, check_inclusion

    data, read = _contents(file), _proof(proof)
    if not isinstance(read, Inclusion):
        raise bad_input(f"{proof} is no proof that evidence is in the log; get one with: bitgoeul evidence proof")
    statement = loads_strict(Envelope.from_json(loads_strict(data)["envelope"]).payload)
    about = check_evidence(read, sha256_hex(data), statement["predicate"]["log"])
    return _say([about, *check_inclusion(read, [trusted])], proof, out)


def _proof(path: Path) -> Inclusion | Consistency:
    from bitgoeul.kernel.canonical import CanonicalError, loads_strict
    from bitgoeul.trials.proofs import NotAProof, read

    try:
        return read(loads_strict(_contents(path)))
    except (NotAProof, CanonicalError):
        raise bad_input(f"{path} is not a proof about an evidence log") from None


def _say(checks: Sequence[Checked], path: Path, out: Out) -> int:
    for check in checks:
        out.note(f"{'ok      ' if check.passed else 'REFUSED '} {check.name}: {check.text}")
    failed = next((check.name for check in checks if not check.passed), "")
    row = {"file": str(path), "valid": not failed, "failed": failed or None}
    out.row(row, f"{path}: {f'refused ({failed})' if failed else 'valid'}")
    return FINDINGS_STATUS if failed else 0


@evidence.command("proof")
@click.argument("digest")
@click.option("--to", "target", type=click.Path(path_type=Path), default=None, help="File to write.")
@remote_options
@json_option
def proof_(digest: str, target: Path | None, url: str | None, as_json: bool) -> None:
    """Fetch the proof that the evidence named DIGEST is in the log, under a signed head."""
    with client_for(url) as client:
        data = client.evidence_inclusion(digest)
    _write_json(data, target or Path(f"evidence-{digest[:12]}.proof.json"), Out(as_json))


@evidence.command("log")
@click.option("--since", type=click.Path(dir_okay=False, path_type=Path), default=None, help="A head kept before.")
@click.option("--to", "target", type=click.Path(path_type=Path), default=None, help="File to write.")
@remote_options
@json_option
def log_(since: Path | None, target: Path | None, url: str | None, as_json: bool) -> None:
    """Fetch the newest signed head of the evidence log, or the proof that it has only grown --since one."""
    from bitgoeul.kernel.heads import SignedHead

    known = _head_of(since, "--since") if since is not None else None
    with client_for(url) as client:
        data = client.evidence_log_head()
        if known is not None and SignedHead.from_json(data).sequence < known.sequence:
            told = f"the log has {data['sequence']} positions now, {known.sequence} when {since} was signed"
            Out(as_json).row({"file": None, "valid": False, "failed": "shorter"}, f"refused (shorter): {told}")
            raise click.exceptions.Exit(FINDINGS_STATUS)
        data = client.evidence_log_consistency(known.sequence) if known is not None else data
    name = "evidence-log.head.json" if known is None else "evidence-log.proof.json"
    _write_json(data, target or Path(name), Out(as_json))


def _head_of(path: Path, option: str) -> SignedHead:
    from bitgoeul.kernel.heads import SignedHead

    try:
        return SignedHead.from_json(json.loads(_contents(path)))
    except ValueError:
        raise bad_input(f"{option}: {path} is no head of a log; get one with: bitgoeul evidence log") from None


def _write_json(data: Mapping[str, object], path: Path, out: Out) -> None:
    text = json.dumps(data, indent=1, sort_keys=True) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise bad_input(
            f"--to: {path} cannot be written: {error.strerror}. Name a file in a directory you may write to"
        ) from None
    out.row({"file": str(path), "bytes": len(text)}, f"{path} ({len(text)} bytes)")


@evidence.command("verify-log")
@click.argument("proof", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "keys",
    required=True,
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The centre's public key (PEM); may be given several times.",
)
@click.option(
    "--known",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The head that was kept before.",
)
@json_option
def verify_log(proof: Path, keys: tuple[Path, ...], known: Path, as_json: bool) -> None:
    """Check offline that the evidence log has only grown since a head; exit 0 valid, 1 refused, 2 unreadable.

    PROOF as `bitgoeul evidence log --since HEAD` wrote it, --known the HEAD. After the centre has changed its key
    give the earlier one too.
    """
    from bitgoeul.trials.proofs import Consistency, check_consistency

    trusted, read = [_trusted(each) for each in keys], _proof(proof)
    if not isinstance(read, Consistency):
        raise bad_input(
            f"{proof} is no proof about the whole log; check it with: bitgoeul evidence verify --proof"
        )
    kept = _head_of(known, "--known")
    raise click.exceptions.Exit(_say(list(check_consistency(read, trusted, kept)), proof, Out(as_json)))


def _trusted(path: Path) -> PublicKey:
    from bitgoeul.kernel.signing import UnusableKey, public_key

    try:
        return public_key(_contents(path))
    except UnusableKey as refusal:
        raise bad_input(f"{path}: {refusal.text}") from None


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
@click.option("--dry-run", is_flag=True, help="Read and derive again; keep nothing. No server, no database.")
@click.option("--source", default="", help="Where PATH was retrieved from, with its revision.")
@click.option(
    "--retrieved", type=click.DateTime(["%Y-%m-%d"]), default=None, metavar="YYYY-MM-DD", help="On which day."
)
@click.option("--reviewed", is_flag=True, help="MLCommons reviewed and published it.")
@click.option(
    "--ids",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="CSV of MLCommons' ids: round,division,submitter,system,id.",
)
@json_option
def import_(
    path: Path,
    dry_run: bool,
    source: str,
    retrieved: datetime | None,
    reviewed: bool,
    ids: Path | None,
    as_json: bool,
) -> None:
    """Read results that others published, from PATH, any level of an MLPerf Inference submission tree.

    Every number that the detail log of its run also has is held against it. They stay third-party results,
    never measured here. Kept, they are on the pages of published results; the same tree again adds nothing.
    Exit 0 read, 1 a result needs a look (its flags say why) or was left out (it is named), 2 unreadable.
    """
    from bitgoeul.published.mlperf import FINDINGS, NoResults, read_tree

    out, looks = Out(as_json), 0

    def results() -> Iterator[Result]:
        nonlocal looks
        for each in read_tree(path):
            looks += not FINDINGS.isdisjoint(each.flags)
            if dry_run:
                out.row(each.to_json(), str(each))
            yield each

    try:
        if dry_run:
            deque(results(), maxlen=0)
        else:
            left_out = _keep(results(), source, retrieved, reviewed, entries_of(ids), out)
            looks += left_out
    except NoResults:
        raise bad_input(
            f"{path}: no performance run here. Name a submission tree, or a folder in it, with"
            " performance/run_1/mlperf_log_summary.txt below it."
        ) from None
    except OSError as error:
        raise bad_input(f"{error.filename or path} cannot be read: {error.strerror}") from None
    if looks:
        raise click.exceptions.Exit(FINDINGS_STATUS)


def _keep(
    results: Iterable[Result], source: str, retrieved: datetime | None, reviewed: bool,
    entries: Mapping[tuple[str, str, str, str], str], out: Out,
) -> int:  # fmt: skip
    """Take results into this installation's database and say what became of them; how many were left out."""
    if retrieved is None:
        raise bad_input("--retrieved: say on which day the tree was retrieved, or look with --dry-run")
    if not source.strip():
        raise bad_input(
            "--source: say where the tree was retrieved from, with its revision, or look with --dry-run"
        )
    use_django_patiently()
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.trials import facade as trials

    refuse_other_schema("Nothing was kept: the code")
    done = trials.keep_published(
        actor=Actor.system("import"), id=new_id(), results=results, entries=entries,
        retrieved=trials.Retrieved(source, retrieved.date(), reviewed),
    )  # fmt: skip
    for text in done.left_out:
        out.note(f"LEFT OUT {text}")
    row = {
        "new": done.new, "changed": done.changed, "unchanged": done.unchanged,
        "left_out": [str(text) for text in done.left_out],
    }  # fmt: skip
    left = f", {len(done.left_out)} left out" if done.left_out else ""
    out.row(row, f"{done.new} new, {done.changed} changed, {done.unchanged} as before{left}")
    return len(done.left_out)


def entries_of(path: Path | None) -> Mapping[tuple[str, str, str, str], str]:
    """MLCommons' ids by round, division, submitter and system; ends with the line that is none."""
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(islice(file, IDS_MAX)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise bad_input(f"--ids: {path} cannot be read: {error}") from None
    found = {}
    for number, cells in enumerate(lines, 1):
        if len(cells) != 5 or not all(map(str.strip, cells)) or len(cells[4].strip()) > 40:
            raise bad_input(f"--ids: line {number} of {path} is not round,division,submitter,system,id")
        found[cells[0].strip(), cells[1].strip(), cells[2].strip(), cells[3].strip()] = cells[4].strip()
    return found


COMMANDS = (evidence,)
