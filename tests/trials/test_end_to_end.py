"""A trial for real: the local engine runs the harness, the follower settles, the news is judged and signed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from django.conf import settings
from onnx import helper

from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.ids import new_id
from bitgoeul.ledger import facade as ledger
from bitgoeul.protocols.inference import example_models
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials
from protocols import subjects

pytestmark = [pytest.mark.django_db(transaction=False), pytest.mark.slow]
SECONDS_MAX = 120


def run(view, owner):
    ends = time.monotonic() + SECONDS_MAX
    while time.monotonic() < ends:
        compute.follow_once(20)
        audit.dispatch_once(20)
        seen = trials.trial(actor=owner, trial_id=view.id)
        if seen.outcome is not None and seen.state in ("SIGNED", "STOPPED", "JUDGED"):
            return seen
        time.sleep(0.2)
    raise AssertionError(
        f"the trial is still {seen.state}: its job {compute.job_views([view.job_id])[view.job_id].state}"
    )


@pytest.mark.parametrize(
    ("name", "outcome", "failed"),
    [(example_models.INT8, "PASSED", []), (example_models.CHEAT, "FAILED", ["accuracy"])],
)
def test_a_model_is_measured_charged_judged_and_signed(
    owner, project, subject, protocol, funded, models_directory, name, outcome, failed
):
    version = trials.add_version(
        actor=owner, id=new_id(), subject_id=subject.id, filename=name,
        data=(models_directory / name).read_bytes(),
    )  # fmt: skip
    asked = trials.request_trial(
        actor=owner, id=new_id(), subject_version_id=version.id, protocol_digest=protocol.digest, parameters={}
    )
    done = run(asked, owner)
    job = compute.job_views([done.job_id])[done.job_id]
    assert (done.state, done.outcome) == ("SIGNED", outcome), [str(r.text) for r in done.verdict.failed()]
    assert [reason.check for reason in done.verdict.failed()] == failed
    held = resources.allocations(project_ids=[project.id])[project.id]
    assert all(one.held == 0 for one in held)
    assert job.charged["core_ms"] == job.charged["target_ms"] == sum(o.used for o in held if o.unit == "core_ms")
    record = trials.record_of(done)
    assert record["subject"]["digest"] == version.digest
    assert trials.verify_log().ok


def no_model(path):
    path.write_bytes(b"GIF89a, which is no model")
    return path


def unknown_operator(path):
    node = helper.make_node("Foo", ["pixels"], ["scores"], domain="com.acme")
    return subjects.model(path, [node], domains=["com.acme"])


def wrong_shape(path):
    return subjects.linear(path, columns_in=32, inputs=(("pixels", 1, ["batch", 32]),))


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (no_model, "subject.not_a_model"),
        (unknown_operator, "subject.unsupported_operator"),
        (wrong_shape, "subject.wrong_input"),
    ],
)
def test_bad_input_ends_by_name_frees_what_was_held_and_is_never_signed_as_passed(
    owner, project, subject, protocol, funded, tmp_path, make, check
):
    path = make(tmp_path / "bad.onnx")
    version = trials.add_version(
        actor=owner, id=new_id(), subject_id=subject.id, filename=path.name, data=path.read_bytes()
    )
    done = run(
        trials.request_trial(
            actor=owner, id=new_id(), subject_version_id=version.id, protocol_digest=protocol.digest, parameters={}
        ),
        owner,
    )
    assert (done.outcome, [reason.check for reason in done.verdict.failed()]) == ("FAILED", [check])
    job = compute.job_views([done.job_id])[done.job_id]
    allocations = resources.allocations(project_ids=[project.id])[project.id]
    assert [one.held for one in allocations] == [0] * len(allocations)
    assert sum(one.used for one in allocations if one.unit == "core_ms") == job.charged["core_ms"] > 0
    assert ledger.verify().ok
    told = json.loads(trials.evidence_file(actor=owner, digest=done.evidence_digest))
    assert trials.evidence(actor=owner, digest=done.evidence_digest).verdict == "FAILED"
    assert trials.verify_log().ok
    kept = json.dumps(told["record"])
    for place in (str(settings.HOME), str(tmp_path), str(Path.home()), "/work/", "subject.bin failed"):
        assert place not in kept
