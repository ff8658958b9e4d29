"""Jobs from the request to the settled end, on the real local engine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from bitgoeul.accounts.facade import Actor
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.compute import ports
from bitgoeul.compute.facade import JobState
from bitgoeul.compute.models import Cluster, Job, JobArtefact
from bitgoeul.compute.services import collecting, ending, following, handing
from bitgoeul.content import facade as content
from bitgoeul.kernel.clock import SEOUL, now, parse_rfc3339
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound, Unavailable, WrongState
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.resources import facade as resources
from people import elevation_of

from .asking import python, request

pytestmark = pytest.mark.django_db


def moves(view) -> list[str]:
    return [move.action for move in audit.moves_of("job", [str(view.id)])[str(view.id)]]


def news(topic: str = "job.finished") -> list[dict]:
    from bitgoeul.audit.models import Message

    return [message.payload for message in Message.objects.filter(topic=topic)]


# --- submit


def test_a_job_is_held_for_run_charged_and_kept(submit, follow, balance, cores, grant):
    grant("target_ms", 100_000)
    code = "import sys; print('hello'); print('oops', file=sys.stderr); open('out.bin', 'wb').write(b'result')"
    view = submit(python(code, outputs=("out.bin",), devices={"software-target": 1}))
    assert view.state == JobState.QUEUED
    assert view.held == {"core_ms": 20_000, "target_ms": 20_000}
    assert balance(view).held == 20_000

    done = follow(view)
    assert (done.state, done.exit_code) == (JobState.SUCCEEDED, 0)
    assert done.charged == {"core_ms": done.measured["wall_ms"], "target_ms": done.measured["wall_ms"]}
    assert done.held == {}
    after = balance(view)
    assert (after.held, after.used) == (0, done.charged["core_ms"])
    assert after.available == cores.granted - done.charged["core_ms"]
    assert content.read(done.artefacts["out.bin"], max_bytes=100) == b"result"
    assert done.environment["engine"] == "local"
    assert moves(view) in (["submit", "start", "succeed"], ["submit", "succeed"])
    assert news() == [
        {"id": str(view.id), "project_id": str(view.project_id), "state": "SUCCEEDED", "origin": None}
    ]
    assert ledger.verify().ok


def test_the_same_id_again_is_the_same_job(submit, owner, project):
    first = submit(request("true"))
    assert submit(request("true"), id=first.id) == first
    assert Job.objects.count() == 1
    with pytest.raises(Conflict) as caught:
        submit(request("false"), id=first.id)
    assert caught.value.field == "id"
    with pytest.raises(Conflict):
        submit(request("true"), id=first.id, name="another name")


def test_more_than_is_left_is_refused_and_nothing_is_written(submit, cores):
    with pytest.raises(compute.NotEnoughLeft) as caught:
        submit(request(cores=1, wall_seconds=3601))
    assert caught.value.detail == {"unit": "core_ms", "need": 3_601_000, "available": 3_600_000}
    with pytest.raises(compute.NotEnoughLeft):
        submit(request(devices={"software-target": 1}))
    assert Job.objects.count() == 0
    assert news("job.finished") == []


def test_a_project_without_an_allocation_has_nothing_to_spend(owner, project):
    with pytest.raises(compute.NotEnoughLeft):
        compute.submit_job(actor=owner, id=new_id(), project_id=project.id, name="x", request=request())


def test_two_allocations_bear_one_job(submit, follow, grant):
    short = grant("core_ms", 5_000, days=1)
    view = submit(request("true", wall_seconds=10))
    held = {each.id: each.held for each in resources.allocations(project_ids=[view.project_id])[view.project_id]}
    assert held[short.id] == 5_000
    assert sorted(held.values()) == [5_000, 5_000]
    done = follow(view)
    after = resources.allocations(project_ids=[view.project_id])[view.project_id]
    assert sum(each.held for each in after) == 0
    assert sum(each.used for each in after) == done.charged["core_ms"]
    assert {each.id: each.used for each in after}[short.id] == done.charged["core_ms"]


def test_bad_input_is_named(submit):
    with pytest.raises(BadInput) as caught:
        submit(request(outputs=("a/b",)))
    assert caught.value.field == "outputs"
    with pytest.raises(BadInput) as caught:
        submit(name=" ")
    assert caught.value.field == "name"


def test_bora_may_submit_and_chan_finds_nothing(submit, bora, chan, auditor):
    view = submit(actor=bora)
    assert view.submitted_by == bora.id
    with pytest.raises(NotFound):
        submit(actor=chan)
    with pytest.raises(NotAllowed):
        submit(actor=auditor)
    for call in (
        lambda: compute.job(actor=chan, job_id=view.id),
        lambda: compute.jobs(actor=chan, project_id=view.project_id),
        lambda: compute.read_log(actor=chan, job_id=view.id),
        lambda: compute.artefacts(actor=chan, job_id=view.id),
        lambda: compute.cancel_job(actor=chan, job_id=view.id),
    ):
        with pytest.raises(NotFound):
            call()
    assert compute.job(actor=auditor, job_id=view.id).id == view.id
    with pytest.raises(NotAllowed):
        compute.cancel_job(actor=auditor, job_id=view.id)


def test_a_digest_alone_gives_no_right_to_read_a_content(submit, follow, owner):
    secret = content.put_bytes(b"somebody else's model", media_type="text/plain", limit_bytes=100)
    with pytest.raises(NotAllowed):
        submit(python("pass", inputs={"model": secret.digest}))
    with pytest.raises(BadInput):
        submit(python("pass", inputs={"model": "0" * 64}))
    vouched = submit(
        python("print(open('model').read())", inputs={"model": secret.digest}),
        origin=compute.Origin("trial", "7"),
    )
    done = follow(vouched)
    assert compute.read_log(actor=owner, job_id=done.id).text == "somebody else's model\n"
    assert news()[0]["origin"] == {"kind": "trial", "id": "7"}


def test_files_given_with_a_job_and_files_a_job_left_can_be_used(submit, follow, owner):
    first = follow(
        submit(
            request("python", "make.py", outputs=("a.txt",)), files={"make.py": b"open('a.txt','w').write('A')"}
        )
    )
    assert first.state == JobState.SUCCEEDED
    second = submit(python("print(open('b.txt').read())", inputs={"b.txt": first.artefacts["a.txt"]}))
    assert compute.read_log(actor=owner, job_id=follow(second).id).text == "A\n"


# --- endings


@pytest.mark.parametrize(
    ("code", "changes", "state", "words"),
    [
        ("raise SystemExit(3)", {}, JobState.FAILED, "status 3"),
        ("import os; os.kill(os.getpid(), 11)", {}, JobState.FAILED, "SIGSEGV"),
        ("pass", {"outputs": ("record.json",)}, JobState.FAILED, "record.json"),
        ("import time; time.sleep(60)", {"wall_seconds": 1}, JobState.TIMED_OUT, "1 seconds"),
        (
            "import time\nkept = []\nwhile True: kept.append(b'x' * 2**22); time.sleep(0.001)",
            {"memory_mib": 200},
            JobState.FAILED,
            "200 MiB",
        ),
        ("f = open('big', 'wb')\nwhile True: f.write(b'x' * 2**20)", {"file_mib": 2}, JobState.FAILED, "2 MiB"),
    ],
)
def test_a_bad_ending_is_named_and_settled(submit, follow, balance, code, changes, state, words):
    done = follow(submit(python(code, **changes)))
    assert done.state == state
    assert words in str(done.reason)
    after = balance(done)
    assert after.held == 0
    assert after.used == done.charged["core_ms"] <= done.request.limits.wall_seconds * 1000
    assert ledger.verify().ok


def test_a_command_that_does_not_exist_costs_nothing(submit, follow, balance):
    done = follow(submit(request("no-such-command")))
    assert done.state == JobState.FAILED
    assert "no-such-command" in str(done.reason)
    assert done.charged == {}
    assert (balance(done).held, balance(done).used) == (0, 0)


def test_what_the_engine_refuses_costs_nothing(submit, follow, balance, grant):
    grant("core_ms", 10**12)
    done = follow(submit(request(cores=1000)))
    assert done.state == JobState.REFUSED
    assert "1000 × cores" in str(done.reason)
    assert (balance(done).held, balance(done).used) == (0, 0)
    assert news()[0]["state"] == "REFUSED"


def test_a_lost_input_is_a_refusal(submit, follow):
    view = submit(request("true"), files={"a.txt": b"x"})
    content.path_of(view.request.inputs["a.txt"]).unlink()
    assert follow(view).state == JobState.REFUSED


def test_a_job_that_waited_too_long_is_given_up(submit, follow, balance):
    view = submit()
    Job.objects.update(submitted_at=now() - timedelta(days=31))
    done = follow(view)
    assert done.state == JobState.REFUSED
    assert balance(done).held == 0


# --- cancel


def test_a_queued_job_is_cancelled_at_once(submit, owner, balance):
    view = compute.cancel_job(actor=owner, job_id=submit().id)
    assert view.state == JobState.CANCELLED
    assert balance(view).held == 0
    assert compute.cancel_job(actor=owner, job_id=view.id) == view
    assert compute.follow_once(limit=20) == 0
    assert [each["state"] for each in news()] == ["CANCELLED"]


def test_a_running_job_is_cancelled_and_pays_for_its_time(submit, follow, owner, balance):
    view = submit(python("import time; time.sleep(60)"))
    assert follow(view, JobState.RUNNING).state == JobState.RUNNING
    asked = compute.cancel_job(actor=owner, job_id=view.id)
    assert asked.stopping
    assert asked.state == JobState.RUNNING
    done = follow(view)
    assert done.state == JobState.CANCELLED
    assert not done.stopping
    assert balance(done).used == done.charged["core_ms"] > 0


def test_an_ended_job_cannot_be_cancelled(submit, follow, owner):
    done = follow(submit())
    with pytest.raises(WrongState):
        compute.cancel_job(actor=owner, job_id=done.id)


# --- unknown


@pytest.fixture
def lost(submit, follow, engine_home, monkeypatch):
    """A job that ran and then vanished from the engine."""
    monkeypatch.setattr(following, "UNLISTED", timedelta(0))
    view = submit(python("import time; time.sleep(0.3); print('alive')"))
    follow(view, JobState.RUNNING)
    aside = engine_home / "aside"
    (engine_home / "local" / "jobs" / str(view.id)).rename(aside)
    return follow(view, JobState.UNKNOWN), aside


def test_a_vanished_job_is_unknown_and_still_held_for(lost, balance):
    view, _aside = lost
    assert view.state == JobState.UNKNOWN
    assert not view.finished
    assert balance(view).held == 20_000
    assert news() == []


def test_an_unknown_job_that_comes_back_ends_as_it_did(lost, engine_home, follow):
    view, aside = lost
    aside.rename(engine_home / "local" / "jobs" / str(view.id))
    assert follow(view).state in (JobState.SUCCEEDED, JobState.FAILED)


def test_an_engineer_can_write_an_unknown_job_off(lost, engineer, owner, balance):
    view, aside = lost
    with pytest.raises(NotAllowed):
        compute.write_off_job(actor=owner, job_id=view.id, reason="gone")
    with pytest.raises(BadInput) as caught:
        compute.write_off_job(actor=elevation_of(engineer), job_id=view.id, reason=" ")
    assert caught.value.field == "reason"
    done = compute.write_off_job(actor=elevation_of(engineer), job_id=view.id, reason="the disk was replaced")
    assert done.state == JobState.FAILED
    assert "the disk was replaced" in str(done.reason)
    assert (balance(view).held, balance(view).used) == (0, 0)
    shutil.rmtree(aside)


def test_a_job_that_is_missing_for_a_moment_only_stays_what_it_is(submit, follow, engine_home, look):
    view = submit(python("import time; time.sleep(0.5)"))
    follow(view, JobState.RUNNING)
    place, aside = engine_home / "local" / "jobs" / str(view.id), engine_home / "aside"
    place.rename(aside)
    compute.follow_once(limit=20)
    assert look(view).state == JobState.RUNNING
    assert Job.objects.get().unlisted_since is not None
    aside.rename(place)
    compute.follow_once(limit=20)
    assert Job.objects.get().unlisted_since is None


def test_a_job_charged_after_its_month_was_closed_is_booked_in_the_next_open_one(submit, cores):
    from bitgoeul.resources.models import Usage, UseMonth

    today = now().astimezone(SEOUL)
    first = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ended_at = first - timedelta(days=3)
    compute.close_month(actor=Actor.system("test"), month=f"{ended_at:%Y-%m}")
    view = submit(request(wall_seconds=10))
    Job.objects.filter(pk=view.id).update(state="SUBMITTED")
    row = Job.objects.select_related("cluster").get()
    started_at = ended_at - timedelta(seconds=5)
    seen = ports.Observation(row.pk, ports.Phase.ENDED, started_at, ended_at, ports.Ending.COMPLETED, 0)
    record = ports.UsageRecord(row.pk, started_at, 0, started_at, ended_at, 1, 5_000, 5_000, {}, 1, 1, final=True)
    ending.end_used(row, seen, record, [], actor="test")
    use = Usage.objects.get()
    assert (use.amount, use.ended_at) == (5_000, first)
    assert use.detail["late_for"] == f"{ended_at:%Y-%m}"
    assert parse_rfc3339(use.detail["ended_at"]) == ended_at
    assert UseMonth.objects.values_list("month", "amount").get() == (first.date(), 5_000)
    assert Job.objects.get().ended_at == ended_at, "the job tells the truth"


# --- crashes of the follower


class Crash(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


@pytest.mark.parametrize(
    ("module", "name", "after"),
    [
        (handing, "spec_of", False),
        (following, "collect", False),
        (following, "collect", True),
        (following, "end_used", False),
        (ending, "_settle", True),
        (ending, "_finish", True),
        (following, "end_used", True),
    ],
)
def test_a_follower_that_dies_anywhere_leaves_the_job_to_the_next(
    submit, follow, balance, monkeypatch, module, name, after
):
    monkeypatch.setattr(handing, "LEASE", timedelta(0))
    mark = []
    real = getattr(module, name)

    def dies(*args, **kwargs):
        if after:
            real(*args, **kwargs)
        mark.append(name)
        raise Crash

    view = submit(python("open('ran', 'a').write('x'); print('once')"))
    with monkeypatch.context() as patch:
        patch.setattr(module, name, dies)
        with pytest.raises(Crash):
            follow(view)
    assert mark == [name]
    done = follow(view)
    assert done.state == JobState.SUCCEEDED
    assert moves(view).count("submit") == moves(view).count("succeed") == 1
    assert len(news()) == 1
    assert balance(view).used == done.charged["core_ms"]
    assert ledger.verify().ok
    assert audit.verify().ok


def test_a_follower_that_dies_after_the_hand_over_starts_nothing_twice(submit, follow, owner, monkeypatch):
    monkeypatch.setattr(handing, "LEASE", timedelta(0))
    view = submit(python("print('ran')"))
    engine = following.engine_of(Cluster.objects.get())
    real = engine.submit

    def dies(spec):
        real(spec)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(engine, "submit", dies)
        with pytest.raises(Crash):
            compute.follow_once(limit=20)
    assert Job.objects.get().handle is None
    assert follow(view).state == JobState.SUCCEEDED
    assert compute.read_log(actor=owner, job_id=view.id).text == "ran\n"


def test_a_claim_that_still_holds_is_left_alone(submit):
    view = submit()
    assert [row.pk for row in handing.claim(Cluster.objects.get(), 5)] == [view.id]
    assert compute.follow_once(limit=20) == 0
    assert Job.objects.get(pk=view.id).handle is None


def test_files_of_an_ended_job_are_tidied_away(submit, follow, engine_home, monkeypatch):
    view = submit()
    with monkeypatch.context() as patch:
        patch.setattr(following, "isinstance", lambda *_: False, raising=False)
        follow(view)
    assert (engine_home / "local" / "jobs" / str(view.id)).exists()
    monkeypatch.setattr(following, "_tidied", {})
    compute.follow_once(limit=20)
    assert not (engine_home / "local" / "jobs" / str(view.id)).exists()


def test_one_job_that_cannot_be_kept_does_not_stop_the_others(submit, follow, look, monkeypatch):
    full, other = submit(python("print('a lot')")), submit(python("print('little')"))
    real = collecting.collect

    def collect(engine, row, handle):
        if row.pk == full.id:
            raise content.StorageFull
        return real(engine, row, handle)

    with monkeypatch.context() as patch:
        patch.setattr(following, "collect", collect)
        patch.setattr(following, "RETRY", timedelta(milliseconds=1))
        assert follow(other).state == JobState.SUCCEEDED
        assert not look(full).finished
    assert follow(full).state == JobState.SUCCEEDED


def test_an_engine_that_does_not_answer_changes_nothing(submit, look, monkeypatch):
    view = submit()
    engine = following.engine_of(Cluster.objects.get())

    def down(*_):
        raise ports.EngineUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(engine, "poll", down)
        patch.setattr(engine, "submit", down)
        compute.follow_once(limit=20)
    assert look(view).state == JobState.SUBMITTED


def test_a_cluster_whose_engine_is_not_installed_is_left_alone(submit, look):
    view = submit()
    Cluster.objects.update(engine="no-such-engine")
    assert compute.follow_once(limit=20) == 0
    assert look(view).state == JobState.QUEUED


# --- logs and lists


def test_a_log_can_be_followed_live_and_read_afterwards(submit, follow, owner):
    code = "import time\nprint('가나다', flush=True)\ntime.sleep(0.5)\nprint('끝')"
    view = submit(python(code))
    assert compute.read_log(actor=owner, job_id=view.id).text == ""
    follow(view, JobState.RUNNING)
    live = compute.read_log(actor=owner, job_id=view.id, limit=4)
    while not live.text:
        live = compute.read_log(actor=owner, job_id=view.id, limit=4)
    assert (live.text, live.next_offset, live.complete) == ("가", 3, False)
    done = follow(view)
    rest = compute.read_log(actor=owner, job_id=done.id, offset=live.next_offset)
    assert (rest.text, rest.complete) == ("나다\n끝\n", True)
    assert compute.read_log(actor=owner, job_id=done.id, stream="stderr").complete
    for wrong in ({"stream": "stdin"}, {"offset": -1}, {"limit": 0}):
        with pytest.raises(BadInput):
            compute.read_log(actor=owner, job_id=done.id, **wrong)


def test_a_long_log_is_cut_and_says_so(submit, follow, owner, monkeypatch):
    monkeypatch.setattr(collecting, "LOG_BYTES_MAX", 10)
    done = follow(submit(python("print('x' * 100)")))
    chunk = compute.read_log(actor=owner, job_id=done.id)
    assert (chunk.text, chunk.truncated) == ("x" * 10, True)


def test_lists_are_paged_and_do_not_grow_in_queries(submit, owner, django_assert_num_queries):
    views = [submit() for _ in range(3)]
    with django_assert_num_queries(5):
        page = compute.jobs(actor=owner, project_id=views[0].project_id, per_page=2)
    assert [each.id for each in page.items] == [views[2].id, views[1].id]
    assert (page.total, page.last) == (3, 2)
    with django_assert_num_queries(3):
        assert set(compute.job_views([each.id for each in views])) == {each.id for each in views}


def test_the_estimate_is_what_would_be_held(submit):
    wanted = request(cores=2, wall_seconds=30, devices={"software-target": 1})
    assert compute.estimate(wanted) == {"core_ms": 60_000, "target_ms": 30_000}
    with pytest.raises(BadInput):
        compute.estimate(replace(wanted, argv=()))


def test_kept_rows_cannot_be_changed(submit, follow):
    from django.db import DatabaseError, transaction

    follow(submit(python("print(1)")))
    with pytest.raises(DatabaseError), transaction.atomic():
        JobArtefact.objects.update(name="other")


def test_unavailable_is_a_domain_error():
    assert issubclass(ports.EngineUnavailable, Unavailable)
