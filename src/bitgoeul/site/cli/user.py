"""Commands that speak to the REST API, of this installation or of another."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitgoeul.kernel.ids import new_id

from .output import FINDINGS, Out, bad_input, json_option

if TYPE_CHECKING:
    from bitgoeul.site.client import Client


FOLLOW_SECONDS = 0.5
TRIAL_SECONDS_MAX = 600


def remote_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--url``."""
    return click.option(
        "--url", default=None, help="Address of the platform; where you signed in, else this machine."
    )(function)


def client_for(url: str | None) -> Client:
    """A client of the named platform, else of the one signed in to, else of the one that runs on this home."""
    from bitgoeul.site import supervisor
    from bitgoeul.site.client import Client, kept
    from bitgoeul.site.env import load_env

    env = load_env()
    known = kept(env.home)
    running = supervisor.read_state(env.home) or {}
    chosen = url or known.get("url") or running.get("url") or f"http://localhost:{env.port}"
    # A token goes to the platform that gave it and to no other.
    return Client(chosen, known.get("token", "") if chosen == known.get("url") else "")


@click.command("sign-in")
@click.option("--email", default=None, help="The e-mail of your account; the password is asked for.")
@click.option("--as", "person", default=None, help="A named person of the example instead, on this machine only.")
@click.option("--token", "with_token", is_flag=True, help="Read a token from standard input instead.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How long it stays valid."
)
@remote_options
@json_option
def sign_in(
    email: str | None, person: str | None, with_token: bool, days: int, url: str | None, as_json: bool
) -> None:
    """Get a token for the other commands and keep it (mode 0600)."""
    from bitgoeul.site.client import Client, keep, kept_path
    from bitgoeul.site.env import load_env
    from bitgoeul.site.sign_in import token_by_password, token_by_person

    home = load_env().home
    address = client_for(url).url
    if with_token:
        token = sys.stdin.readline().strip()
    elif person:
        token = token_by_person(address, person, days)
    else:
        email = email or click.prompt("E-mail", err=True)
        password = click.prompt("Password", hide_input=True, err=True)
        code = partial(click.prompt, "Code of your authenticator", err=True)
        token = token_by_password(address, email, password, days, code)
    with Client(address, token) as client:
        name = client.call("GET", "/api/v1/me")["name"]
    keep(home, address, token)
    Out(as_json).row(
        {"url": address, "name": name}, f"Signed in to {address} as {name}; kept in {kept_path(home)}"
    )


project_option = click.option("--project", default=None, help="Id of the project; not needed while you have one.")


@click.group()
def job() -> None:
    """Work that runs on the cluster."""


# What a job may use and leaves, the same for one and for many.
WORK = (
    project_option,
    click.option("--name", default=None, help="What lists call it; else the program's name."),
    click.option("--cores", type=click.IntRange(1), default=1, show_default=True),
    click.option("--memory-mib", type=click.IntRange(1), default=512, show_default=True),
    click.option(
        "--wall-seconds", type=click.IntRange(1), default=60, show_default=True, help="Time limit; it is held."
    ),
    click.option("--device", "devices", multiple=True, metavar="NAME=COUNT", help="Devices to hold."),
    click.option("--output", "outputs", multiple=True, help="A file to keep; missing makes the job fail."),
    click.option(
        "--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A text file (UTF-8) to place beside the program.",
    ),
    click.option("--cluster", default="", help="Code of the cluster that shall run it; else the first one."),
    click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED),
)  # fmt: skip


def work_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of what shall run; parameters ``project``, ``name``, ``argv`` and the rest."""
    for option in reversed(WORK):
        function = option(function)
    return function


def work(
    argv: tuple[str, ...], devices: tuple[str, ...], outputs: tuple[str, ...], cluster: str, **limits: int
) -> dict[str, Any]:
    """A job's request as REST takes it."""
    return {
        "argv": list(argv),
        "limits": limits,
        "devices": {key: whole(value) for key, value in map(pair, devices)},
        "outputs": list(outputs),
        "cluster": cluster,
    }


@job.command("submit", context_settings={"allow_interspersed_args": False})
@work_options
@remote_options
@json_option
def job_submit(
    project: str | None, name: str | None, files: tuple[Path, ...], url: str | None, as_json: bool, **asked: Any
) -> None:
    """Submit ARGV as a job; prints its id."""
    with client_for(url) as client:
        body = {
            "id": str(new_id()),
            "project_id": client.project(project),
            "name": name or Path(asked["argv"][0]).name,
            "files": {path.name: text_of(path) for path in files},
            **work(**asked),
        }
        made = client.call("POST", "/api/v1/jobs", json=body)
    held = ", ".join(f"{amount} {unit}" for unit, amount in made["held"].items())
    Out(as_json).row(made, f"{made['id']}  {made['state']}  held: {held}")


@job.command("list")
@project_option
@remote_options
@json_option
def job_list(project: str | None, url: str | None, as_json: bool) -> None:
    """The project's jobs, newest first."""
    out = Out(as_json)
    with client_for(url) as client:
        for row in client.rows("/api/v1/jobs", project_id=client.project(project)):
            out.row(row, f"{row['id']}  {row['state']:<10}  {row['name']}")


@job.command("logs")
@click.argument("job_id")
@click.option("--stderr", "stream", flag_value="stderr", help="The error output.")
@click.option("--stdout", "stream", flag_value="stdout", default="stdout", help="The output (default).")
@click.option("--follow", is_flag=True, help="Go on until the job has ended.")
@remote_options
@json_option
def job_logs(job_id: str, stream: str, follow: bool, url: str | None, as_json: bool) -> None:
    """What the job wrote."""
    offset = 0
    with client_for(url) as client:
        while True:
            piece = client.log(job_id, stream or "stdout", offset)
            offset = piece["next_offset"]
            if piece["text"]:
                click.echo(json.dumps(piece, ensure_ascii=False) if as_json else piece["text"], nl=as_json)
            if piece["complete"] or (not follow and not piece["text"]):
                return
            if not piece["text"]:
                time.sleep(FOLLOW_SECONDS)


@job.command("cancel")
@click.argument("job_id")
@remote_options
@json_option
def job_cancel(job_id: str, url: str | None, as_json: bool) -> None:
    """Stop a job; what it used until then is charged."""
    with client_for(url) as client:
        row = client.call("POST", f"/api/v1/jobs/{job_id}/cancel")
    Out(as_json).row(row, f"{row['id']}  {row['state']}{'  stopping' if row['stopping'] else ''}")


@click.group()
def trial() -> None:
    """Measurements of a subject under a protocol."""


@trial.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@click.option("--name", default=None, help="What the evidence will call the subject; else the file's name.")
@click.option("--protocol", default="inference", show_default=True)
@click.option("--public", is_flag=True, help="Show the result to everybody.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=NUMBER", help="A parameter of the protocol."
)
@click.option("--no-wait", is_flag=True, help="Only ask for it.")
@remote_options
@json_option
def trial_run(
    file: Path,
    project: str | None,
    name: str | None,
    protocol: str,
    public: bool,
    parameters: tuple[str, ...],
    no_wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Hand FILE in as a subject and have it measured; exit 1 unless it passed.

    A subject of this name is taken up again; the file becomes its next version unless it already is one.
    """
    with client_for(url) as client:
        wanted = {key: whole(value) for key, value in map(pair, parameters)}
        # A subject cannot be taken back: whatever is wrong with the wish is said before one is handed in.
        client.check_wish(protocol, wanted)
        version = client.hand_in(
            project=client.project(project), name=name or file.stem, filename=file.name, data=bytes_of(file)
        )
        visibility = "public" if public else "private"
        made = client.ask(version["id"], protocol=protocol, visibility=visibility, parameters=wanted)
        Out(as_json).note(f"Trial {made['id']} of {version['subject_name']} is {made['state']}.")
        if no_wait:
            _tell_trial(made, as_json)
            return
        _tell_trial(_wait(client, made["id"]), as_json)


def bytes_of(path: Path) -> bytes:
    """What stands in FILE; an empty file is refused."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise bad_input(f"FILE: {path} cannot be read: {error.strerror}") from None
    if not data:
        raise bad_input(f"FILE: {path} is empty. Name the file of a model.")
    return data


def _ended(row: Mapping[str, Any]) -> bool:
    """A trial that was judged is signed a moment later, unless it is INVALID: that is never signed."""
    return row["state"] in ("SIGNED", "STOPPED") or (row["state"], row["outcome"]) == ("JUDGED", "INVALID")


def _wait(client: Client, trial_id: str) -> Mapping[str, Any]:
    limit = time.monotonic() + TRIAL_SECONDS_MAX
    while not _ended(row := client.trial(trial_id)):
        if time.monotonic() > limit:
            raise bad_input(
                f"The trial has not ended after {TRIAL_SECONDS_MAX} s; see bitgoeul trial show {trial_id}"
            )
        time.sleep(FOLLOW_SECONDS)
    return row


@trial.command("show")
@click.argument("trial_id")
@remote_options
@json_option
def trial_show(trial_id: str, url: str | None, as_json: bool) -> None:
    """A trial's state, verdict and reasons; exit 1 when it ended and did not pass."""
    with client_for(url) as client:
        _tell_trial(client.trial(trial_id), as_json)


def _tell_trial(row: Mapping[str, Any], as_json: bool) -> None:
    marks = {True: "held  ", False: "FAILED", None: "      "}
    lines = [f"{marks[reason['passed']]}  {reason['text']}" for reason in row.get("reasons", [])]
    head = f"{row['id']}  {row['state']}  {row['outcome'] or ''}  {row['evidence_digest']}".rstrip()
    Out(as_json).row(row, "\n".join([*lines, head]))
    failed = row["outcome"] not in (None, "PASSED", "WARNED")
    raise click.exceptions.Exit(FINDINGS if failed else 0)


def text_of(path: Path) -> str:
    """What stands in a text file; the API carries a job's files as text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise bad_input(
            f"--file: {path} is not text in UTF-8."
            " Only text goes with a job; hand a model in with bitgoeul trial run."
        ) from None
    except OSError as error:
        raise bad_input(f"--file: {path} cannot be read: {error.strerror}") from None


def pair(text: str) -> tuple[str, str]:
    """``name=value`` in two."""
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise bad_input(f"“{text}” is not NAME=VALUE.")
    return name, value


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise bad_input(f"“{text}” is not a whole number.") from None


COMMANDS: tuple[click.Command, ...] = (sign_in, job, trial)
