"""States and stages are tables: every way ends, and a stage needs its evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bitgoeul.kernel.errors import WrongState
from bitgoeul.kernel.text import Text
from bitgoeul.trials.ports import Outcome, Reason, Verdict
from bitgoeul.trials.stages import PassedEvidence, facts, standing, table
from bitgoeul.trials.states import TRIAL, UNFINISHED, TrialState
from bitgoeul.trials.types import reasons_from_json, verdict_to_json

AT = datetime(2026, 6, 1, tzinfo=UTC)


def evidence(**changes):
    values = {
        "subject_version": "a", "protocol_code": "inference", "parameters": {"seconds": 3}, "issued_at": AT,
    }  # fmt: skip
    return PassedEvidence(**{**values, **changes})


def test_the_machine_ends_only_where_it_should():
    assert TRIAL.terminal == {TrialState.SIGNED, TrialState.STOPPED}
    assert not UNFINISHED & {*TRIAL.terminal, TrialState.JUDGED}
    with pytest.raises(WrongState):
        TRIAL.target(TrialState.QUEUED, "sign")


def test_nothing_proved_is_no_stage_and_says_what_is_missing():
    stand = standing(facts([], AT))
    assert (stand.stage, stand.next_stage) == ("", "demonstration")
    assert [item.code for item in stand.missing] == ["inference"]


def test_one_passed_trial_is_demonstration_and_lists_what_verification_lacks():
    stand = standing(facts([evidence()], AT))
    assert (stand.stage, stand.next_stage) == ("demonstration", "verification")
    assert [item.code for item in stand.missing] == ["long_run", "repeats", "serial", "reviewer"]


def test_old_evidence_no_longer_carries():
    old = evidence(issued_at=AT - timedelta(days=table()["evidence_days_max"] + 1))
    assert standing(facts([old], AT)).stage == ""


def test_verification_needs_all_its_parts():
    pieces = [
        evidence(parameters={"seconds": 600}, device_serial="SN-1", reviewed=True), evidence(), evidence(),
    ]  # fmt: skip
    assert standing(facts(pieces, AT)).stage == "verification"
    assert standing(facts(pieces[1:], AT)).stage == "demonstration"
    three_versions = [evidence(subject_version=name) for name in "abc"]
    assert facts(three_versions, AT)["passed_trials"] == 1


def test_the_last_stage_asks_for_nothing_more():
    pieces = [
        evidence(parameters={"seconds": 600}, device_serial=f"SN-{n}", reviewed=True, field=True) for n in range(5)
    ]
    stand = standing(facts(pieces, AT))
    assert (stand.stage, stand.next_stage, stand.requirements) == ("market", None, ())


def test_reasons_come_back_from_json():
    reasons = (Reason("a", True, Text("x {n}", {"n": 1}), "1", "2"), Reason("b", None, Text("y")))
    assert reasons_from_json(verdict_to_json(Verdict(Outcome.PASSED, reasons))) == reasons
