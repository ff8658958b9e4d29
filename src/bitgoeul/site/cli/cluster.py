"""Commands about clusters: describe one, see that it answers, and keep its accounts as the ledger grants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .django_side import use_django
from .operator import refuse_other_schema
from .output import FINDINGS, Out, bad_input, json_option

if TYPE_CHECKING:
    from bitgoeul.compute.ports import Drift

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


COMMANDS = (cluster,)
