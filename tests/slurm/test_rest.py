"""slurmrestd as it really answers: wrong tokens, errors beside success, a controller that is gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import EngineRefused, EngineUnavailable, JobSpec, Limits
from bitgoeul.engines.slurm.rest import body_of, fields_of
from bitgoeul.engines.slurm.submit import Request
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id

POLICY = {"error": "Job violates accounting/QOS policy", "error_code": 2050}
GONE = {"error": "Unable to contact slurm controller (connect failure)", "error_code": 1800}
ASKED = Request("bg-1", "bitgoeul:1", "acc", "hpc", 2, 300, 5, "npu:atom:1", True, "/jobs/1", "#!/bin/sh\n")


def test_a_request_in_the_words_of_the_version():
    body = body_of(ASKED, fields_of("v0.0.38"))
    assert body["script"] == "#!/bin/sh\n"
    assert body["job"] == {
        "name": "bg-1", "comment": "bitgoeul:1", "account": "acc", "partition": "hpc", "cpus_per_task": 2,
        "memory_per_node": 300, "time_limit": 5, "gres": "npu:atom:1", "current_working_directory": "/jobs/1",
        "standard_output": "/jobs/1/slurm.out", "tasks": 1, "nodes": 1, "requeue": False, "open_mode": "append",
        "exclusive": "exclusive", "environment": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
    }  # fmt: skip


def test_a_version_with_numbers_as_objects_is_only_another_file():
    newer = {**fields_of("v0.0.38"), "numbers_as_objects": ["time_limit"], "environment_as_list": True}
    job = body_of(ASKED, newer)["job"]
    assert job["time_limit"] == {"set": True, "infinite": False, "number": 5}
    assert job["environment"] == ["PATH=/usr/local/bin:/usr/bin:/bin"]


def test_a_version_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(BadInput, match=r"v0\.0\.38"):
        fields_of("v9.9.99")


def spec(**changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "job_id": new_id(), "name": "rest", "argv": ("true",), "env": {}, "inputs": {}, "outputs": (),
        "limits": Limits(1, 256, 60, 16, 16), "devices": {},
    }  # fmt: skip
    return JobSpec(**{**values, **changes})


@pytest.fixture
def answering(tmp_path, testbed, cluster_config) -> Iterator[Any]:
    """An engine whose slurmrestd answers what the test says; everything else is the real cluster's."""
    answers: list[tuple[int, Any]] = []
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(dict(self.headers))
            status, said = answers.pop(0)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    config = {**cluster_config, "rest": {"url": url, "version": "v0.0.38", "user": "root"}}
    engine = make_engine("slurm", tmp_path / "engine", config)
    engine.answers, engine.asked = answers, asked
    yield engine
    server.shutdown()
    server.server_close()


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "raised", "words"),
    [
        ([(200, {"errors": [POLICY]})], EngineRefused, "over a limit"),
        ([(200, {"errors": [{"error": "x"}], "job_id": 0})], EngineRefused, "x"),
        ([(500, {"errors": [GONE]})], EngineUnavailable, "contact"),
        ([(500, b"<html>")], EngineUnavailable, "500"),
        ([(401, b"Authentication failure")] * 2, EngineUnavailable, "token"),
        ([(500, {"errors": [{"error_code": 5005, "error": "?"}]})] * 2, EngineUnavailable, "token"),
    ],
    ids=["200 with errors", "200 without a job", "controller gone", "no JSON", "no token", "bad token"],
)  # fmt: skip
def test_what_it_may_answer(answering, answers, raised, words):
    answering.answers += answers
    wanted = spec()
    with pytest.raises(raised, match=words):
        answering.submit(wanted)
    assert answering.answers == [], "a token that does not hold is tried once more with a new one"
    kept = list(answering.jobs.iterdir())
    assert bool(kept) is (raised is EngineUnavailable), "what was refused is gone, what may come again stays"


@pytest.mark.slurm
@pytest.mark.slow
def test_a_job_that_it_took_beside_errors_is_taken(answering):
    answering.answers.append((200, {"errors": [{"error": "not available now", "error_code": 2015}], "job_id": 77}))
    wanted = spec()
    answering.submit(wanted)
    assert json.loads((answering.jobs / str(wanted.job_id) / "slurm.json").read_text()) == {"number": 77}
