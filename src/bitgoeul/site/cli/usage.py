"""Use of the cluster from the command line; a dry run needs neither server nor database."""

from __future__ import annotations

import gc
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from .django_side import use_django_patiently
from .operator import refuse_other_schema
from .output import BadInput, Out, bad_input, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bitgoeul.compute.metering import LeftOut, PeriodKind, Reader, Tally

GZIP = b"\x1f\x8b"
METRIC_WIDTH = 15
# A batch makes many objects and no circles; looking for them as often as usual takes a tenth of the time.
GARBAGE_THRESHOLD = 100_000
CODE = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


@click.group()
def usage() -> None:
    """What jobs used, as a cluster's own accounting tells it."""


@usage.command("ingest")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--cluster", required=True, metavar="NAME", help="The cluster's name here.")
@click.option("--dry-run", is_flag=True, help="Only read, and say what was used; no server, no database.")
@click.option("--by", type=click.Choice(["day", "month"]), default="month", help="Periods of a dry run.")
@click.option("--zone", "zone_name", default="Asia/Seoul", show_default=True, help="Zone that cuts the periods.")
@click.option("--source-zone", default="UTC", show_default=True, help="Zone of the times in FILE.")
@json_option
def ingest(
    file: Path, cluster: str, dry_run: bool, by: PeriodKind, zone_name: str, source_zone: str, as_json: bool
) -> None:
    """Read FILE, a `sacct --parsable2` export (may be .gz), with a header or in Open XDMoD's order.

    What each figure means, and why a line is left out: docs/reference/metering.md.
    """
    # Pure modules only: who holds an export need not hold the installation.
    from bitgoeul.compute.metering import Borders, LeftOut, Reader, Tally, zone

    reader = Reader(
        cluster=cluster, source_zone=zone(source_zone, "--source-zone"), needs=() if dry_run else ("Account",)
    )
    tally = Tally(Borders(zone(zone_name, "--zone"), by))
    if not dry_run:
        return _into_the_books(file, cluster, reader, zone_name, Out(as_json))
    with opened(file) as lines:
        for record in reader.records(lines):
            if not tally.add(record):
                reader.leave_out(LeftOut.REPEATED)
    _refuse_what_is_no_export(file, reader, tally)
    return (_print_json if as_json else _print_table)(tally, by, reader)


def _into_the_books(file: Path, cluster: str, reader: Reader, zone_name: str, out: Out) -> None:
    """Take the records in and say what became of them."""
    from bitgoeul.compute.metering import SITE_ZONE

    if zone_name != SITE_ZONE:
        raise bad_input(f"--zone: the books are cut in {SITE_ZONE}. Leave it out, or look with --dry-run")
    if not CODE.fullmatch(cluster):
        raise bad_input("--cluster: give a name of 1 to 40 letters, digits, hyphens and underscores")
    use_django_patiently()
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute

    refuse_other_schema("Nothing was read: the code")
    gc.set_threshold(GARBAGE_THRESHOLD)
    with opened(file) as lines:
        done = compute.ingest(actor=Actor.system("usage"), cluster=cluster, records=reader.records(lines))
    left_out = reader.left_out + done.left_out
    row = {"new": done.new, "changed": done.changed, "unchanged": done.unchanged, "entries": done.entries}
    out.row(
        {**row, "left_out": {str(reason): count for reason, count in sorted(left_out.items())}},
        f"{cluster}: {done.new} new, {done.changed} changed, {done.unchanged} as before; {done.entries} entries",
    )
    if not out.as_json:
        print_left_out(out, left_out, reader.first_lines)


@usage.command("pull")
@click.argument("cluster")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Read again from this day on (UTC)."
)
@json_option
def pull(cluster: str, since: datetime | None, as_json: bool) -> None:
    """Ask the cluster CLUSTER for its accounting and take it into the books.

    The follower does it every few minutes. What was read before changes nothing; stopped, the next pull goes on.
    """
    use_django_patiently()
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute

    refuse_other_schema("Nothing was read: the code")
    begin = since.replace(tzinfo=UTC) if since else None
    pulled = compute.pull(cluster, actor=Actor.system("usage"), since=begin)
    done, left_out = pulled.done, pulled.left_out + pulled.done.left_out
    row = {"new": done.new, "changed": done.changed, "unchanged": done.unchanged, "entries": done.entries}
    told = {str(reason): count for reason, count in sorted(left_out.items())}
    out = Out(as_json)
    out.row(
        {**row, "left_out": told, "until": pulled.until.isoformat()},
        f"{cluster}: {done.new} new, {done.changed} changed, {done.unchanged} as before; {done.entries} entries",
    )
    if not as_json:
        print_left_out(out, left_out, {})


@usage.command("close-month")
@click.argument("month", metavar="YYYY-MM")
@json_option
def close_month(month: str, as_json: bool) -> None:
    """Close a month: its sums stay as they are, and what is read later enters the next open month."""
    use_django_patiently()
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute

    refuse_other_schema("Nothing was closed: the code")
    compute.close_month(actor=Actor.system("usage"), month=month)
    Out(as_json).row({"month": month, "closed": True}, f"{month} is closed.")


@usage.command("refund")
@click.argument("cluster")
@click.argument("job", metavar="JOB")
@click.argument("percent", type=click.FloatRange(0, 100))
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
@json_option
def refund(cluster: str, job: str, percent: float, reason: str, as_json: bool) -> None:
    """Give back PERCENT of what each run of JOB at CLUSTER was charged; 0 takes a refund back.

    Correction entries in the ledger, which hold when the job is read again. The same again changes nothing.
    """
    use_django_patiently()
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.compute import facade as compute

    refuse_other_schema("Nothing was given back: the code")
    permille = round(percent * 10)
    if abs(permille - percent * 10) > 1e-6:
        raise bad_input("PERCENT has one decimal at most.")
    runs = compute.metered_runs(cluster=cluster, job_id=job)
    if not runs:
        raise bad_input(f"No run of job {job} at {cluster} is in the books. Read them with bitgoeul usage pull.")
    changed = [each for each in runs if each.refunded_permille != permille]
    for each in changed:
        compute.refund(actor=Actor.system("usage"), record_id=each.id, permille=permille, reason=reason)
    Out(as_json).row(
        {"cluster": cluster, "job": job, "runs": len(runs), "changed": len(changed), "permille": permille},
        f"{job}: {permille / 10:g} % of {len(runs)} runs given back, {len(changed)} changed.",
    )


@usage.command("month")
@click.argument("month", metavar="YYYY-MM")
@json_option
def month_use(month: str, as_json: bool) -> None:
    """What each project used in a month, by resource; whole thousandths of a second, from the sums by day."""
    use_django_patiently()
    from bitgoeul.compute import facade as compute

    out = Out(as_json)
    for line in compute.month_use(month=month):
        out.row(
            line.to_json(),
            f"{line.number or '-':<18}  {line.resource:<12}  {line.amount:>20}  charged {line.charged}",
        )


@usage.command("export")
@click.option("--month", required=True, metavar="YYYY-MM", help="The month, in Asia/Seoul.")
@click.option("--to", "file", required=True, metavar="FILE", type=click.Path(path_type=Path))
@click.option("--daily", is_flag=True, help="Sums by allocation and day instead of every record.")
@json_option
def export(month: str, file: Path, daily: bool, as_json: bool) -> None:
    """Write what was charged in a month to FILE, as Parquet: every usage record with its corrections.

    FILE gets its name when it is whole; an existing one is never overwritten. The columns:
    docs/reference/metering.md.
    """
    if file.exists():
        raise _taken(file)
    use_django_patiently()
    from bitgoeul.compute import facade as compute
    from bitgoeul.documents import parquet
    from bitgoeul.resources import facade as resources

    refuse_other_schema("Nothing was written: the code")
    since, until = compute.month_days(month)
    name, columns, rows = "usage-records", resources.OF_A_RECORD, resources.usage_to_export
    if daily:
        name, columns, rows = "usage-days", resources.OF_A_DAY, resources.days_to_export
    try:
        with TemporaryDirectory(dir=file.absolute().parent, prefix=".export-") as folder:
            part = Path(folder) / "part"
            count = parquet(part, name, columns, rows(since=since, until=until))
            # A rename would replace what somebody else wrote there meanwhile; a second name is refused.
            os.link(part, file)
    except FileExistsError:
        raise _taken(file) from None
    except OSError as error:
        raise bad_input(f"--to: {file} cannot be written: {error.strerror}. Name another file.") from None
    told = {"file": str(file), "table": name, "month": month, "rows": count, "bytes": file.stat().st_size}
    Out(as_json).row(told, f"{file}: {count} rows of {month}, {told['bytes']} bytes.")


def _taken(file: Path) -> BadInput:
    return bad_input(f"--to: {file} exists and is never overwritten. Name another file.")


@contextmanager
def opened(file: Path) -> Iterator[Iterator[str]]:
    """The lines of an export, unpacked if need be; a file that cannot be read to its end is bad input."""
    try:
        with file.open("rb") as source:
            packed = source.read(2) == GZIP
        with (gzip.open if packed else open)(
            file, "rt", encoding="utf-8", errors="replace", newline="\n"
        ) as lines:
            yield iter(lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise bad_input(
            f"FILE: {file} is damaged or cut short ({error}). Check it with gzip -t, and copy or export it again"
        ) from None
    except OSError as error:
        raise bad_input(
            f"FILE: {file} cannot be read: {error.strerror}. Name an export of sacct --parsable2"
        ) from None


def _refuse_what_is_no_export(file: Path, reader: Reader, tally: Tally) -> None:
    if not tally.known and set(reader.left_out) == {"columns"}:
        raise bad_input(
            f"FILE: no line of {file} can be read: it has neither a header of sacct nor Open XDMoD's 26 columns."
            " Export it with sacct --parsable2"
        )


def _print_json(tally: Tally, by: PeriodKind, reader: Reader) -> None:
    for figure in tally.figures():
        head = json.dumps({"metric": figure.metric, "period": by, "start": figure.period})
        # The value by hand: json.dumps would drop the decimals of a zero.
        click.echo(f'{head[:-1]}, "value": {figure.text}}}')
    left_out = {str(reason): count for reason, count in sorted(reader.left_out.items())}
    click.echo(json.dumps({"left_out": left_out}))


def _print_table(tally: Tally, by: PeriodKind, reader: Reader) -> None:
    from bitgoeul.compute.metering import METRICS

    out = Out(as_json=False)
    rows: dict[str, list[str]] = {}
    for figure in tally.figures():
        rows.setdefault(figure.period, []).append(_short(figure.text, figure.metric))
    if rows:
        out.note("".join([f"{by:<10}", *(f"{metric:>{METRIC_WIDTH}}" for metric in METRICS)]))
    for period, values in rows.items():
        out.note("".join([f"{period:<10}", *(f"{value:>{METRIC_WIDTH}}" for value in values)]))
    out.note(f"{len(tally.known)} records")
    print_left_out(out, reader.left_out, reader.first_lines)


def _short(text: str, metric: str) -> str:
    return text[:-5] if metric.endswith("_hours") else text.partition(".")[0]


def print_left_out(out: Out, left_out: Mapping[LeftOut, int], first_lines: Mapping[LeftOut, int]) -> None:
    """For people: what was not metered, from which line on, and what to do about it."""
    from bitgoeul.compute.metering import REMEDIES

    for reason, count in sorted(left_out.items()):
        remedy = REMEDIES.get(reason)
        where = f", first in line {first_lines[reason]}" if reason in first_lines else ""
        out.note(f"left out, {reason}: {count}{where}" + (f" – {remedy}" if remedy else ""))


COMMANDS = (usage,)
