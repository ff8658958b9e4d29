"""Jobs over REST."""

from __future__ import annotations

import pytest

from bitgoeul.kernel.ids import new_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(sign_in, ara):
    """Ara's session against the API: ``api("POST", path, body)`` gives status and JSON."""
    client = sign_in(ara)

    def call(method: str, path: str, body: object = None):
        options = {"data": body, "content_type": "application/json"} if body is not None else {}
        answer = (
            client.generic(method, f"/api/v1{path}")
            if body is None
            else getattr(client, method.lower())(f"/api/v1{path}", **options)
        )
        return answer.status_code, answer.json()

    call.client = client
    return call


def body(project, **changes):
    values = {"id": str(new_id()), "project_id": str(project.id), "name": "by REST", "argv": ["echo", "hi"]}
    return {**values, **changes}


def test_a_job_by_rest(api, project, cores, follow):
    wanted = body(project, files={"note.txt": "가"}, argv=["cat", "note.txt"], limits={"wall_seconds": 10})
    status, job = api("POST", "/jobs", wanted)
    assert (status, job["state"], job["held"]) == (201, "QUEUED", {"core_ms": 10_000})
    status, again = api("POST", "/jobs", wanted)
    assert (status, again) == (200, job)
    from bitgoeul.compute.models import Job

    follow(Job.objects.get())
    status, done = api("GET", f"/jobs/{job['id']}")
    assert (status, done["state"], done["exit_code"], done["held"]) == (200, "SUCCEEDED", 0, {})
    assert done["charged"]["core_ms"] == done["measured"]["wall_ms"]
    assert api("GET", f"/jobs/{job['id']}/log")[1]["text"] == "가"
    assert api("GET", f"/jobs/{job['id']}/log?offset=3")[1]["complete"] is True
    status, files = api("GET", f"/jobs/{job['id']}/artefacts")
    assert [each["name"] for each in files["items"]] == ["stdout"]
    answer = api.client.get(f"/api/v1/jobs/{job['id']}/artefacts/log/stdout")
    assert answer.getvalue() == "가".encode()
    assert "attachment" in answer["Content-Disposition"]
    status, listed = api("GET", f"/jobs?project_id={project.id}")
    assert (listed["total"], [each["id"] for each in listed["items"]]) == (1, [job["id"]])


def test_refusals_have_one_shape(api, project, cores):
    status, refused = api("POST", "/jobs", body(project, limits={"wall_seconds": 7200}))
    assert (status, refused["code"]) == (409, "not_enough_left")
    assert refused["detail"]["available"] == 3_600_000
    status, refused = api("POST", "/jobs", body(project, argv=[]))
    assert (status, refused["code"], refused["detail"]["field"]) == (400, "bad_input", "argv")
    status, refused = api("POST", "/jobs", {"id": "x"})
    assert (status, refused["code"]) == (422, "malformed")
    known = body(project)
    api("POST", "/jobs", known)
    status, refused = api("POST", "/jobs", {**known, "argv": ["false"]})
    assert (status, refused["code"]) == (409, "conflict")


def test_estimate_and_cancel(api, project, cores):
    status, estimate = api("POST", "/jobs/estimate", {"argv": ["true"], "limits": {"cores": 2, "wall_seconds": 5}})
    assert (status, estimate) == (200, {"holds": {"core_ms": 10_000}})
    _status, job = api("POST", "/jobs", body(project))
    status, cancelled = api("POST", f"/jobs/{job['id']}/cancel")
    assert (status, cancelled["state"], cancelled["reason"]) == (200, "CANCELLED", "The job was cancelled.")
    assert api("POST", f"/jobs/{job['id']}/cancel")[0] == 200
    status, refused = api("POST", f"/jobs/{job['id']}/write-off", {"reason": "x"})
    assert (status, refused["code"]) == (403, "not_allowed")


def test_strangers_and_chan(client, api, sign_in, chan, project, cores):
    _status, job = api("POST", "/jobs", body(project))
    client.logout()
    assert client.get(f"/api/v1/jobs/{job['id']}").status_code == 401
    sign_in(chan)
    for path in (f"/jobs/{job['id']}", f"/jobs/{job['id']}/log", f"/jobs?project_id={project.id}"):
        assert client.get(f"/api/v1{path}").status_code == 404, path
    answer = client.post("/api/v1/jobs", body(project), content_type="application/json")
    assert answer.status_code == 404
    answer = client.post("/api/v1/jobs", {**body(project), "id": job["id"]}, content_type="application/json")
    assert answer.status_code == 404
