"""The judge reads a record, never trusts its sums, and says INVALID where it cannot say more."""

from __future__ import annotations

import copy
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.protocols.inference.intervals import clopper_pearson_upper, lost_max, paired_limit
from bitgoeul.protocols.inference.judge import FAULT_TEXTS, judge
from bitgoeul.protocols.inference.record import EDGES_NS, bitmap, flags, histogram, percentile
from bitgoeul.trials.ports import Fault, Outcome

RULE = {"confidence_permille": 950, "limit_permille_of_reference": 10}


def checks(verdict):
    return {reason.check: reason for reason in verdict.reasons}


def failed(verdict):
    return [reason.check for reason in verdict.failed()]


def scenario(record, name):
    return next(s for s in record["scenarios"] if s["name"] == name)["runs"][-1]


def lose(record, definition, count):
    """The same record with ``count`` samples right in FP32 and wrong in the subject."""
    samples = definition["library"]["count"]
    reference = flags(record["accuracy"]["reference_bitmap"], samples)
    left, subject = count, []
    for right in reference:
        subject.append(right and left <= 0)
        left -= right
    record["accuracy"].update(subject_bitmap=bitmap(subject), subject_right=sum(subject), lost=count, gained=0)
    return record


def test_a_true_record_passes_and_tells_its_attempts(record, definition):
    verdict = judge(record, definition, 3)
    assert verdict.outcome is Outcome.PASSED
    assert checks(verdict)["attempts"].value == "3"
    assert checks(verdict)["accuracy"].limit == "0.966 %"
    assert judge(record, definition, 3) == verdict


def test_the_interval_is_the_exact_one():
    assert clopper_pearson_upper(0, 899, 950) == pytest.approx(1 - 0.05 ** (1 / 899))
    # The defining property: at the bound, seeing this few or fewer has probability 5 %.
    bound = clopper_pearson_upper(3, 899, 950)
    tail = sum(math.comb(899, k) * bound**k * (1 - bound) ** (899 - k) for k in range(4))
    assert tail == pytest.approx(0.05, rel=1e-9)
    assert clopper_pearson_upper(5, 5, 950) == 1.0
    with pytest.raises(ValueError, match="between 0 and trials"):
        clopper_pearson_upper(6, 5, 950)


def test_three_lost_samples_pass_and_four_fail(record, definition):
    assert lost_max(899, 868, RULE) == 3
    three, four = lose(copy.deepcopy(record), definition, 3), lose(copy.deepcopy(record), definition, 4)
    assert judge(three, definition, 1).outcome is Outcome.PASSED
    verdict = judge(four, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.FAILED, ["accuracy"])
    assert "4 of 899" in str(checks(verdict)["accuracy"].text)


@given(st.integers(0, 899), st.integers(1, 899))
def test_the_gate_and_the_bound_agree(lost, right):
    within = clopper_pearson_upper(lost, 899, 950) <= paired_limit(899, right, RULE)
    assert within == (lost <= lost_max(899, right, RULE))


def test_sums_are_recounted(record, definition):
    record["accuracy"]["lost"] = 0
    record["accuracy"]["subject_right"] = record["accuracy"]["reference_right"]
    record["accuracy"]["subject_bitmap"] = "00" * 113
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.INVALID, ["record"])
    assert "accuracy.lost" in str(verdict.reasons[0].text)


def test_valid_with_errors_does_not_pass(record, definition):
    scenario(record, "SingleStream")["loadgen"]["errors"] = 11706
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.INVALID, ["SingleStream.valid"])


@pytest.mark.parametrize(
    ("name", "part", "key", "change", "broken"),
    [
        ("Offline", "loadgen", "samples_per_second_milli", lambda v: v * 10, "rate"),
        ("Offline", "loadgen", "latency_max_ns", lambda v: v // 2, "rate"),
        ("SingleStream", "loadgen", "latency_mean_ns", lambda v: v // 2, "rate"),
        ("SingleStream", "loadgen", "latency_p50_ns", lambda v: v // 4, "clock"),
        ("SingleStream", "loadgen", "queries", lambda v: v + 1, "answers"),
        ("Server", "loadgen", "samples_per_second_milli", lambda v: v * 2, "schedule"),
        ("Server", "own", "histogram", lambda v: [*v[:-1], v[-1] + 1], "histogram"),
    ],
)
def test_an_edited_number_breaks_an_identity(record, definition, name, part, key, change, broken):
    run = scenario(record, name)
    run[part][key] = change(run[part][key])
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.INVALID, [f"{name}.consistent"])
    assert broken in str(checks(verdict)[f"{name}.consistent"].value)


def test_a_missing_scenario_is_invalid(record, definition):
    record["scenarios"] = [s for s in record["scenarios"] if s["name"] != "Server"]
    assert failed(judge(record, definition, 1)) == ["Server.measured"]


def test_a_missed_canary_is_invalid_not_failed(record, definition):
    record["canary"]["predictions_digest"] = "0" * 64
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.INVALID, ["canary"])


def test_another_engine_version_is_invalid(record, definition):
    record["environment"]["packages"][2]["version"] = "1.0"
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.INVALID, ["engine"])


def test_a_swapped_library_is_invalid(record, definition):
    definition["assets"]["digits-labels.npy"] = "0" * 64
    assert failed(judge(record, definition, 1)) == ["inputs"]


def test_unanswered_samples_count(record, definition):
    record["accuracy"]["answered"] -= 1
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.FAILED, ["complete"])


def test_a_noisy_machine_is_said_beside_the_pass(record, definition):
    after, before = (record["environment"][k] for k in ("after", "before"))
    after["ticks_stolen"] = before["ticks_stolen"] + (after["ticks_total"] - before["ticks_total"]) // 2
    assert judge(record, definition, 1).outcome is Outcome.WARNED


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_of_a_subject_fails_by_name(record, definition, fault):
    finding = {"party": "subject", "code": str(fault), "step": "accuracy", "detail": "why"}
    broken = {**record, "finding": finding, "scenarios": []}
    del broken["accuracy"]
    verdict = judge(broken, definition, 1)
    assert verdict.outcome is Outcome.FAILED
    assert failed(verdict) == [f"subject.{fault}"]
    assert "why" in str(checks(verdict)[f"subject.{fault}"].text)
    assert fault in FAULT_TEXTS


def test_the_referees_own_failure_is_invalid(record, definition):
    record["finding"] = {"party": "harness", "code": "input_damaged", "step": "inputs", "detail": "subject.bin"}
    verdict = judge(record, definition, 1)
    assert (verdict.outcome, failed(verdict)) == (Outcome.INVALID, ["harness.input_damaged"])


@pytest.mark.parametrize(
    "path",
    [
        "schema",
        "protocol",
        "environment.packages",
        "subject.digest",
        "accuracy.samples",
        "accuracy.subject_bitmap",
        "canary.predictions_digest",
    ],
)
def test_a_record_without_a_part_is_invalid_and_named(record, definition, path):
    *parents, last = path.split(".")
    part = record
    for name in parents:
        part = part[name]
    del part[last]
    verdict = judge(record, definition, 1)
    assert verdict.outcome is Outcome.INVALID
    assert verdict.failed()[0].check in ("record", "protocol")


def nested(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), nested, max_leaves=8))
def test_any_json_gets_a_verdict(anything):
    record = anything if isinstance(anything, dict) else {"schema": anything}
    definition = {"code": "inference", "version": "1.0", "engine": {"packages": {}}, "assets": {}}
    assert judge(record, definition, 1).outcome is Outcome.INVALID


@given(st.lists(st.booleans(), max_size=40))
def test_bitmaps_come_back(marks):
    assert flags(bitmap(marks), len(marks)) == marks


def test_a_bitmap_of_another_length_is_refused():
    with pytest.raises(ValueError, match="length"):
        flags("ff", 9)
    with pytest.raises(ValueError, match="beyond"):
        flags("ff", 7)


@given(st.lists(st.integers(0, 10**11), max_size=50))
def test_every_time_falls_into_one_bin(times):
    counts = histogram(times)
    assert sum(counts) == len(times)
    assert len(counts) == len(EDGES_NS) + 1
    assert counts[0] == sum(t < EDGES_NS[0] for t in times)


def test_percentiles_are_nearest_rank():
    assert [percentile(list(range(1, 101)), p) for p in (10, 500, 990, 1000)] == [1, 50, 99, 100]
    with pytest.raises(ValueError, match="no values"):
        percentile([], 500)


def test_values_and_limits_are_numbers_with_units_and_no_words_of_one_language(record, definition):
    reasons = judge(record, definition, 2).reasons
    (runs,) = [(reason.value, reason.limit) for reason in reasons if reason.check == "SingleStream.valid"]
    assert runs == ("1", "3")
    for reason in reasons:
        if reason.check != "engine":  # names of packages
            assert not re.search(r"[A-Za-z]{2,}", f"{reason.value or ''} {reason.limit or ''}"), reason
