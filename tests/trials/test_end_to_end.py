"""A trial for real: the local engine runs the harness, the follower settles, the news is judged and signed."""

from __future__ import annotations

import time

import pytest

from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.ids import new_id
from bitgoeul.protocols.inference import example_models
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials

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
