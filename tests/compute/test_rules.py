"""The pure part: the state table, requests, estimates, holds, shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.compute import rules
from bitgoeul.compute.logs import whole_characters
from bitgoeul.compute.ports import Ending, Limits, UsageRecord
from bitgoeul.compute.states import IN_ENGINE, MACHINE, UNFINISHED, JobState
from bitgoeul.compute.types import JobRequest, NotEnoughLeft
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, WrongState
from bitgoeul.kernel.ids import new_id

LIMITS = Limits(cores=2, memory_mib=512, wall_seconds=60, processes=8, file_mib=8)
GOOD = JobRequest(argv=("python", "job.py"), limits=LIMITS, devices={"software-target": 1})
DEVICES = {"software-target": "target_ms"}
NOW = now()


# --- the table


def test_terminal_states_are_those_nobody_leaves():
    assert MACHINE.terminal == frozenset(JobState) - UNFINISHED


def test_unknown_is_never_done_and_has_a_way_back_and_a_way_out():
    assert JobState.UNKNOWN not in MACHINE.terminal
    actions = set(MACHINE.actions(JobState.UNKNOWN))
    assert {"start", "find", "succeed", "write_off", "cancel"} <= actions
    assert MACHINE.target(JobState.UNKNOWN, "write_off") == JobState.FAILED


@pytest.mark.parametrize("state", sorted(MACHINE.terminal))
def test_nothing_moves_what_has_ended(state):
    for action in MACHINE.moves:
        with pytest.raises(WrongState):
            MACHINE.target(state, action)


def test_a_queued_job_cannot_end_without_being_handed_over():
    assert set(MACHINE.actions(JobState.QUEUED)) == {"submit", "cancel", "refuse"}


def test_every_ending_has_a_move_from_every_state_in_the_engine():
    for ending in Ending:
        for state in IN_ENGINE:
            assert MACHINE.target(state, rules.action_for(ending)) in MACHINE.terminal
    assert MACHINE.target(JobState.RUNNING, rules.action_for(Ending.COMPLETED)) == JobState.SUCCEEDED
    assert MACHINE.target(JobState.RUNNING, rules.action_for(Ending.TIME_LIMIT)) == JobState.TIMED_OUT
    assert MACHINE.target(JobState.RUNNING, rules.action_for(Ending.ENGINE_LOST)) == JobState.FAILED


def test_every_state_has_a_word_and_a_tone():
    assert set(MACHINE.labels) == set(JobState) == set(MACHINE.tones)


# --- requests


def test_a_good_request_passes_and_survives_json():
    assert rules.check_request(GOOD, DEVICES) == GOOD
    assert JobRequest.from_json(GOOD.to_json()) == GOOD


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"argv": ()}, "argv"),
        ({"argv": ("",)}, "argv"),
        ({"argv": ("a\0b",)}, "argv"),
        ({"argv": ("x",) * 300}, "argv"),
        ({"argv": ("x" * 70_000,)}, "argv"),
        ({"env": {"1A": "x"}}, "env"),
        ({"env": {"BITGOEUL_JOB_ID": "x"}}, "env"),
        ({"env": {"A": "x" * 9000}}, "env"),
        ({"inputs": {"../a": "0" * 64}}, "inputs"),
        ({"inputs": {"a": "0" * 63}}, "inputs"),
        ({"outputs": ("a/b",)}, "outputs"),
        ({"outputs": ("a", "a")}, "outputs"),
        ({"outputs": (".hidden",)}, "outputs"),
        ({"devices": {"gpu": 1}}, "devices"),
        ({"devices": {"software-target": 0}}, "devices"),
        ({"limits": replace(LIMITS, cores=0)}, "cores"),
        ({"limits": replace(LIMITS, cores=True)}, "cores"),
        ({"limits": replace(LIMITS, wall_seconds=7 * 86400 + 1)}, "wall_seconds"),
        ({"limits": replace(LIMITS, memory_mib=1)}, "memory_mib"),
        ({"limits": replace(LIMITS, processes=0)}, "processes"),
        ({"limits": replace(LIMITS, file_mib=0)}, "file_mib"),
    ],
)
def test_a_bad_request_names_its_field(changes, field):
    with pytest.raises(BadInput) as caught:
        rules.check_request(replace(GOOD, **changes), DEVICES)
    assert caught.value.field == field


def test_files_beside_a_request_are_few_and_small():
    rules.check_files(GOOD, {"job.py": b"x"})
    for files in ({"a": b"x" * (2**20 + 1)}, {f"f{n}": b"" for n in range(17)}, {"../a": b""}):
        with pytest.raises(BadInput):
            rules.check_files(GOOD, files)
    with pytest.raises(BadInput):
        rules.check_files(replace(GOOD, inputs={"job.py": "0" * 64}), {"job.py": b""})


# --- money


def test_the_estimate_is_cores_and_devices_times_the_wall_limit():
    assert rules.estimate(GOOD, DEVICES) == {"core_ms": 120_000, "target_ms": 60_000}


def test_what_is_charged_comes_from_the_record():
    record = UsageRecord(
        new_id(), NOW, 0, NOW, NOW, 2, 1500, core_ms=3000, device_ms={"software-target": 1500},
        cpu_ms=900, memory_kib_max=1, final=True,
    )  # fmt: skip
    assert rules.used(record, DEVICES) == {"core_ms": 3000, "target_ms": 1500}


def source(number: int, available: int, unit: str = "core_ms", days: int = 1) -> rules.Source:
    return rules.Source(UUID(int=number), unit, available, NOW - timedelta(hours=1), NOW + timedelta(days=days))


def test_what_ends_first_is_held_first():
    portions = rules.plan_holds({"core_ms": 50}, [source(1, 40, days=9), source(2, 30, days=2)], NOW)
    assert [(each.allocation_id.int, each.amount) for each in portions] == [(2, 30), (1, 20)]


def test_what_has_ended_or_not_begun_or_is_another_unit_is_not_held():
    gone = replace(source(1, 100), ends_at=NOW)
    later = replace(source(2, 100), starts_at=NOW + timedelta(seconds=1))
    with pytest.raises(NotEnoughLeft) as caught:
        rules.plan_holds({"core_ms": 5000}, [gone, later, source(3, 100, "target_ms"), source(4, 1500)], NOW)
    assert "up to 5 core-seconds, and 1.5 are left" in str(caught.value)
    assert caught.value.detail == {"unit": "core_ms", "need": 5000, "available": 1500}


@given(st.lists(st.integers(0, 50), max_size=5), st.integers(1, 200))
def test_a_plan_holds_exactly_the_need_or_refuses(available, need):
    sources = [source(n, amount) for n, amount in enumerate(available)]
    if sum(available) < need:
        with pytest.raises(NotEnoughLeft):
            rules.plan_holds({"core_ms": need}, sources, NOW)
    else:
        portions = rules.plan_holds({"core_ms": need}, sources, NOW)
        assert sum(each.amount for each in portions) == need
        assert all(0 < each.amount <= available[each.allocation_id.int] for each in portions)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 50)), min_size=1, max_size=6), st.data())
def test_shares_add_up_to_what_was_used(held, data):
    portions = [rules.Portion(UUID(int=n), unit, amount) for n, (unit, amount) in enumerate(held)]
    units = {unit for unit, _amount in held}
    amounts = {unit: data.draw(st.integers(0, 300)) for unit in units}
    shares = rules.split_use(portions, amounts)
    for unit in units:
        assert sum(s for p, s in zip(portions, shares, strict=True) if p.unit == unit) == amounts[unit]
    assert all(share >= 0 for share in shares)


def test_a_hold_outlives_the_longest_wait_and_the_run():
    assert rules.hold_until(NOW, 60) - NOW > timedelta(days=rules.QUEUE_DAYS, seconds=60)
    assert not rules.waited_too_long(NOW, NOW + timedelta(days=rules.QUEUE_DAYS))
    assert rules.waited_too_long(NOW, NOW + timedelta(days=rules.QUEUE_DAYS, seconds=1))


@pytest.mark.parametrize(("text", "shown"), [(1500, "1.5"), (60_000, "60"), (1, "0.001"), (0, "0")])
def test_seconds(text, shown):
    assert rules.seconds(text) == shown


# --- logs


@given(st.text(max_size=40), st.integers(0, 200))
def test_a_cut_never_garbles_a_character(text, cut):
    data = text.encode()
    head = whole_characters(data[:cut])
    assert len(data[:cut]) - len(head) < 4
    assert head.decode() + data[len(head) :].decode() == text


def test_bytes_that_are_no_text_do_not_stop_the_reader():
    assert whole_characters(b"\x80\x80\x80\x80\x80") == b"\x80\x80\x80\x80\x80"
    assert whole_characters(b"ok\xff") == b"ok\xff"
    assert whole_characters(b"") == b""
