"""The fifteen traps of metering, each by its name: what goes wrong elsewhere is right here."""

from __future__ import annotations

import pytest

from bitgoeul.compute.metering import LeftOut, RecordState, memory_mib, parse_tres

from .lines import HOUR, line, one, read, sums


def test_trap_01_a_job_is_split_at_the_periods_border_and_not_charged_to_its_last_day():
    record = one(Start="2026-11-30T22:00:00", End="2026-12-01T03:00:00", Elapsed="05:00:00")
    days, months = sums([record]), sums([record], kind="month")
    assert (days["cpu_hours", "2026-11-30"], days["cpu_hours", "2026-12-01"]) == (4 * HOUR, 6 * HOUR)
    assert (months["cpu_hours", "2026-11"], months["cpu_hours", "2026-12"]) == (4 * HOUR, 6 * HOUR)


def test_trap_02_periods_are_cut_in_a_named_zone_and_stamps_are_read_in_another():
    record = one(Start="2026-11-30T14:00:00", End="2026-11-30T16:00:00", Elapsed="02:00:00")
    seoul = sums([record], zone="Asia/Seoul", kind="month")
    assert (seoul["cpu_hours", "2026-11"], seoul["cpu_hours", "2026-12"]) == (2 * HOUR, 2 * HOUR)
    assert sums([record], kind="month")["cpu_hours", "2026-11"] == 4 * HOUR
    (local,), _ = read(
        line(Start="2026-11-30T23:00:00", End="2026-12-01T01:00:00", Elapsed="02:00:00"), zone="Asia/Seoul"
    )
    assert (local.start, local.end) == (record.start, record.end)


def test_trap_02_the_hour_that_a_clock_change_repeats_is_told_apart_by_the_elapsed_time():
    (record,), _ = read(
        line(
            Submit="2026-10-24T10:00:00",
            Start="2026-10-25T02:50:00",
            End="2026-10-25T02:10:00",
            Elapsed="00:20:00",
        ),
        zone="Europe/Berlin",
    )
    assert record.end - record.start == record.elapsed == 1200


def test_trap_03_every_attempt_of_a_requeued_job_counts_by_itself_though_the_id_is_the_same():
    first = line(State="REQUEUED")
    second = line(Submit="2026-11-25T10:00:00", Start="2026-11-25T11:00:00", End="2026-11-25T12:00:00")
    wrapped = line(Submit="2027-11-25T10:00:00", Start="2027-11-25T11:00:00", End="2027-11-25T12:00:00")
    preempted = line(JobID="8", State="PREEMPTED")
    records, reader = read(first, second, wrapped, preempted, first)
    found = sums(records)
    assert len({record.identity for record in records}) == 4
    assert (found["cpu_hours", "2026-11-25"], found["cpu_hours", "2027-11-25"]) == (6 * HOUR, 2 * HOUR)
    assert not reader.left_out


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED by 1000", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"])
def test_trap_04_work_that_failed_is_metered_like_any_other(state):
    record = one(State=state)
    assert record.state == RecordState(state.split()[0])
    assert sums([record])["cpu_hours", "2026-11-25"] == 2 * HOUR


def test_trap_05_steps_are_never_added_to_their_job():
    records, reader = read(
        line(),
        line(JobID="7.batch"),
        line(JobID="7.extern"),
        line(JobID="7.0", JobIDRaw="7.0"),
        line(JobIDRaw="7.1"),
    )
    assert (len(records), reader.left_out) == (1, {LeftOut.STEP: 4})


def test_trap_06_an_array_counts_each_started_element_once_and_its_waiting_rest_as_demand():
    records, reader = read(
        line(JobID="7_1", JobIDRaw="8"),
        line(JobID="7_2", JobIDRaw="7"),
        line(JobID="7_2", JobIDRaw="7"),
        line(JobID="7_[3-6,9%2]", JobIDRaw="7", State="PENDING", Start="Unknown", End="Unknown"),
    )
    assert sums(records)["jobs_started", "2026-11-25"] == 2
    assert (reader.left_out, reader.waiting) == ({LeftOut.PENDING: 1}, {LeftOut.PENDING: 5})


def test_trap_07_a_job_without_length_counts_as_a_job_and_uses_nothing():
    found = sums([one(End="2026-11-25T09:00:00", Elapsed="00:00:00")])
    assert found == {
        ("wait_hours", "2026-11-25"): HOUR,
        **{
            (metric, "2026-11-25"): 1
            for metric in ("jobs_ended", "jobs_started", "jobs_submitted", "jobs_running")
        },
    }


@pytest.mark.parametrize(
    "changes", [{"NodeList": "None assigned"}, {"Start": "None"}, {"Start": "Unknown"}, {"Start": "0"}]
)
def test_trap_08_a_job_that_never_started_is_demand_and_not_use(changes):
    records, reader = read(line(State="CANCELLED by 5", Elapsed="00:00:00", **changes))
    assert (records, reader.left_out) == ([], {LeftOut.NEVER_STARTED: 1})
    assert reader.waiting == {LeftOut.NEVER_STARTED: 1}


def test_trap_09_a_running_job_accrues_and_its_final_figure_replaces_what_had_come_up():
    running = line(State="RUNNING", End="Unknown", Elapsed="00:30:00")
    records, _ = read(running, line(State="RUNNING", End="Unknown", Elapsed="00:45:00"), running)
    found = sums(records)
    assert found["cpu_hours", "2026-11-25"] == 2 * HOUR * 3 // 4
    assert ("jobs_ended", "2026-11-25") not in found
    done, _ = read(running, line(), running)
    assert sums(done)["cpu_hours", "2026-11-25"] == 2 * HOUR
    assert sums(done)["jobs_started", "2026-11-25"] == 1


def test_trap_10_suspended_time_is_not_held_and_a_resized_job_has_several_allocations():
    suspended = one(End="2026-11-25T12:00:00", Elapsed="01:00:00", Suspended="02:00:00")
    assert (suspended.elapsed, suspended.suspended) == (3600, 7200)
    assert sums([suspended])["cpu_hours", "2026-11-25"] == 2 * HOUR
    resized, _ = read(
        line(State="RESIZING", AllocTRES="cpu=8,node=2"),
        line(Submit="2026-11-25T10:00:00", Start="2026-11-25T10:00:00", End="2026-11-25T11:00:00"),
    )
    assert sums(resized)["cpu_hours", "2026-11-25"] == 8 * HOUR + 2 * HOUR


def test_trap_11_what_slurm_bills_is_not_what_is_kept():
    plain, billed = (parse_tres(f"{billing}cpu=1,gres/gpu=1,mem=8G,node=1") for billing in ("", "billing=3000,"))
    assert plain == billed
    assert (plain.cores_milli, plain.memory_mib, plain.devices) == (1000, 8192, {"gpu": 1000})


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("gres/gpu=4,gres/gpu:a100=4", {"gpu:a100": 4000}),
        ("gres/gpu=4,gres/gpu:a100=1,gres/gpu:h100=2", {"gpu:a100": 1000, "gpu:h100": 2000, "gpu": 1000}),
        ("gres/gpu:a100=1,gres/gpu:h100=2", {"gpu:a100": 1000, "gpu:h100": 2000}),
        ("gres/npu=2,gres/npu:rngd=2,gres/gpu:h100=1", {"npu:rngd": 2000, "gpu:h100": 1000}),
        ("gres/npu:atom=0.25,gres/gpu=0.5", {"npu:atom": 250, "gpu": 500}),
        ("gres/gpumem=40G,gres/gpuutil=90,gres/shard=3,gres/mps=50,gres/gpu=1", {"gpu": 1000}),
        ("gres/fpga=2", {"fpga": 2000}),
    ],
)
def test_trap_12_typed_and_shared_devices_count_once(text, devices):
    assert dict(parse_tres(f"billing=1,cpu=1,{text},node=1").devices) == devices


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("62.50G", 64_000), ("31000M", 31_000), ("31000Mn", 62_000), ("4Gc", 32_768), ("1024K", 1),
        ("2T", 2_097_152), ("2147486648Mn", 24_000), ("500", 500), ("0", 0),
    ],
)  # fmt: skip
def test_trap_12_memory_is_read_in_all_its_spellings(text, mib):
    assert memory_mib(text, cores=8, nodes=2) == mib


def test_trap_13_an_exclusive_job_is_metered_by_what_it_held_with_what_it_asked_beside_it():
    record = one(ReqTRES="cpu=1,gres/gpu=1,node=1", AllocTRES="cpu=64,gres/gpu:h100=8,node=1")
    assert sums([record])["gpu_hours", "2026-11-25"] == 8 * HOUR
    assert (record.requested.cores_milli, record.requested.devices) == (1000, {"gpu": 1000})


def test_trap_14_a_record_that_comes_again_changed_takes_the_place_of_the_former():
    records, _ = read(line(), line(End="2026-11-25T11:00:00", Elapsed="02:00:00"))
    found = sums(records)
    assert (found["cpu_hours", "2026-11-25"], found["jobs_ended", "2026-11-25"]) == (4 * HOUR, 1)


def test_trap_15_sums_are_whole_numbers_and_exact_at_any_size():
    long = line(
        Start="2026-01-01T00:00:00", Submit="2026-01-01T00:00:00", End="2026-12-31T23:59:59",
        Elapsed="364-23:59:59", AllocTRES="cpu=1000001,gres/gpu:h100=0.333,node=1",
    )  # fmt: skip
    (record,), _ = read(long)
    found = sums([record], zone="Asia/Seoul")
    assert all(isinstance(value, int) for value in found.values())
    assert (
        sum(value for (metric, _), value in found.items() if metric == "cpu_hours") == 1_000_001_000 * 31_535_999
    )
    assert sum(value for (metric, _), value in found.items() if metric == "gpu_hours") == 333 * 31_535_999
