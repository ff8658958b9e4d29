"""Sweeps from the command line: one program with many values, submitted, followed and cancelled as one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bitgoeul.compute import sweeps
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id

from .output import FINDINGS, Out, bad_input, json_option
from .user import client_for, project_option, remote_options, text_of, work, work_options

FOLLOW_SECONDS = 2.0


@click.group()
def sweep() -> None:
    """One program run with many values: learning rates, seeds, sizes."""


@sweep.command("submit", context_settings={"allow_interspersed_args": False})
@click.option(
    "--grid", "grids", multiple=True, metavar="NAME=V1,V2", help="Values of a parameter; every combination runs."
)
@click.option(
    "--table", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead: a CSV file, the names in its first line, the values of a job in each line below.",
)  # fmt: skip
@work_options
@remote_options
@json_option
def sweep_submit(
    grids: tuple[str, ...],
    table: Path | None,
    project: str | None,
    name: str | None,
    files: tuple[Path, ...],
    url: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Submit ARGV as a job for each point, all or none; prints the sweep's id.

    A job has each value as a variable, and {NAME} in ARGV stands for it.
    """
    if bool(grids) == bool(table):
        raise bad_input("Give the values with --grid NAME=V1,V2, once for each parameter, or with --table FILE.")
    # Before anything is asked of the platform.
    parameters = table_of(table) if table else grid_of(grids)
    with client_for(url) as client:
        body = {
            "id": str(new_id()),
            "name": name or Path(asked["argv"][0]).name,
            "request": work(**asked),
            "parameters": parameters,
            "files": {path.name: text_of(path) for path in files},
        }
        path = f"/api/v1/projects/{client.project(project)}/sweeps"
        made = client.call("POST", path, json=body)
    Out(as_json).row(made, f"{made['id']}  {made['jobs']} jobs")


def grid_of(texts: tuple[str, ...]) -> dict[str, list[str]]:
    """``lr=0.1,0.01`` and the like by name; each name once."""
    found: dict[str, list[str]] = {}
    for text in texts:
        read = sweeps.read_line(text)
        if read is None or not read[1]:
            raise bad_input(f"--grid: “{text}” is not NAME=V1,V2.")
        name, values = read
        if name in found:
            raise bad_input(f"--grid: “{name}” is given twice. Put all its values into one --grid.")
        found[name] = values
    try:
        sweeps.grid(found)
    except BadInput as refusal:
        raise bad_input(f"--grid: {refusal}") from None
    return found


def table_of(path: Path) -> list[dict[str, str]]:
    """The points of a CSV file, each line with a value for every name of the first."""
    try:
        points = sweeps.read_table(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise bad_input(
            f"--table: {path} is not text in UTF-8. Save it from the spreadsheet as “CSV UTF-8”."
        ) from None
    except OSError as error:
        raise bad_input(f"--table: {path} cannot be read: {error.strerror}") from None
    except BadInput as refusal:
        raise bad_input(f"--table: {path}: {refusal}") from None
    return [points.at(index) for index in range(len(points))]


@sweep.command("list")
@project_option
@remote_options
@json_option
def sweep_list(project: str | None, url: str | None, as_json: bool) -> None:
    """The project's sweeps, newest first."""
    out = Out(as_json)
    with client_for(url) as client:
        for row in client.rows(f"/api/v1/projects/{client.project(project)}/sweeps"):
            out.row(row, f"{row['id']}  {row['ended']} of {row['jobs']} ended  {row['name']}")


@sweep.command("show")
@click.argument("sweep_id", type=click.UUID)
@click.option("--wait", is_flag=True, help="Go on until all its jobs have ended.")
@remote_options
@json_option
def sweep_show(sweep_id: str, wait: bool, url: str | None, as_json: bool) -> None:
    """How far a sweep is; exit 1 when all have ended and one did not succeed."""
    with client_for(url) as client:
        while (row := client.call("GET", f"/api/v1/sweeps/{sweep_id}"))["ended"] < row["jobs"] and wait:
            time.sleep(FOLLOW_SECONDS)
    _tell(row, as_json)
    ended, succeeded = row["ended"] == row["jobs"], row["states"].get("SUCCEEDED", 0) == row["jobs"]
    raise click.exceptions.Exit(FINDINGS if ended and not succeeded else 0)


@sweep.command("jobs")
@click.argument("sweep_id", type=click.UUID)
@remote_options
@json_option
def sweep_jobs(sweep_id: str, url: str | None, as_json: bool) -> None:
    """Its jobs by their values."""
    out = Out(as_json)
    with client_for(url) as client:
        for row in client.rows(f"/api/v1/sweeps/{sweep_id}/jobs"):
            values = " ".join(f"{name}={value}" for name, value in row["values"].items())
            out.row(row, f"{row['id']}  {row['state']:<10}  {values}")


@sweep.command("cancel")
@click.argument("sweep_id", type=click.UUID)
@remote_options
@json_option
def sweep_cancel(sweep_id: str, url: str | None, as_json: bool) -> None:
    """Cancel the jobs that have not ended; what they used until then is charged."""
    with client_for(url) as client:
        row = client.call("POST", f"/api/v1/sweeps/{sweep_id}/cancel")
    _tell(row, as_json)


def _tell(row: Mapping[str, Any], as_json: bool) -> None:
    states = ", ".join(f"{count} {state}" for state, count in row["states"].items())
    Out(as_json).row(row, f"{row['id']}  {row['ended']} of {row['jobs']} ended  {states}")


COMMANDS: tuple[click.Command, ...] = (sweep,)
