"""The pure parts of the local engine: slots, endings, settings."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.compute.ports import Ending, EngineRefused, JobSpec, Limits
from bitgoeul.engines.local.endings import Seen, classify
from bitgoeul.engines.local.slots import Board, Grant, LocalConfig, refuse_what_never_fits, starters
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id

LIMITS = Limits(cores=1, memory_mib=100, wall_seconds=10, processes=4, file_mib=8)


def job(cores: int = 1, memory_mib: int = 1, exclusive: bool = False, **devices: int) -> JobSpec:
    limits = Limits(cores, memory_mib, wall_seconds=1, processes=1, file_mib=1)
    return JobSpec(new_id(), "j", ("true",), {}, {}, (), limits, devices, exclusive)


CONFIG = LocalConfig(cores=4, memory_mib=100, devices={"npu": 2})


def test_jobs_get_different_cores_and_devices():
    chosen = starters([job(2, npu=1), job(1, npu=1), job(1)], Board(CONFIG))
    assert [grant.cores for _job, grant in chosen] == [(0, 1), (2,), (3,)]
    assert [grant.devices.get("npu") for _job, grant in chosen] == [(0,), (1,), None]


def test_nobody_overtakes_the_first_that_waits():
    board = Board(CONFIG, [Grant((0,), 1, {})])
    assert starters([job(4), job(1)], board) == []


def test_an_exclusive_job_waits_for_an_empty_machine_and_lets_nobody_in():
    alone = job(exclusive=True)
    assert starters([alone], Board(CONFIG, [Grant((0,), 1, {})])) == []
    assert [each for each, _grant in starters([alone, job()], Board(CONFIG))] == [alone]


@pytest.mark.parametrize(
    ("spec", "field"),
    [(job(5), "cores"), (job(1, 101), "memory_mib"), (job(npu=3), "devices"), (job(gpu=1), "devices")],
)
def test_what_never_fits_is_refused_by_its_field(spec, field):
    with pytest.raises(EngineRefused) as caught:
        refuse_what_never_fits(spec, CONFIG)
    assert caught.value.field == field


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 60), st.integers(0, 2), st.booleans()), max_size=12))
def test_nothing_is_ever_handed_out_twice(asked):
    board = Board(CONFIG)
    chosen = starters([job(c, m, x, npu=d) for c, m, d, x in asked], board)
    cores = [core for _job, grant in chosen for core in grant.cores]
    devices = [number for _job, grant in chosen for number in grant.devices["npu"]]
    assert len(cores) == len(set(cores)) <= CONFIG.cores
    assert len(devices) == len(set(devices)) <= 2
    assert sum(grant.memory_mib for _job, grant in chosen) <= CONFIG.memory_mib
    assert len(chosen) <= 1 or not any(grant.exclusive for _job, grant in chosen)
    assert all(len(grant.cores) == spec.limits.cores for spec, grant in chosen)


def test_the_installation_sets_cores_and_targets_and_a_cluster_goes_before(monkeypatch):
    there = LocalConfig.read({}).cores
    monkeypatch.setenv("BITGOEUL_LOCAL_CORES", "1")
    monkeypatch.setenv("BITGOEUL_LOCAL_TARGETS", "3")
    read = LocalConfig.read({})
    assert (read.cores, read.devices) == (1, {"software-target": 3})
    read = LocalConfig.read({"cores": 2, "devices": {"npu": 1}})
    assert (read.cores, read.devices) == (2, {"npu": 1})
    monkeypatch.setenv("BITGOEUL_LOCAL_CORES", str(there + 1))
    monkeypatch.setenv("BITGOEUL_LOCAL_TARGETS", "0")
    read = LocalConfig.read({})
    assert (read.cores, read.devices) == (there, {})


@pytest.mark.parametrize(
    "data", [{"cores": 0}, {"cores": "2"}, {"devices": []}, {"devices": {"a": -1}}, {"core": 1}]
)
def test_a_wrong_setting_is_named(data):
    with pytest.raises(BadInput) as caught:
        LocalConfig.read(data)
    assert caught.value.field == next(iter(data))


@pytest.mark.parametrize(
    ("seen", "ending"),
    [
        (Seen(None, 0), Ending.COMPLETED),
        (Seen(None, 0, missing_outputs=["a"]), Ending.OUTPUT_MISSING),
        (Seen(None, 3), Ending.EXIT_STATUS),
        (Seen(None, 3, missing_outputs=["a"]), Ending.EXIT_STATUS),
        (Seen(None, -signal.SIGSEGV), Ending.SIGNALLED),
        (Seen(None, -signal.SIGXFSZ), Ending.FILE_LIMIT),
        (Seen(None, 1, largest_file=8 * 2**20), Ending.FILE_LIMIT),
        (Seen(None, 0, largest_file=8 * 2**20), Ending.COMPLETED),
        (Seen(None, -signal.SIGXCPU), Ending.CPU_LIMIT),
        (Seen(None, 1, memory_kib_max=100 * 1024), Ending.MEMORY_LIMIT),
        (Seen(Ending.TIME_LIMIT, 0), Ending.TIME_LIMIT),
        (Seen(Ending.CANCELLED, -signal.SIGKILL), Ending.CANCELLED),
        (Seen(Ending.NOT_STARTED, None, detail="x: No such file"), Ending.NOT_STARTED),
    ],
)
def test_endings_are_named(seen, ending):
    assert classify(seen, LIMITS).ending == ending


def test_the_exit_code_is_a_shells():
    assert classify(Seen(None, -signal.SIGKILL), LIMITS).exit_code == 137
