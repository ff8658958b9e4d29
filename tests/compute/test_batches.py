"""Many jobs in one act: all or none, held once, handed over in few queries, one after another where asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.compute.facade import JobState, NewJob
from bitgoeul.compute.models import Cluster, Job, JobHold
from bitgoeul.compute.ports import EngineRefused, EngineUnavailable, Handle
from bitgoeul.compute.services import following, handing
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.resources import facade as resources

from .asking import python, request

pytestmark = pytest.mark.django_db


def some(count: int, *argv: str, **changes) -> list[NewJob]:
    return [NewJob(new_id(), f"job {n}", request(*argv, **changes)) for n in range(count)]


@pytest.fixture
def submit_many(owner, project, cores):
    def go(jobs, **changes):
        return compute.submit_jobs(**{"actor": owner, "project_id": project.id, "jobs": jobs, **changes})

    return go


# --- submitting


def test_many_jobs_are_as_many_single_ones(submit_many, balance, owner):
    jobs = some(3, wall_seconds=10)
    views = submit_many(jobs)
    assert [(each.id, each.name, each.state) for each in views] == [(j.id, j.name, "QUEUED") for j in jobs]
    assert all(each.held == {"core_ms": 10_000} for each in views)
    assert balance(views[0]).held == 30_000
    for each in views:
        (event,) = audit.history("job", each.id).items
        assert event.verb == "compute.submit_job"
    listed = compute.jobs(actor=owner, project_id=views[0].project_id).items
    assert [each.id for each in listed] == [j.id for j in reversed(jobs)], "lists keep the order given"
    assert ledger.verify().ok
    assert audit.verify().ok


def test_the_same_batch_again_changes_nothing_and_a_longer_one_adds(submit_many, balance):
    jobs = some(3)
    first = submit_many(jobs)
    assert submit_many(jobs) == first
    more = submit_many([*jobs, *some(1)])
    assert more[:3] == first
    assert Job.objects.count() == 4
    assert balance(first[0]).held == 80_000


def test_another_content_is_a_conflict_that_names_the_job(submit_many):
    jobs = some(3)
    submit_many(jobs)
    changed = [*jobs[:2], replace(jobs[2], request=request("false"))]
    with pytest.raises(Conflict) as caught:
        submit_many(changed)
    assert (caught.value.field, caught.value.detail["job"]) == ("id", 2)


def test_one_wrong_job_refuses_all_and_is_named(submit_many, balance, cores):
    jobs = [*some(2), NewJob(new_id(), "the wrong one", request(outputs=("a/b",)))]
    with pytest.raises(BadInput) as caught:
        submit_many(jobs)
    assert caught.value.field == "outputs"
    assert (caught.value.detail["job"], caught.value.detail["name"]) == (2, "the wrong one")
    assert Job.objects.count() == 0
    with pytest.raises(BadInput) as caught:
        submit_many([*some(1), NewJob(new_id(), " ", request())])
    assert (caught.value.field, caught.value.detail["job"]) == ("name", 1)
    job = some(1)[0]
    for wrong in ([], [job, job], some(1001)):
        with pytest.raises(BadInput) as caught:
            submit_many(wrong)
        assert caught.value.field == "jobs"


def test_what_does_not_reach_for_all_is_refused_for_all(submit_many, cores):
    with pytest.raises(compute.NotEnoughLeft) as caught:
        submit_many(some(4, wall_seconds=1_000))
    told = caught.value
    assert told.detail == {
        "unit": "core_ms", "need": 4_000_000, "available": 3_600_000, "reaches_for": 3, "jobs": 4
    }  # fmt: skip
    assert "enough for 3 of them" in str(told.text)
    assert Job.objects.count() == JobHold.objects.count() == 0


def test_what_reaches_for_none_says_so_in_words(submit_many, cores):
    with pytest.raises(compute.NotEnoughLeft) as caught:
        submit_many(some(2, wall_seconds=4_000))
    assert caught.value.detail["reaches_for"] == 0
    assert "not enough for any of them" in str(caught.value.text)


def test_sources_are_used_up_in_their_order(submit_many, grant, project):
    grant("core_ms", 15_000, days=1)
    views = submit_many(some(3, wall_seconds=10))
    held = sorted(each.held for each in resources.allocations(project_ids=[project.id])[project.id])
    assert held == [15_000, 15_000]
    lines = JobHold.objects.filter(job=views[1].id).order_by("number").values_list("number", "amount")
    assert list(lines) == [(0, 5_000), (1, 5_000)]


def test_who_may_not_submit_one_may_not_submit_many(submit_many, bora, chan, auditor):
    assert len(submit_many(some(2), actor=bora)) == 2
    with pytest.raises(NotFound):
        submit_many(some(2), actor=chan)
    with pytest.raises(NotAllowed):
        submit_many(some(2), actor=auditor)


def queries_of(act) -> int:
    with CaptureQueriesContext(connection) as seen:
        act()
    return len(seen)


def test_a_batch_takes_as_many_queries_as_a_few(submit_many, grant):
    grant("core_ms", 10**12)
    few = queries_of(lambda: submit_many(some(25)))
    assert queries_of(lambda: submit_many(some(400))) <= few + 2, "lists of ids go in pieces of 500"


# --- handing over


class Counting:
    """An engine that takes everything, and writes down what came."""

    def __init__(self) -> None:
        self.batches: list[list] = []

    def submit_many(self, specs):
        self.batches.append([spec.job_id for spec in specs])
        return [Handle(spec.job_id, str(spec.job_id), now()) for spec in specs]


def hand_over(engine, limit=500) -> int:
    return handing.hand_over(engine, Cluster.objects.get(), limit)


def test_a_batch_is_handed_over_in_few_queries_and_each_job_has_its_trail(submit_many, grant):
    grant("core_ms", 10**12)
    engine, files = Counting(), {"a.txt": b"one", "b.txt": b"two"}
    submit_many(some(25), files=files)
    few = queries_of(lambda: hand_over(engine))
    views = submit_many(some(200), files=files)
    with audit.request_context("somebody"):
        views += submit_many(some(5))
    assert queries_of(lambda: hand_over(engine)) <= few + 4, "messages go in pieces"
    assert [len(batch) for batch in engine.batches] == [25, 205]
    assert engine.batches[1] == [view.id for view in views], "first come, first served"
    rows = Job.objects.in_bulk([view.id for view in views])
    assert all(row.state == "SUBMITTED" and row.handle["reference"] == str(pk) for pk, row in rows.items())
    moves = audit.moves_of("job", list(rows))
    assert {tuple(move.action for move in each) for each in moves.values()} == {("submit",)}
    assert audit.requests_behind("job", list(rows)) == {str(view.id): "somebody" for view in views[-5:]}
    assert hand_over(engine) == 0
    assert audit.verify().ok


def test_what_one_job_is_refused_does_not_concern_the_others(submit_many, balance, look):
    views = submit_many(some(3))

    class Picky(Counting):
        def submit_many(self, specs):
            answers = super().submit_many(specs)
            answers[1] = EngineRefused("no")
            return answers

    assert hand_over(Picky()) == 3
    assert [look(view).state for view in views] == ["SUBMITTED", "REFUSED", "SUBMITTED"]
    assert balance(views[0]).held == 40_000


def test_an_engine_that_cannot_be_asked_keeps_the_rest_queued(submit_many, monkeypatch):
    monkeypatch.setattr(handing, "BATCH", 2)
    submit_many(some(5))

    class Down(Counting):
        def submit_many(self, specs):
            raise EngineUnavailable

    assert hand_over(Down()) == 2
    assert Job.objects.filter(state="QUEUED").count() == 3
    assert Job.objects.filter(state="SUBMITTED", handle__isnull=True).count() == 2
    engine = Counting()
    assert hand_over(engine) == 3, "the lease of the two has not run out"
    Job.objects.filter(handle__isnull=True).update(lease_until=now() - timedelta(seconds=1))
    assert hand_over(engine) == 2
    assert sorted(map(len, engine.batches)) == [1, 2, 2]


def test_many_moves_are_as_many_single_ones(submit_many):
    one, two, done, *_others = views = submit_many(some(6))
    rows = {row.pk: row for row in Job.objects.all()}
    audit.advance(rows[done.id], "cancel", actor="test")
    with audit.request_context("here"):
        audit.advance(rows[one.id], "submit", actor="test", reason="why", payload={"a": 1})
        moved = audit.advance_many(
            [rows[view.id] for view in views[1:]],
            "submit",
            actor="test",
            reason="why",
            payloads={rows[two.id].pk: {"a": 1}},
            requests={str(views[3].id): "elsewhere"},
        )
    assert [row.pk for row in moved] == [view.id for view in views[1:] if view is not done], "in their order"
    assert {row.state for row in moved} == {"SUBMITTED"}
    told = {pk: _told(pk) for pk in (one.id, two.id)}
    assert told[one.id] == told[two.id]
    assert Job.objects.get(pk=done.id).state == "CANCELLED"
    assert audit.requests_behind("job", [one.id, two.id, views[3].id]) == {
        str(one.id): "here", str(two.id): "here", str(views[3].id): "elsewhere"
    }  # fmt: skip
    assert audit.advance_many(moved, "submit", actor="test") == [], "they have moved already"
    assert audit.verify().ok


def test_many_moves_are_all_made_or_none(submit_many, monkeypatch):
    submit_many(some(3))

    class Fails(Exception):
        pass

    def fails(*_args):
        raise Fails

    monkeypatch.setattr("bitgoeul.audit.many.emit_many", fails)
    with pytest.raises(Fails):
        audit.advance_many(list(Job.objects.all()), "submit", actor="test")
    assert set(Job.objects.values_list("state", "version")) == {("QUEUED", 0)}
    assert not any(audit.moves_of("job", [str(pk) for pk in Job.objects.values_list("pk", flat=True)]).values())


def _told(pk):
    """Move, event and message of a job's only move, without what must differ."""
    from bitgoeul.audit.models import Message

    (move,) = audit.moves_of("job", [str(pk)])[str(pk)]
    event = audit.history("job", pk).items[-1]
    (message,) = Message.objects.filter(topic="job.submit", key__startswith=str(pk))
    payload = {key: value for key, value in message.payload.items() if key != "id"}
    seen = (move.action, move.from_state, move.to_state, move.actor, move.reason, move.version)
    return seen, (event.verb, event.actor, event.before, event.after), payload


# --- one after another


def test_a_job_waits_until_the_others_succeeded(submit, follow, look):
    first = submit(python("print(1)"))
    second = submit(request("true", after=(first.id,)))
    third = submit(request("true", after=(first.id, second.id)))
    assert third.request.after == (first.id, second.id)
    engine = Counting()
    assert hand_over(engine) == 1
    assert engine.batches == [[first.id]]
    Job.objects.filter(pk=first.id).update(handle=None, lease_until=now() - timedelta(seconds=1))
    assert follow(third).state == JobState.SUCCEEDED
    assert look(first).ended_at <= look(second).started_at
    assert look(second).ended_at <= look(third).started_at


def test_what_waits_for_a_failure_never_starts_and_says_why(submit, follow, balance, owner):
    first = submit(request("false"))
    second = submit(request("true", after=(first.id,)), name="second")
    third = submit(request("true", after=(second.id,)))
    done = follow(third)
    assert (done.state, done.started_at, done.charged) == (JobState.REFUSED, None, {})
    assert "“second”" in str(done.reason)
    assert balance(done).held == 0
    with pytest.raises(BadInput) as caught:
        submit(request("true", after=(first.id,)))
    assert caught.value.field == "after"


def test_only_earlier_jobs_of_the_same_project_can_be_waited_for(submit, submit_many):
    jobs = some(2)
    with pytest.raises(BadInput) as caught:
        submit_many([replace(jobs[0], request=request(after=(jobs[1].id,))), jobs[1]])
    assert (caught.value.field, caught.value.detail["job"]) == ("after", 0)
    with pytest.raises(BadInput):
        submit_many([replace(jobs[0], request=request(after=(jobs[0].id,)))])
    with pytest.raises(BadInput):
        submit(request(after=(new_id(),)))
    with pytest.raises(BadInput):
        submit(request(after=tuple(new_id() for _ in range(17))))
    one, two = submit_many([jobs[0], replace(jobs[1], request=request(after=(jobs[0].id,)))])
    assert two.request.after == (one.id,)


def test_a_queue_of_waiting_jobs_costs_the_follower_no_more_queries(submit_many, grant):
    grant("core_ms", 10**12)
    (first,) = submit_many(some(1))
    engine = Counting()
    hand_over(engine)
    few = queries_of(lambda: hand_over(engine))
    submit_many([replace(job, request=request(after=(first.id,))) for job in some(100)])
    assert queries_of(lambda: hand_over(engine)) == few
    assert [len(batch) for batch in engine.batches] == [1]


def test_followers_step_is_the_same_with_a_batching_engine(submit_many, monkeypatch, look):
    views = submit_many(some(2))
    engine = Counting()
    engine.poll = lambda handles: []
    engine.cancel = lambda handles: None
    monkeypatch.setattr(following, "engine_of", lambda _cluster: engine)
    assert compute.follow_once() == 4, "two handed over, two seen to be missing"
    assert {look(view).state for view in views} == {JobState.SUBMITTED}
