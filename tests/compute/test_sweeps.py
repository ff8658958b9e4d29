"""Sweeps: points, jobs at them, how far they are, and the rest cancelled."""

from __future__ import annotations

import pytest

from bitgoeul.compute import facade as compute
from bitgoeul.compute import sweeps
from bitgoeul.compute.facade import JobState
from bitgoeul.compute.models import Job, Sweep
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound
from bitgoeul.kernel.ids import new_id

from .asking import request
from .test_rest import api  # noqa: F401

GRID = {"lr": ["0.1", "0.01"], "seed": ["1", "2", "3"]}


# --- points


def test_a_grid_is_every_combination_the_last_fastest():
    points = sweeps.grid(GRID)
    assert points.names == ("lr", "seed")
    assert points.values[:3] == (("0.1", "1"), ("0.1", "2"), ("0.1", "3"))
    assert len(points) == 6
    assert points.at(5) == {"lr": "0.01", "seed": "3"}
    assert sweeps.read_lines("lr = 0.1, 0.01\n\nseed=1,2,3\n") == points


def test_points_can_be_listed():
    points = sweeps.listed([{"a": "1", "b": "2"}, {"b": "4", "a": "3"}])
    assert (points.names, points.values) == (("a", "b"), (("1", "2"), ("3", "4")))


@pytest.mark.parametrize(
    "make",
    [
        lambda: sweeps.grid({}),
        lambda: sweeps.grid({"a": []}),
        lambda: sweeps.grid({"a": [str(n) for n in range(1001)]}),
        lambda: sweeps.grid({f"p{n}": ["1"] * 10 for n in range(9)}),
        lambda: sweeps.grid({f"p{n}": ["1"] for n in range(17)}),
        lambda: sweeps.grid({"a-b": ["1"]}),
        lambda: sweeps.grid({"BITGOEUL_X": ["1"]}),
        lambda: sweeps.grid({"a": ["x" * 201]}),
        lambda: sweeps.listed([{"a": "1"}, {"b": "1"}]),
        lambda: sweeps.read_lines("a = 1\na = 2"),
        lambda: sweeps.read_lines("no values"),
    ],
)
def test_what_cannot_be_a_sweep_is_refused(make):
    with pytest.raises(BadInput) as caught:
        make()
    assert caught.value.field == "parameters"


def test_a_point_fills_the_command_and_the_environment():
    wanted = request("train", "--lr={lr}", "{seed}{lr}", "{other} {lr", env={"A": "1"})
    at = sweeps.request_at(wanted, {"lr": "{seed}", "seed": "7"})
    assert at.argv == ("train", "--lr={seed}", "7{seed}", "{other} {lr"), "a value is not read again"
    assert at.env == {"A": "1", "lr": "{seed}", "seed": "7"}
    with pytest.raises(BadInput):
        sweeps.request_at(wanted, {"A": "2"})


# --- jobs


@pytest.fixture
def sweep(owner, project, cores):
    def go(parameters=None, **changes):
        values = {
            "actor": owner, "id": new_id(), "project_id": project.id, "name": "rates",
            "request": request("sh", "-c", "echo $lr {seed}; exit $code"),
            "points": sweeps.grid(parameters or {**GRID, "code": ["0"]}),
        }  # fmt: skip
        return compute.submit_sweep(**{**values, **changes})

    return go


@pytest.mark.django_db
def test_a_sweep_runs_a_job_at_each_point(sweep, follow, owner, balance):
    view = sweep({"lr": ["0.1", "0.2"], "seed": ["5"], "code": ["0", "1"]})
    assert (view.jobs, view.ended, view.states) == (4, 0, {JobState.QUEUED: 4})
    jobs = compute.sweep_jobs(actor=owner, sweep_id=view.id).items
    assert [job.values for job in jobs][:2] == [("0.1", "5", "0"), ("0.1", "5", "1")]
    for job in jobs:
        follow(job)
    done = compute.sweep(actor=owner, sweep_id=view.id)
    assert (done.finished, done.states) == (True, {JobState.SUCCEEDED: 2, JobState.FAILED: 2})
    assert done.charged["core_ms"] == balance(view).used
    assert compute.read_log(actor=owner, job_id=jobs[2].id).text == "0.2 5\n"
    assert compute.job(actor=owner, job_id=jobs[2].id).name == "rates 3"


@pytest.mark.django_db
def test_the_same_sweep_again_is_the_same_and_another_content_a_conflict(sweep):
    view = sweep()
    assert sweep(id=view.id) == view
    assert Job.objects.count() == 6
    for changes in (
        {"parameters": {"lr": ["1"]}}, {"parameters": {**GRID, "code": ["0", "1"]}}, {"name": "x"},
        {"request": request("true")},
    ):  # fmt: skip
        with pytest.raises(Conflict):
            sweep(id=view.id, **changes)
    assert (Job.objects.count(), Sweep.objects.count()) == (6, 1)


@pytest.mark.django_db
def test_a_sweep_that_does_not_fit_is_not_there_at_all(sweep):
    with pytest.raises(compute.NotEnoughLeft) as caught:
        sweep({"n": [str(n) for n in range(200)]})
    assert caught.value.detail["reaches_for"] == 180
    assert (Job.objects.count(), Sweep.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_the_rest_is_cancelled_and_what_ended_stays(sweep, follow, owner, balance):
    view = sweep()
    first = compute.sweep_jobs(actor=owner, sweep_id=view.id).items[0]
    from bitgoeul.compute.services import handing

    cluster = handing.Cluster.objects.get()
    handing.hand_over(following_engine(cluster), cluster, 2)
    follow(first)
    after = compute.cancel_sweep(actor=owner, sweep_id=view.id)
    assert after.ended >= 1
    again = compute.cancel_sweep(actor=owner, sweep_id=view.id)
    assert again.states == after.states
    for job in compute.sweep_jobs(actor=owner, sweep_id=view.id).items:
        follow(job)
    done = compute.sweep(actor=owner, sweep_id=view.id)
    assert done.finished
    assert done.states[JobState.SUCCEEDED] >= 1
    assert balance(view).held == 0


def following_engine(cluster):
    from bitgoeul.compute.engines import engine_of

    return engine_of(cluster)


@pytest.mark.django_db
def test_queued_jobs_are_cancelled_in_few_queries(sweep, owner, balance, django_assert_max_num_queries):
    view = sweep({"n": [str(n) for n in range(100)]})
    with django_assert_max_num_queries(45):
        after = compute.cancel_sweep(actor=owner, sweep_id=view.id)
    assert after.states == {JobState.CANCELLED: 100}
    assert balance(view).held == 0
    job = compute.job(actor=owner, job_id=compute.sweep_jobs(actor=owner, sweep_id=view.id).items[0].id)
    assert str(job.reason) == "The job was cancelled."


@pytest.mark.django_db
def test_lists_do_not_grow_in_queries(sweep, owner, project, django_assert_num_queries):
    for _ in range(3):
        view = sweep()
    with django_assert_num_queries(4):
        page = compute.sweeps(actor=owner, project_id=project.id)
    assert page.total == 3
    with django_assert_num_queries(3):
        compute.sweep(actor=owner, sweep_id=view.id)
    with django_assert_num_queries(3):
        assert compute.sweep_jobs(actor=owner, sweep_id=view.id).total == 6


@pytest.mark.django_db
def test_who_may(sweep, bora, chan, auditor):
    view = sweep(actor=bora)
    assert compute.sweep(actor=auditor, sweep_id=view.id).jobs == 6
    with pytest.raises(NotFound):
        sweep(actor=chan)
    with pytest.raises(NotAllowed):
        sweep(actor=auditor)
    for call in (compute.sweep, compute.sweep_jobs, compute.cancel_sweep):
        with pytest.raises(NotFound):
            call(actor=chan, sweep_id=view.id)
        with pytest.raises(NotFound):
            call(actor=bora, sweep_id=new_id())
    with pytest.raises(NotAllowed):
        compute.cancel_sweep(actor=auditor, sweep_id=view.id)


# --- REST


@pytest.mark.django_db
def test_a_sweep_by_rest(api, project, cores):  # noqa: F811
    wanted = {
        "id": str(new_id()), "name": "rates",
        "request": {"argv": ["echo", "{lr}"], "limits": {"wall_seconds": 10}},
        "parameters": {"lr": ["0.1", "0.2"], "seed": [1]},
    }  # fmt: skip
    path = f"/projects/{project.id}/sweeps"
    status, view = api("POST", path, wanted)
    assert status == 201, view
    assert (status, view["jobs"], view["ended"], view["states"]) == (201, 2, 0, {"QUEUED": 2})
    assert api("POST", path, wanted) == (200, view)
    assert api("GET", f"/sweeps/{view['id']}") == (200, view)
    assert [each["id"] for each in api("GET", path)[1]["items"]] == [view["id"]]
    status, jobs = api("GET", f"/sweeps/{view['id']}/jobs")
    assert [each["values"] for each in jobs["items"]] == [{"lr": "0.1", "seed": "1"}, {"lr": "0.2", "seed": "1"}]
    assert api("GET", f"/jobs/{jobs['items'][0]['id']}")[1]["name"] == "rates 1"
    status, view = api("POST", f"/sweeps/{view['id']}/cancel")
    assert (status, view["states"]) == (200, {"CANCELLED": 2})
    listed = {**wanted, "id": str(new_id()), "parameters": [{"lr": 1}, {"lr": 2}]}
    assert api("POST", path, listed)[1]["jobs"] == 2
    status, refused = api("POST", path, {**listed, "id": str(new_id()), "parameters": {}})
    assert (status, refused["detail"]["field"]) == (400, "parameters")
    status, refused = api("POST", path, {**listed, "parameters": [{"lr": 3}]})
    assert (status, refused["code"]) == (409, "conflict")


@pytest.mark.django_db
def test_a_job_that_waits_by_rest(api, project, cores):  # noqa: F811
    job = {"id": str(new_id()), "project_id": str(project.id), "name": "first", "argv": ["true"]}
    assert api("POST", "/jobs", job)[1]["after"] == []
    status, second = api("POST", "/jobs", {**job, "id": str(new_id()), "after": [job["id"]]})
    assert (status, second["after"]) == (201, [job["id"]])
