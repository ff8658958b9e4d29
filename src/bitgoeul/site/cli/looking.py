"""Commands that only look, or fetch: projects, allocations, subjects, trials, evidence, jobs' files, tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from .evidence import evidence
from .output import Out, bad_input, json_option
from .user import client_for, job, project_option, remote_options, trial

Row = Mapping[str, Any]


def _list(path: str, line: Callable[[Row], str], *, url: str | None, as_json: bool, **query: Any) -> None:
    """Every row of a paged list, one a line."""
    out = Out(as_json)
    with client_for(url) as client:
        for row in client.rows(path, **query):
            out.row(row, line(row))


def _list_of_project(
    path: str, line: Callable[[Row], str], *, project: str | None, url: str | None, as_json: bool
) -> None:
    """Every row of a project's list; ``{project}`` stands for it in the path."""
    out = Out(as_json)
    with client_for(url) as client:
        chosen = client.project(project)
        query = {} if "{project}" in path else {"project_id": chosen}
        for row in client.rows(path.format(project=chosen), **query):
            out.row(row, line(row))


def _show(path: str, *, url: str | None, as_json: bool) -> None:
    """One thing, field by field."""
    with client_for(url) as client:
        row = client.call("GET", path)
    Out(as_json).row(row, "\n".join(f"{name}: {value}" for name, value in row.items()))


@click.group()
def project() -> None:
    """Your projects."""


@project.command("list")
@remote_options
@json_option
def project_list(url: str | None, as_json: bool) -> None:
    """Those you are in, newest first."""
    _list(
        "/api/v1/projects", lambda row: f"{row['id']}  {row['number']}  {row['title']}", url=url, as_json=as_json
    )


@project.command("show")
@click.argument("project_id", type=click.UUID)
@remote_options
@json_option
def project_show(project_id: str, url: str | None, as_json: bool) -> None:
    """One project."""
    _show(f"/api/v1/projects/{project_id}", url=url, as_json=as_json)


@project.command("members")
@project_option
@remote_options
@json_option
def project_members(project: str | None, url: str | None, as_json: bool) -> None:
    """The people of a project and their roles."""
    _list_of_project(
        "/api/v1/projects/{project}/members",
        lambda row: f"{row['user_id']}  {row['role']:<8}  {row['name']}",
        project=project,
        url=url,
        as_json=as_json,
    )


@click.group()
def allocation() -> None:
    """What a project was granted and what is left of it."""


def _left(row: Row) -> str:
    return f"{row['available']} of {row['granted']} {row['unit']}"


@allocation.command("list")
@project_option
@remote_options
@json_option
def allocation_list(project: str | None, url: str | None, as_json: bool) -> None:
    """The project's allocations, oldest first."""
    _list_of_project(
        "/api/v1/projects/{project}/allocations",
        lambda row: f"{row['id']}  {row['state']:<9}  {row['resource_code']}  {_left(row)}",
        project=project,
        url=url,
        as_json=as_json,
    )


@allocation.command("show")
@click.argument("allocation_id", type=click.UUID)
@remote_options
@json_option
def allocation_show(allocation_id: str, url: str | None, as_json: bool) -> None:
    """One allocation; amounts are whole ledger amounts of its unit."""
    _show(f"/api/v1/allocations/{allocation_id}", url=url, as_json=as_json)


@allocation.command("statement")
@click.argument("allocation_id", type=click.UUID)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day; else 90 days ago.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day; else today.")
@remote_options
@json_option
def allocation_statement(allocation_id: str, url: str | None, as_json: bool, **days: Any) -> None:
    """Every change of an allocation, oldest first."""
    _list(
        f"/api/v1/allocations/{allocation_id}/statement",
        lambda row: (
            f"{row['recorded_at'][:19]}  {row['change']:>16}  {row['balance']:>16}  {row['label']}  {row['memo']}"
        ),
        url=url,
        as_json=as_json,
        **{name: day.date().isoformat() for name, day in days.items() if day},
    )


@click.group()
def subject() -> None:
    """What a project brings to trials."""


@subject.command("list")
@project_option
@remote_options
@json_option
def subject_list(project: str | None, url: str | None, as_json: bool) -> None:
    """The project's subjects, newest first."""
    _list_of_project(
        "/api/v1/projects/{project}/subjects",
        lambda row: f"{row['id']}  {row['kind']}  {row['name']}",
        project=project,
        url=url,
        as_json=as_json,
    )


@trial.command("list")
@project_option
@remote_options
@json_option
def trial_list(project: str | None, url: str | None, as_json: bool) -> None:
    """The project's trials, newest first."""
    _list_of_project(
        "/api/v1/trials",
        lambda row: f"{row['id']}  {row['state']:<9}  {row['outcome'] or '-':<8}  {row['subject_name']}",
        project=project,
        url=url,
        as_json=as_json,
    )


@trial.command("cancel")
@click.argument("trial_id", type=click.UUID)
@remote_options
@json_option
def trial_cancel(trial_id: str, url: str | None, as_json: bool) -> None:
    """Stop a trial; what it used until then is charged."""
    with client_for(url) as client:
        row = client.call("POST", f"/api/v1/trials/{trial_id}/stop")
    Out(as_json).row(row, f"{row['id']}  {row['state']}")


@evidence.command("list")
@project_option
@remote_options
@json_option
def evidence_list(project: str | None, url: str | None, as_json: bool) -> None:
    """The project's evidence, newest first."""
    _list_of_project(
        "/api/v1/evidence",
        lambda row: f"{row['digest']}  {row['verdict']:<8}  {row['visibility']:<8}  {row['subject_name']}",
        project=project,
        url=url,
        as_json=as_json,
    )


@evidence.command("get")
@click.argument("digest")
@remote_options
@json_option
def evidence_get(digest: str, url: str | None, as_json: bool) -> None:
    """One piece of evidence: verdict, who sees it, its place in the log."""
    _show(f"/api/v1/evidence/{digest}", url=url, as_json=as_json)


@job.command("show")
@click.argument("job_id", type=click.UUID)
@remote_options
@json_option
def job_show(job_id: str, url: str | None, as_json: bool) -> None:
    """One job: state, limits held, what was charged and why it ended."""
    _show(f"/api/v1/jobs/{job_id}", url=url, as_json=as_json)


@job.command("get-artefacts")
@click.argument("job_id", type=click.UUID)
@click.option("--to", "to", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="A directory.")
@remote_options
@json_option
def job_get_artefacts(job_id: str, to: Path, url: str | None, as_json: bool) -> None:
    """Fetch every file the job left; a file that is there already is not overwritten."""
    out = Out(as_json)
    with client_for(url) as client:
        for row in client.rows(f"/api/v1/jobs/{job_id}/artefacts"):
            data = client.raw("GET", f"/api/v1/jobs/{job_id}/artefacts/{row['role']}/{row['name']}").content
            path = _kept(to, f"{row['name']}.txt" if row["role"] == "log" else str(row["name"]), data)
            out.row({**row, "path": str(path)}, f"{path}  {row['size']} bytes")


def _kept(to: Path, name: str, data: bytes) -> Path:
    """The file written; the name is a stranger's and may lead nowhere else."""
    path = to / Path(name).name
    try:
        to.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise bad_input(f"--to: {path} is there already. Name another directory.") from None
    except OSError as error:
        raise bad_input(f"--to: {path} cannot be written: {error.strerror}. Name another directory.") from None
    return path


@click.group()
def token() -> None:
    """Your API tokens."""


@token.command("list")
@remote_options
@json_option
def token_list(url: str | None, as_json: bool) -> None:
    """Those that still work, newest first; secrets are not kept."""
    out = Out(as_json)
    with client_for(url) as client:
        for row in client.call("GET", "/api/v1/tokens")["items"]:
            out.row(row, f"{row['id']}  until {row['expires_at'][:10]}  {row['name']}")


@token.command("end")
@click.argument("token_id", type=click.UUID)
@remote_options
@json_option
def token_end(token_id: str, url: str | None, as_json: bool) -> None:
    """End one of them; it is dead at once. Again changes nothing."""
    with client_for(url) as client:
        client.call("POST", f"/api/v1/tokens/{token_id}/end")
    Out(as_json).row({"id": str(token_id), "ended": True}, f"{token_id}  ended")


COMMANDS: tuple[click.Command, ...] = (project, allocation, subject, token)
