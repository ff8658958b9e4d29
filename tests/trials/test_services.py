"""Every write: who may, what is kept, what a bad ending says, and that a repetition changes nothing."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import loads_strict, sha256_hex
from bitgoeul.kernel.errors import BadInput, Conflict, DomainError, NotAllowed, NotFound, WrongState
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.signing import Envelope
from bitgoeul.kernel.text import Text
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials
from bitgoeul.trials.errors import NameTaken, SameVersion, SubjectFileRefused, TooManyTrials, UnknownProtocol
from bitgoeul.trials.models import Judgement, ProtocolVersion, Trial
from bitgoeul.trials.statement import RecordNotUsable, notes_of

pytestmark = pytest.mark.django_db


def failed(view):
    return [reason.check for reason in view.verdict.failed()]


def see(owner, view):
    return trials.trial(actor=owner, trial_id=view.id)


def said_of(owner, view):
    """The predicate of the statement that was signed over a trial."""
    told = loads_strict(trials.evidence_file(actor=owner, digest=view.evidence_digest))
    return loads_strict(Envelope.from_json(told["envelope"]).payload)["predicate"]


def test_ara_brings_a_subject_bora_adds_a_version_chan_sees_nothing(owner, bora, chan, project, subject):
    view = trials.add_version(actor=bora, id=new_id(), subject_id=subject.id, filename="m.onnx", data=b"bytes")
    assert (view.number, view.digest, view.size) == (1, sha256_hex(b"bytes"), 5)
    assert content.read(view.digest, max_bytes=10) == b"bytes"
    for call in (
        lambda: trials.subject(actor=chan, subject_id=subject.id),
        lambda: trials.version(actor=chan, version_id=view.id),
        lambda: trials.add_version(actor=chan, id=new_id(), subject_id=subject.id, filename="m", data=b"x"),
        lambda: trials.create_subject(actor=chan, id=new_id(), project_id=project.id, name="x", kind="onnx"),
        lambda: trials.trials(actor=chan, project_id=project.id),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_viewer_looks_and_does_nothing(person, project, subject):
    from bitgoeul.accounts import facade as accounts

    viewer = person("dana")
    accounts.add_member(
        actor=accounts.Actor.system("test"), project_id=project.id, user_id=viewer.user_id,
        role=accounts.ProjectRole.VIEWER,
    )  # fmt: skip
    viewer = accounts.actor_for(user_id=viewer.user_id)
    assert trials.subject(actor=viewer, subject_id=subject.id).name == subject.name
    with pytest.raises(NotAllowed):
        trials.add_version(actor=viewer, id=new_id(), subject_id=subject.id, filename="m", data=b"x")


def test_a_repeated_write_changes_nothing_and_another_content_conflicts(owner, project):
    id, version_id = new_id(), new_id()
    for _ in range(2):
        trials.create_subject(actor=owner, id=id, project_id=project.id, name="Same", kind="onnx")
        trials.add_version(actor=owner, id=version_id, subject_id=id, filename="m", data=b"x")
    assert len(trials.versions(actor=owner, subject_id=id)) == 1
    with pytest.raises(Conflict):
        trials.create_subject(actor=owner, id=id, project_id=project.id, name="Other", kind="onnx")
    with pytest.raises(Conflict):
        trials.add_version(actor=owner, id=version_id, subject_id=id, filename="m", data=b"y")


@pytest.mark.parametrize(
    ("data", "filename", "error"),
    [(b"", "m", SubjectFileRefused), (b"x", "m" * 200, BadInput), (b"x", "a\x00b", BadInput)],
)
def test_a_bad_upload_is_refused_by_field(owner, subject, data, filename, error):
    with pytest.raises(error) as refused:
        trials.add_version(actor=owner, id=new_id(), subject_id=subject.id, filename=filename, data=data)
    assert refused.value.field == "file"


def test_a_file_too_large_is_refused_and_not_kept(owner, subject, monkeypatch):
    from bitgoeul.trials.services import subjects

    monkeypatch.setattr(subjects, "SUBJECT_BYTES_MAX", 3)
    with pytest.raises(SubjectFileRefused):
        trials.add_version(actor=owner, id=new_id(), subject_id=subject.id, filename="m", data=b"four")
    assert sha256_hex(b"four") not in content.blobs([sha256_hex(b"four")])


def test_the_same_file_twice_and_the_same_name_twice_are_refused(owner, project, version):
    with pytest.raises(SameVersion):
        trials.add_version(
            actor=owner, id=new_id(), subject_id=version.subject_id, filename="again",
            data=content.read(version.digest, max_bytes=100),
        )  # fmt: skip
    with pytest.raises(NameTaken):
        trials.create_subject(
            actor=owner, id=new_id(), project_id=project.id, name=version.subject_name, kind="onnx"
        )


def test_protocols_are_entered_once_by_digest(protocol, models_directory):
    from bitgoeul.trials.services import register_protocols

    again = register_protocols(models_directory)
    assert protocol.digest in {view.digest for view in again}
    assert ProtocolVersion.objects.count() == len(again)
    assert set(content.blobs(protocol.definition["assets"].values())) == set(
        protocol.definition["assets"].values()
    )


def test_a_request_holds_queues_and_counts(owner, project, funded, request_trial):
    before = resources.allocations(project_ids=[project.id])[project.id]
    view = request_trial()
    assert (view.state, view.attempt, view.outcome) == ("QUEUED", 1, None)
    job = compute.job_views([view.job_id])[view.job_id]
    assert job.request.exclusive
    assert (job.origin.kind, job.origin.id) == ("trial", str(view.id))
    assert job.request.inputs["subject.bin"] == view.subject_digest
    held = {one.unit: one.held for one in resources.allocations(project_ids=[project.id])[project.id]}
    assert held["core_ms"] >= 1000 * job.request.limits.wall_seconds
    assert held["target_ms"] >= 1000 * job.request.limits.wall_seconds
    assert all(one.held == 0 for one in before)
    assert request_trial().attempt == 2


def test_a_repeated_request_is_one_trial(request_trial):
    id = new_id()
    assert request_trial(id=id) == request_trial(id=id)
    assert Trial.objects.count() == 1
    with pytest.raises(Conflict):
        request_trial(id=id, parameters={"seconds": 4})


def test_without_means_nothing_is_queued(owner, version, protocol):
    with pytest.raises(DomainError) as refused:
        trials.request_trial(
            actor=owner, id=new_id(), subject_version_id=version.id, protocol_digest=protocol.digest, parameters={}
        )
    assert refused.value.status == 409
    assert Trial.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"parameters": {"seconds": 1}}, "seconds"), ({"parameters": {"x": 1}}, "x")],
)
def test_bad_parameters_name_their_field_and_write_nothing(request_trial, changes, field):
    with pytest.raises(BadInput) as refused:
        request_trial(**changes)
    assert refused.value.field == field
    assert Trial.objects.count() == 0


def test_an_unknown_protocol_is_refused(request_trial):
    with pytest.raises(UnknownProtocol):
        request_trial(protocol_digest="0" * 64)


def test_chan_cannot_ask_and_cannot_see(chan, request_trial):
    view = request_trial()
    with pytest.raises(NotFound):
        request_trial(actor=chan)
    with pytest.raises(NotFound):
        trials.trial(actor=chan, trial_id=view.id)
    with pytest.raises(NotFound):
        trials.stop_trial(actor=chan, trial_id=view.id)


def test_unfinished_trials_are_bounded(request_trial, monkeypatch):
    from bitgoeul.trials.services import requests

    monkeypatch.setattr(requests, "UNFINISHED_MAX", 1)
    request_trial()
    with pytest.raises(TooManyTrials):
        request_trial()


def test_a_good_record_is_judged_and_signed_once(owner, protocol, request_trial, true_record, finish):
    view = request_trial()
    trials.job_started({"id": str(view.job_id)})
    assert see(owner, view).state == "RUNNING"
    finish(view, true_record(view, protocol), deliveries=2)
    done = see(owner, view)
    assert (done.state, done.outcome, failed(done)) == ("SIGNED", "PASSED", [])
    evidence = trials.evidence(actor=owner, digest=done.evidence_digest)
    assert (evidence.trial_id, evidence.verdict, evidence.attempt) == (view.id, "PASSED", 1)
    assert Judgement.objects.count() == 1
    moves = [move.action for move in audit.moves_of("trial", [view.id])[str(view.id)]]
    assert moves == ["queue", "start", "measure", "judge", "sign"]
    assert trials.verify_log().ok


def test_a_failed_subject_is_signed_as_failed(owner, protocol, request_trial, true_record, finish):
    view = request_trial()
    finding = {"party": "subject", "code": "no_answer", "step": "Server-1", "detail": "no sign of life"}
    finish(view, true_record(view, protocol, finding=finding))
    done = see(owner, view)
    assert (done.state, done.outcome, failed(done)) == ("SIGNED", "FAILED", ["subject.no_answer"])


def test_an_invalid_measurement_is_never_signed(owner, protocol, request_trial, true_record, finish):
    view = request_trial()
    record = true_record(view, protocol)
    record["canary"]["predictions_digest"] = "0" * 64
    finish(view, record)
    done = see(owner, view)
    assert (done.state, done.outcome, done.evidence_digest) == ("JUDGED", "INVALID", "")
    assert failed(done) == ["canary"]


@pytest.mark.parametrize(
    ("part", "value"), [("trial_id", "other"), ("attempt", 9), ("parameters", {"seconds": 600})]
)
def test_a_record_of_another_trial_is_invalid(owner, protocol, request_trial, true_record, finish, part, value):
    view = request_trial()
    finish(view, true_record(view, protocol, **{part: value}))
    done = see(owner, view)
    assert (done.outcome, failed(done)) == ("INVALID", ["record.foreign"])
    assert part in str(done.reasons[0].text)


@pytest.mark.parametrize(
    ("ending", "check"),
    [
        ({"state": "FAILED", "reason": Text("crashed")}, "measurement.job"),
        ({"state": "TIMED_OUT"}, "measurement.job"),
        ({"state": "CANCELLED"}, "measurement.job"),
        ({"state": "REFUSED"}, "measurement.job"),
        ({}, "measurement.record_missing"),
        ({"data": b"{"}, "measurement.record_damaged"),
        ({"data": b'{"b":1, "a":2}'}, "measurement.record_damaged"),
        ({"data": b"[]"}, "measurement.record_damaged"),
        ({"data": b'{"a":1,"a":2}'}, "measurement.record_damaged"),
    ],
)
def test_every_bad_ending_is_a_named_invalid_verdict(owner, request_trial, finish, ending, check):
    view = request_trial()
    finish(view, **ending, deliveries=2)
    done = see(owner, view)
    assert (done.state, done.outcome, failed(done)) == ("STOPPED", "INVALID", [check])
    assert done.evidence_digest == ""


def test_a_canonical_record_without_content_is_invalid(owner, request_trial, finish):
    view = request_trial()
    finish(view, data=b"{}")
    assert see(owner, view).outcome == "INVALID"


def test_news_of_other_jobs_is_left_alone(db):
    trials.job_finished({"id": str(new_id()), "state": "SUCCEEDED", "origin": None})
    trials.job_finished(
        {"id": str(new_id()), "state": "SUCCEEDED", "origin": {"kind": "trial", "id": str(new_id())}}
    )
    trials.job_started({"id": str(new_id())})
    assert Judgement.objects.count() == 0


def test_attempts_stand_in_the_verdict(owner, protocol, request_trial, true_record, finish):
    first, second = request_trial(), request_trial()
    finish(second, true_record(second, protocol))
    counted = next(reason for reason in see(owner, second).reasons if reason.check == "attempts")
    assert counted.value == "2"
    assert {view.attempt for view in trials.attempts_of(first)} == {1, 2}


def test_the_same_bytes_under_another_name_go_on_counting(
    owner, project, protocol, version, request_trial, true_record, finish
):
    first = request_trial()
    renamed = trials.create_subject(
        actor=owner, id=new_id(), project_id=project.id, name="another name", kind="onnx"
    )
    again = trials.add_version(
        actor=owner, id=new_id(), subject_id=renamed.id, filename="other.onnx",
        data=content.read(version.digest, max_bytes=100),
    )  # fmt: skip
    second = request_trial(subject_version_id=again.id)
    assert (first.attempt, second.attempt) == (1, 2)
    finish(second, true_record(second, protocol))
    said = said_of(owner, see(owner, second))
    counted = [reason["value"] for reason in said["verdict"]["reasons"] if reason["check"] == "attempts"]
    assert (said["attempt"], counted) == (2, ["2"])
    assert [view.id for view in trials.attempts_of(see(owner, first))] == [second.id, first.id]


def test_what_is_said_beside_a_result_comes_from_the_protocol_and_the_target_in_both_languages(
    owner, protocol, request_trial, true_record, finish
):
    view = request_trial()
    finish(view, true_record(view, protocol))
    notes = said_of(owner, see(owner, view))["notes"]
    assert notes == protocol.definition["notes"] + protocol.definition["targets"]["onnx"]["notes"]
    assert [note["ko"] for note in notes[:2]] == ["KOLAS 공인성적서가 아님", "LoadGen 측정, MLPerf 결과 아님"]
    assert [note["en"] for note in notes] == [
        "Not a KOLAS accredited test report",
        "Measured with LoadGen; not an MLPerf result",
        "A software target on one CPU was measured; no NPU was measured",
    ]


def test_another_target_says_something_else(protocol):
    definition = dict(protocol.definition, targets={"npu": {"notes": [{"ko": "가", "en": "a"}]}, "mute": {}})
    assert [note.en for note in notes_of(definition, "npu")][-1] == "a"
    assert not any("CPU" in note.en for note in notes_of(definition, "npu"))
    with pytest.raises(RecordNotUsable):
        notes_of(definition, "mute")


def test_the_database_refuses_a_second_first_attempt(request_trial):
    view = request_trial()
    row = Trial.objects.get(pk=view.id)
    row.pk, row.job_id = new_id(), new_id()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_judging_again_stands_beside(owner, engineer, protocol, request_trial, true_record, finish):
    view = request_trial()
    finish(view, true_record(view, protocol))
    with pytest.raises(NotAllowed):
        trials.judge_again(actor=owner, trial_id=view.id, id=new_id())
    id = new_id()
    for _ in range(2):
        done = trials.judge_again(actor=engineer, trial_id=view.id, id=id)
    assert [one.number for one in done.judgements] == [1, 2]
    assert done.judgements[0].verdict == done.judgements[1].verdict


def test_stopping_cancels_the_job_and_frees_the_hold(owner, project, request_trial):
    view = request_trial()
    trials.stop_trial(actor=owner, trial_id=view.id)
    job = compute.job_views([view.job_id])[view.job_id]
    assert job.state == "CANCELLED"
    trials.job_finished({"id": str(job.id), "state": "CANCELLED", "origin": {"kind": "trial", "id": str(view.id)}})
    assert see(owner, view).state == "STOPPED"
    assert all(one.held == 0 for one in resources.allocations(project_ids=[project.id])[project.id])
    with pytest.raises(WrongState):
        trials.stop_trial(actor=owner, trial_id=view.id)


def test_the_board_shows_public_passed_evidence_only(owner, protocol, request_trial, true_record, finish):
    private, public = request_trial(), request_trial(visibility=trials.Visibility.PUBLIC)
    finish(private, true_record(private, protocol))
    assert all(column.total == 0 for column in trials.stage_board())
    finish(public, true_record(public, protocol))
    columns = {column.stage: column for column in trials.stage_board()}
    assert list(columns) == ["demonstration", "verification", "mass_production", "market"]
    card = columns["demonstration"].cards[0]
    assert card.subject_id == public.subject_id
    assert "serial" in [item.code for item in card.standing.missing]
    assert trials.subject_standing(actor=owner, subject_id=public.subject_id).stage == "demonstration"


def test_last_trials_of_all_projects_in_one_query(owner, project, request_trial, django_assert_num_queries):
    request_trial()
    newest = request_trial()
    with django_assert_num_queries(1):
        last = trials.last_trials(project_ids=[project.id])[project.id]
    assert (last.id, last.subject_name, last.state) == (newest.id, newest.subject_name, newest.state)
    assert last.outcome is None
    with django_assert_num_queries(1):
        assert trials.last_trials(project_ids=[new_id()]) == {}
