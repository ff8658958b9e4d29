"""The commands that only look, the client's bounded repetitions, and that both speak to what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from django.test import Client as Browser

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import Unavailable
from bitgoeul.kernel.ids import new_id
from bitgoeul.site import client as client_module
from bitgoeul.site.cli import cli, looking, sweep, user
from bitgoeul.site.client import Client
from bitgoeul.site.rest import api

SOURCES = Path(client_module.__file__).parent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "command-line.md"


class Wire(httpx.BaseTransport):
    """The portal itself behind httpx, without a socket."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = Browser().generic(
            request.method,
            request.url.raw_path.decode(),
            request.read(),
            content_type=request.headers.get("content-type", ""),
            headers={name: request.headers[name] for name in ("authorization", "accept-language")},
        )
        data = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return httpx.Response(answer.status_code, headers=dict(answer.items()), content=data)


@pytest.fixture
def run(world, db, monkeypatch):
    """Run a command as Ara; what it printed, a JSON object a line."""
    ara = accounts.actor_for(user_id=world.people["ara"])
    secret = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1).secret

    def client_for(_url):
        return Client("http://testserver", secret, httpx.Client(transport=Wire()))

    for module in (looking, sweep, user):
        monkeypatch.setattr(module, "client_for", client_for)

    def go(*words, status=0):
        # Before what follows: a program's own words come last.
        done = CliRunner().invoke(cli, [*map(str, (*words[:2], "--json", *words[2:]))], standalone_mode=False)
        if status:
            assert done.exception is not None
            return done.exception
        assert done.exception is None, done.exception
        return [json.loads(line) for line in done.stdout.splitlines()]

    return go


def test_what_a_project_has_is_listed(run, world):
    project = world.project.id
    assert [row["id"] for row in run("project", "list")] == [str(project)]
    assert run("project", "show", project)[0]["number"] == world.project.number
    people = run("project", "members", "--project", project)
    assert {row["role"] for row in people} >= {"OWNER", "MEMBER"}
    assert str(world.allocation.id) in {row["id"] for row in run("allocation", "list", "--project", project)}
    assert [row["id"] for row in run("subject", "list")] == [str(world.subject.id)]
    assert str(world.running.id) in {row["id"] for row in run("trial", "list")}
    assert {row["digest"] for row in run("evidence", "list")} == set(world.evidence.values())


def test_one_thing_is_shown(run, world):
    assert run("allocation", "show", world.allocation.id)[0]["unit"] == world.allocation.unit
    assert run("evidence", "get", world.evidence["private"])[0]["visibility"] == "private"
    assert run("job", "show", world.running.job_id)[0]["state"] == "QUEUED"


def test_a_statement_tells_every_change_of_its_days(run, world):
    lines = run("allocation", "statement", world.allocation.id)
    assert [line["reason"] for line in lines] == ["AWARD"]
    assert lines[0]["balance"] == str(world.allocation.granted)
    assert (
        run("allocation", "statement", world.allocation.id, "--since", "2001-01-01", "--until", "2001-01-02") == []
    )


def test_a_trial_is_cancelled_and_a_token_ended(run, world):
    assert run("trial", "cancel", world.running.id)[0]["id"] == str(world.running.id)
    (token,) = run("token", "list")
    assert run("token", "end", token["id"])[0] == {"id": token["id"], "ended": True}
    assert "Sign in first." in str(run("token", "list", status=2))


def test_a_jobs_files_are_fetched_into_their_directory_and_never_overwritten(run, world, tmp_path):
    from bitgoeul.compute.models import JobArtefact

    done = world.trials["private"]
    JobArtefact.objects.create(job_id=done.job_id, role="log", name="stdout", blob_id=done.record_digest)
    (row,) = run("job", "get-artefacts", done.job_id, "--to", tmp_path / "out")
    assert Path(row["path"]).stat().st_size == row["size"]
    assert (
        "is there already" in run("job", "get-artefacts", done.job_id, "--to", tmp_path / "out", status=2).message
    )


def test_a_sweep_is_submitted_listed_shown_and_cancelled(run, world, tmp_path):
    grid = ("--grid", "lr=0.1,0.01", "--grid", "seed=1,2,3", "--wall-seconds", 1)
    (made,) = run("sweep", "submit", *grid, "--name", "rates", "--", "echo", "{lr}")
    assert (made["jobs"], made["parameters"], made["states"]) == (6, ["lr", "seed"], {"QUEUED": 6})
    assert made["id"] in {row["id"] for row in run("sweep", "list")}
    assert run("sweep", "show", made["id"])[0] == made
    values = [row["values"] for row in run("sweep", "jobs", made["id"])]
    assert values[5] == {"lr": "0.01", "seed": "3"}
    job = run("sweep", "jobs", made["id"])[0]["id"]
    assert run("job", "show", job)[0]["sweep_id"] == made["id"]
    assert run("sweep", "cancel", made["id"])[0]["states"] == {"CANCELLED": 6}
    table = tmp_path / "points.csv"
    table.write_text('name,n\n"a, b",1\nc,2\n')
    (made,) = run("sweep", "submit", "--table", table, "--wall-seconds", 1, "true", "--flag")
    assert run("sweep", "jobs", made["id"])[0]["values"] == {"name": "a, b", "n": "1"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("true",), "Give the values with --grid"),
        (("--grid", "a=1", "--table", PAGE, "true"), "Give the values with --grid"),
        (("--grid", "a", "true"), "is not NAME=V1,V2"),
        (("--grid", "a=1", "--grid", "a=2", "true"), "given twice"),
        (("--grid", "a-b=1", "true"), "cannot be a parameter"),
        (("--grid", "a=" + ",".join(map(str, range(1001))), "true"), "these parameters make 1001"),
        (("--grid", "a=1", "--cluster", "nowhere", "true"), "No cluster “nowhere” takes jobs. Clusters: local."),
        (("--table", PAGE, "true"), "must give 1 values"),
    ],
)
def test_a_sweep_that_is_none_is_refused_and_nothing_is_held(run, world, words, said):
    before = run("allocation", "list")
    refusal = run("sweep", "submit", *words, status=2)
    assert said in str(getattr(refusal, "message", refusal))
    assert run("allocation", "list") == before


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b/x"])
def test_a_name_of_a_file_leads_out_of_no_directory(tmp_path, name):
    assert looking._kept(tmp_path, name, b"1") == tmp_path / "x"


class Failing(httpx.BaseTransport):
    """Answers 503, or refuses the connection, a number of times first."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.times, self.error, self.asked = times, error, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked > self.times:
            return httpx.Response(200, json={"id": "1"})
        if self.error:
            raise self.error
        return httpx.Response(503, json={"code": "http_503", "message": "The portal is not ready", "detail": {}})


@pytest.mark.parametrize("error", [None, httpx.ConnectError("refused")])
@pytest.mark.parametrize(
    ("method", "body", "times"), [("GET", None, 3), ("POST", {"id": "1"}, 3), ("POST", {"name": "x"}, 1)]
)
def test_only_what_changes_nothing_more_is_sent_again_and_at_most_three_times(
    monkeypatch, method, body, times, error
):
    monkeypatch.setattr(client_module, "PAUSES", (0, 0))
    wire = Failing(9, error)
    client = Client("http://testserver", "", httpx.Client(transport=wire))
    with pytest.raises(Unavailable if error else client_module.Refusal):
        client.call(method, "/api/v1/x", json=body)
    assert wire.asked == times


def test_what_comes_back_in_time_is_taken(monkeypatch):
    monkeypatch.setattr(client_module, "PAUSES", (0, 0))
    wire = Failing(2)
    assert Client("http://testserver", "", httpx.Client(transport=wire)).call("GET", "/api/v1/x") == {"id": "1"}


def test_client_and_commands_speak_to_operations_that_are_there():
    known = {re.sub(r"\{\w+\}", "{}", path) for path in api.get_openapi_schema()["paths"]}
    wanted = set()
    for source in [SOURCES / "client.py", *sorted((SOURCES / "cli").glob("*.py"))]:
        for path in re.findall(r'"(/api/v1/[^"?]+)"', source.read_text(encoding="utf-8")):
            wanted.add(re.sub(r"\{[^}]*\}", "{}", path))
    assert len(wanted) > 15
    assert wanted - known == set()


def test_every_user_command_stands_in_the_how_to():
    text = PAGE.read_text(encoding="utf-8")
    missing = [
        f"{group.name} {command}"
        for group in (*looking.COMMANDS, *sweep.COMMANDS, *user.COMMANDS)
        for command in getattr(group, "commands", {})
        if f"bitgoeul {group.name} {command}" not in text
    ]
    assert missing == []
