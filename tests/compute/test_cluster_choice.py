"""Which cluster takes a job: the one that is named, else the first that takes jobs."""

from __future__ import annotations

import html

import pytest

from bitgoeul.compute import facade as compute
from bitgoeul.compute import offers
from bitgoeul.compute.models import Cluster, Job
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.ids import new_id

from .asking import request
from .test_pages import FRAGMENT, new_form, page  # noqa: F401
from .test_rest import api  # noqa: F401
from .test_sweep_pages import new_form as new_sweep_form

pytestmark = pytest.mark.django_db
NPU = {"config": {"cores": 2, "devices": {"atom": 3}}, "device_units": {"atom": "npu_atom_ms"}}


@pytest.fixture
def second(monkeypatch):
    """A second cluster, with another kind of device."""
    monkeypatch.setattr(offers, "_asked", {})
    made = {"title": "NPU 클러스터", "engine": "local", "enabled": True, **NPU}
    return Cluster.objects.create(code="z-npu", **made)


@pytest.fixture
def npu(grant, cores):
    return grant("npu_atom_ms")


def test_the_first_takes_what_names_none_and_the_named_one_the_rest(submit, second, follow, npu):
    assert submit().cluster == "local"
    view = submit(request("sh", "-c", "echo $BITGOEUL_DEVICE_ATOM", devices={"atom": 1}), cluster="z-npu")
    assert (view.cluster, view.held) == ("z-npu", {"core_ms": 20_000, "npu_atom_ms": 20_000})
    done = follow(view)
    assert done.state == "SUCCEEDED"
    assert done.charged["npu_atom_ms"] == done.charged["core_ms"]


def test_a_device_is_one_of_the_chosen_cluster(submit, second, npu):
    for wanted, cluster in ((request(devices={"atom": 1}), ""), (request(devices={"h100": 1}), "z-npu")):
        with pytest.raises(BadInput) as caught:
            submit(wanted, cluster=cluster)
        assert caught.value.field == "devices"


def test_one_that_takes_no_jobs_is_refused_with_those_that_do(submit, second):
    Cluster.objects.create(code="off", title="off", engine="local", enabled=False)
    for code in ("off", "nowhere"):
        with pytest.raises(BadInput) as caught:
            submit(cluster=code)
        assert caught.value.field == "cluster"
        assert "Clusters: local, z-npu." in str(caught.value)
    assert Job.objects.count() == 0


def test_a_stranger_learns_of_no_cluster(submit, chan):
    with pytest.raises(NotFound):
        submit(actor=chan, cluster="nowhere")


def test_the_same_id_at_another_cluster_is_a_conflict(submit, second):
    view = submit(cluster="z-npu")
    assert submit(id=view.id, cluster="z-npu") == view
    assert submit(id=view.id) == view, "who names none means the one it is at"
    with pytest.raises(Conflict):
        submit(id=view.id, cluster="local")


def test_the_default_may_change_between_two_tries(submit, second):
    view = submit()
    Cluster.objects.create(code="a-new", title="a", engine="local", device_units={})
    assert submit(id=view.id) == view
    assert submit().cluster == "a-new"


def test_a_repetition_is_the_job_it_was_whatever_the_default_offers(submit, second, npu, owner, project):
    wanted = request(devices={"atom": 1})
    view = submit(wanted, cluster="z-npu")
    assert submit(wanted, id=view.id) == view
    Cluster.objects.filter(code="z-npu").update(enabled=False)
    assert submit(wanted, id=view.id) == view
    assert submit(wanted, id=view.id, cluster="z-npu") == view
    Cluster.objects.update(enabled=False)
    assert submit(wanted, id=view.id, cluster="z-npu") == view
    for changes in ({"cluster": "local"}, {"cluster": "nowhere"}, {"name": "another"}):
        with pytest.raises(Conflict):
            submit(wanted, id=view.id, **changes)
    with pytest.raises(Conflict):
        submit(request(devices={"h100": 1}), id=view.id)
    assert Job.objects.count() == 1


def test_a_batch_again_is_checked_only_where_it_is_new(submit, second, npu, owner, project):
    jobs = [compute.NewJob(new_id(), f"n {n}", request(devices={"atom": 1})) for n in range(3)]
    asked = {"actor": owner, "project_id": project.id}
    views = compute.submit_jobs(**asked, jobs=jobs, cluster="z-npu")
    assert compute.submit_jobs(**asked, jobs=jobs) == views
    more = compute.submit_jobs(**asked, jobs=[*jobs, compute.NewJob(new_id(), "m", request())])
    assert (more[:3], more[3].cluster) == (views, "local")
    with pytest.raises(BadInput) as caught:
        compute.submit_jobs(**asked, jobs=[*jobs, compute.NewJob(new_id(), "x", request(devices={"atom": 1}))])
    assert caught.value.detail["job"] == 3
    Cluster.objects.filter(code="z-npu").update(enabled=False)
    assert compute.submit_jobs(**asked, jobs=jobs, cluster="z-npu") == views
    with pytest.raises(BadInput):
        submit(cluster="z-npu")
    assert Job.objects.count() == 4


def test_a_sweep_again_is_the_sweep_it_was(owner, project, cores, second, npu):
    asked = {
        "actor": owner, "id": new_id(), "project_id": project.id, "name": "s",
        "request": request(devices={"atom": 1}), "points": compute.grid({"n": ["1", "2"]}),
    }  # fmt: skip
    view = compute.submit_sweep(**asked, cluster="z-npu")
    assert compute.submit_sweep(**asked) == view
    Cluster.objects.update(enabled=False)
    assert compute.submit_sweep(**asked) == view
    assert compute.submit_sweep(**asked, cluster="z-npu") == view
    for changes in ({"cluster": "local"}, {"points": compute.grid({"n": ["1", "2", "3"]})}, {"name": "t"}):
        with pytest.raises(Conflict):
            compute.submit_sweep(**{**asked, **changes})
    assert Job.objects.count() == 2


def test_a_sweep_is_at_one_cluster(owner, project, second, npu):
    def go(**changes):
        values = {
            "actor": owner, "id": new_id(), "project_id": project.id, "name": "s", "request": request(),
            "points": compute.grid({"n": ["1", "2"]}), "cluster": "z-npu",
        }  # fmt: skip
        return compute.submit_sweep(**{**values, **changes})

    view = go()
    assert (view.cluster, compute.sweep(actor=owner, sweep_id=view.id).cluster) == ("z-npu", "z-npu")
    assert set(Job.objects.values_list("cluster_id", flat=True)) == {"z-npu"}
    assert go(id=view.id, cluster="").cluster == "z-npu"
    with pytest.raises(Conflict):
        go(id=view.id, cluster="local")
    with pytest.raises(BadInput):
        go(cluster="nowhere")


def test_what_a_job_would_hold_follows_the_cluster(second):
    assert compute.estimate(request(devices={"atom": 2}), "z-npu") == {"core_ms": 20_000, "npu_atom_ms": 40_000}
    with pytest.raises(BadInput):
        compute.estimate(request(devices={"atom": 2}))


# --- REST


def test_over_rest(api, project, cores, second):  # noqa: F811
    job = {"id": str(new_id()), "project_id": str(project.id), "name": "j", "argv": ["true"], "cluster": "z-npu"}
    status, made = api("POST", "/jobs", job)
    assert (status, made["cluster"]) == (201, "z-npu")
    assert api("POST", "/jobs", {**job, "cluster": "local"})[0] == 409
    status, refused = api("POST", "/jobs", {**job, "id": str(new_id()), "cluster": "x"})
    assert (status, refused["detail"]["field"]) == (400, "cluster")
    assert "z-npu" in refused["message"]
    assert api("POST", "/jobs/estimate", {"argv": ["true"], "devices": {"atom": 1}, "cluster": "z-npu"})[0] == 200
    sweep = {
        "id": str(new_id()), "name": "s", "request": {"argv": ["true"], "cluster": "z-npu"},
        "parameters": {"n": [1, 2]},
    }  # fmt: skip
    status, made = api("POST", f"/projects/{project.id}/sweeps", sweep)
    assert (status, made["cluster"]) == (201, "z-npu")


def test_the_estimate_tells_nobody_which_clusters_there_are(sign_in, chan, second):
    client = sign_in(chan)
    body = {"argv": ["true"], "cluster": "nowhere"}
    answer = client.post("/api/v1/jobs/estimate", body, content_type="application/json")
    told = answer.json()
    assert (answer.status_code, told["detail"]["field"]) == (400, "cluster")
    assert "nowhere" in told["message"]
    assert "z-npu" not in answer.content.decode()
    assert "local" not in answer.content.decode()


# --- the forms


def test_one_cluster_is_no_question(page, project, cores):  # noqa: F811
    assert 'name="cluster"' not in page(f"/projects/{project.id}/jobs/new/")


def test_the_form_offers_the_clusters_and_their_devices(page, project, npu, second):  # noqa: F811
    path, fields = new_form(page, project)
    shown = page(path)
    assert '<option value="local" selected>' in shown
    assert "Only at: NPU 클러스터" in shown
    fields |= {"cluster": "z-npu", "device_atom": 2, "wall_seconds": 10}
    price = page.client.post(path.replace("new", "price"), fields, headers=FRAGMENT)
    seen = html.unescape(price.content.decode())
    assert "20 ATOM·s" in seen
    assert "What NPU 클러스터 has" in seen
    answer = page.client.post(path, fields)
    assert answer.status_code == 302, answer.content.decode()
    assert Job.objects.get().cluster_id == "z-npu"


def test_a_device_of_another_cluster_is_refused_beside_its_field(page, project, npu, second):  # noqa: F811
    path, fields = new_form(page, project)
    fields |= {"cluster": "local", "device_atom": 1}
    answer = page.client.post(path, fields)
    shown = html.unescape(answer.content.decode())
    assert answer.status_code == 400
    assert "There is no device “atom”" in shown.split('id="id_device_atom-error"', 1)[1][:200]
    assert "the job would be refused" in shown
    assert page.client.post(path, {**fields, "cluster": "x"}).status_code == 400


def test_a_sweep_chooses_too(page, project, npu, second):  # noqa: F811
    path, fields = new_sweep_form(page, project)
    answer = page.client.post(path, {**fields, "cluster": "z-npu", "device_atom": 1, "wall_seconds": 10})
    assert answer.status_code == 302, answer.content.decode()
    assert set(Job.objects.values_list("cluster_id", flat=True)) == {"z-npu"}
    assert "z-npu" in page(answer["Location"])


def test_no_cluster_at_all_is_said(submit, owner):
    Cluster.objects.update(enabled=False)
    with pytest.raises(NotFound):
        submit()
