"""The REST interface of subjects and trials: the same rules, one error shape."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.kernel.ids import new_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def ara_in(sign_in, owner):
    return sign_in(owner)


def post(client, path, body):
    return client.post(f"/api/v1{path}", body, content_type="application/json")


def test_the_whole_way_to_a_trial(ara_in, project, protocol, funded):
    made = post(ara_in, f"/projects/{project.id}/subjects", {"name": "Fast", "kind": "onnx"})
    assert made.status_code == 201
    subject = made.json()["id"]
    version = ara_in.post(
        f"/api/v1/subjects/{subject}/versions",
        {"file": SimpleUploadedFile("fast.onnx", b"bytes"), "note": "first"},
    )
    assert version.status_code == 201
    assert version.json()["digest"] == sha256_hex(b"bytes")
    protocols = ara_in.get("/api/v1/protocols").json()["items"]
    assert [one["code"] for one in protocols] == ["compatibility", "inference"]
    wish = {"id": str(new_id()), "subject_version_id": version.json()["id"], "visibility": "public"}
    estimate = post(ara_in, "/trials/estimate", wish).json()
    assert estimate["amounts"]["core_ms"] == 1000 * estimate["wall_seconds"]
    trial = post(ara_in, "/trials", wish)
    assert (trial.status_code, trial.json()["state"], trial.json()["attempt"]) == (201, "QUEUED", 1)
    assert post(ara_in, "/trials", wish).json()["id"] == wish["id"]
    listed = ara_in.get(f"/api/v1/trials?project_id={project.id}").json()
    assert (listed["total"], listed["items"][0]["id"]) == (1, wish["id"])


def test_a_judged_trial_tells_its_reasons_and_its_record(ara_in, protocol, request_trial, true_record, finish):
    view = request_trial()
    assert ara_in.get(f"/api/v1/trials/{view.id}/record").status_code == 404
    record = true_record(view, protocol)
    finish(view, record)
    told = ara_in.get(f"/api/v1/trials/{view.id}").json()
    assert (told["state"], told["outcome"]) == ("SIGNED", "PASSED")
    assert {"accuracy", "Server.valid"} <= {reason["check"] for reason in told["reasons"]}
    answer = ara_in.get(f"/api/v1/trials/{view.id}/record")
    assert answer.content == canonical_bytes(record)
    assert told["record_digest"] == sha256_hex(answer.content)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"parameters": {"seconds": 1}}, 400, "bad_input", "seconds"),
        ({"protocol": "none"}, 400, "unknown_protocol", "protocol"),
        ({"parameters": {"seconds": "many"}}, 422, "malformed", None),
    ],
)
def test_a_refusal_has_the_one_shape(ara_in, version, protocol, funded, body, status, code, field):
    answer = post(ara_in, "/trials", {"subject_version_id": str(version.id), **body})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"].get("field") == field


def test_chan_sees_nothing_and_nobody_is_asked_to_sign_in(sign_in, client, chan, subject, request_trial):
    view = request_trial()
    assert client.get(f"/api/v1/trials/{view.id}").status_code == 401
    visitor = sign_in(chan)
    for path in (f"/trials/{view.id}", f"/subjects/{subject.id}", f"/trials?project_id={view.project_id}",
                 f"/trials/{view.id}/record", f"/projects/{view.project_id}/subjects"):  # fmt: skip
        assert visitor.get(f"/api/v1{path}").status_code == 404, path
    assert post(visitor, f"/trials/{view.id}/stop", {}).status_code == 404
