"""Commands about clusters: describe one, see that it answers, and keep its accounts as the ledger grants."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .django_side import use_django, use_django_patiently
from .operator import refuse_other_schema
from .output import FINDINGS, Out, bad_input, json_option

if TYPE_CHECKING:
    from bitgoeul.compute.facade import Drift, Line, Reconciled

FIELDS = {"title": str, "engine": str, "config": dict, "device_units": dict, "enabled": bool}
NEEDED = ("title", "engine", "config")


@click.group()
def cluster() -> None:
    """Where jobs run: this machine, or a Slurm cluster."""


@cluster.command("add")
@click.argument("code")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Change a cluster that is there.")
@json_option
def cluster_add(code: str, file: Path, replace: bool, as_json: bool) -> None:
    """Describe the cluster CODE by FILE, a JSON object: title, engine, config, device_units, enabled.

    It must answer now; nothing is changed at it. Again changes nothing.
    """
    described = _read(file)
    use_django()
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.compute import facade as compute

    refuse_other_schema("Nothing was changed: the code")
    if not code or len(code) > 40 or not all(c.isalnum() or c in "-_" for c in code):
        raise bad_input("CODE has letters, digits, - and _ only, 40 at most.")
    if any(each.code == code for each in compute.clusters()) and not replace:
        raise bad_input(f"There is a cluster {code}. Change it with --replace, or take another code.")
    there = compute.ask_cluster(code, described["engine"], described["config"])
    compute.define_cluster(
        actor=accounts.Actor.system("command-line"),
        code=code,
        title=described["title"],
        engine=described["engine"],
        config=described["config"],
        device_units=described.get("device_units", {}),
        enabled=described.get("enabled", True),
        replace=replace,
    )
    Out(as_json).row(
        {"cluster": code, "cores": there.cores.total, "free": there.cores.free},
        f"{code} answers: {there.cores.total} cores, {there.cores.free} free. Running servers see it after"
        " bitgoeul restart.",
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise bad_input(f"{file} is not a JSON file: {error}") from error
    if not isinstance(described, dict):
        raise bad_input(f"{file} must hold one JSON object.")
    for name in (*NEEDED, *described):
        kind = FIELDS.get(name)
        if kind is None:
            raise bad_input(f"{file}: there is no field “{name}”; it knows {', '.join(FIELDS)}.")
        if not isinstance(described.get(name), kind):
            raise bad_input(f"{file}: “{name}” must be a JSON {kind.__name__}.")
    return described


@cluster.command("list")
@json_option
def cluster_list(as_json: bool) -> None:
    """The clusters, and whether each takes jobs."""
    use_django()
    from bitgoeul.compute import facade as compute

    out = Out(as_json)
    for each in compute.clusters():
        data = {"cluster": each.code, "title": each.title, "engine": each.engine, "enabled": each.enabled}
        out.row(data, f"{each.code}  {each.engine}  {'takes jobs' if each.enabled else 'rests'}  {each.title}")


@cluster.command("provision")
@click.argument("code")
@click.option("--apply", "apply", is_flag=True, help="Mend what differs; without it nothing is changed.")
@json_option
def cluster_provision(code: str, apply: bool, as_json: bool) -> None:
    """What differs at the cluster CODE from what the ledger grants: accounts, users, limits, settings.

    Exit status 1 while something differs. What the platform did not make is never touched.
    """
    use_django()
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.compute import facade as compute

    refuse_other_schema("Nothing was changed: the code")
    actor = accounts.Actor.system("command-line")
    found = compute.provision(code, actor=actor) if apply else compute.drift(code)
    out = Out(as_json)
    for each in found:
        out.row(_data(each, apply), _line(each, apply))
    left = [each for each in found if not (apply and each.mendable)]
    mended = len(found) - len(left)
    out.row(
        {"cluster": code, "mended": mended, "differ": len(left)},
        f"{code}: {mended} mended, {len(left)} differ."
        + ("" if apply or not left else " Mend what can be mended with --apply."),
    )
    raise click.exceptions.Exit(FINDINGS if left else 0)


def _data(each: Drift, applied: bool) -> dict[str, object]:
    return {
        "account": each.account,
        "what": each.what,
        "wanted": each.wanted,
        "found": each.found,
        "mended": applied and each.mendable,
        "advice": str(each.advice),
    }


def _line(each: Drift, applied: bool) -> str:
    sign = "mended" if applied and each.mendable else "differs"
    change = f"{each.what}: {each.found or '-'} → {each.wanted or '-'}"
    return f"{sign}  {each.account or '(cluster)'}  {change}  {each.advice}"


@cluster.command("reconcile")
@click.argument("code")
@click.option("--month", metavar="YYYY-MM", default=None, help="A month; without it and --since, the present one.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The first day, in Asia/Seoul.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The last day; else --since alone.")
@json_option
def cluster_reconcile(
    code: str, month: str | None, since: datetime | None, until: datetime | None, as_json: bool
) -> None:
    """Hold what the cluster CODE sums up by itself against the books, every difference under its cause.

    Exit status 1 while something is unexplained. Nothing is changed; engineers see the last one on their page.
    """
    if (month and (since or until)) or (until and not since):
        raise bad_input("Give --month, or --since with or without --until.")
    use_django_patiently()
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.compute import facade as compute
    from bitgoeul.kernel.clock import SEOUL, now

    refuse_other_schema("Nothing was compared: the code")
    if since:
        first, end = since.date(), (until or since).date() + timedelta(days=1)
    else:
        first, end = compute.month_days(month or f"{now().astimezone(SEOUL):%Y-%m}")
    found = compute.reconcile(code, since=first, until=end, actor=accounts.Actor.system("command-line"))
    out = Out(as_json)
    for line in found.lines:
        out.row(_line_data(line), _line_text(line))
    out.row(_found_data(found), _found_text(found))
    raise click.exceptions.Exit(FINDINGS if found.unexplained else 0)


def _line_data(line: Line) -> dict[str, object]:
    return {
        "account": line.account or None,
        "resource": line.resource,
        "slurm": line.slurm,
        "used": line.used,
        "charged": line.charged,
        "difference": line.difference,
        "causes": {
            str(cause): {"amount": told.amount, "records": told.records} for cause, told in line.causes.items()
        },
        "unexplained": line.unexplained,
    }


def _line_text(line: Line) -> str:
    from bitgoeul.compute.facade import CAUSE_TEXTS

    said = [
        f"{line.account or '(no project)'}  {line.resource}: {_seconds(line.slurm)} s at the cluster,"
        f" {_seconds(line.charged)} s charged, {_seconds(line.difference)} s between"
    ]
    said += [
        f"    {_seconds(told.amount):>14}  {CAUSE_TEXTS[cause]} ({told.records})"
        for cause, told in line.causes.items()
    ]
    if line.unexplained:
        said.append(f"    {_seconds(line.unexplained):>14}  unexplained")
    return "\n".join(said)


def _seconds(thousandths: int) -> str:
    whole, rest = divmod(abs(thousandths), 1_000)
    return f"{'-' if thousandths < 0 else ''}{whole}.{rest:03}"


def _found_data(found: Reconciled) -> dict[str, object]:
    return {
        "cluster": found.cluster,
        "since": found.since,
        "until": found.until,
        "rolled_until": found.rolled_until.isoformat(),
        "read_until": found.read_until.isoformat() if found.read_until else None,
        "records": found.records,
        "lines": len(found.lines),
        "unexplained": found.unexplained,
        "left_out": {str(reason): count for reason, count in sorted(found.left_out.items())},
        "nobodys": found.nobodys,
    }


def _found_text(found: Reconciled) -> str:
    left_out = "".join(f", {count} left out ({reason})" for reason, count in sorted(found.left_out.items()))
    return (
        f"{found.cluster}: {found.since} up to {found.until}, rolled up to {found.rolled_until:%Y-%m-%dT%H:%MZ};"
        f" {found.records} records{left_out}; {len(found.lines)} compared, {found.unexplained} unexplained."
    )


COMMANDS = (cluster,)
