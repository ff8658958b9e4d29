"""What a job's own devices do while it runs: whose they are, and that reading them is never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.compute.ports import SAMPLES_MAX, Ending, JobSpec, Limits, Phase, Unmeasured
from bitgoeul.engines.local import make
from bitgoeul.engines.local.confine import environment
from bitgoeul.engines.local.devices import DeviceWatch, Wanted, together, watch_of
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.engines.local.samples import DeviceUse, Samples, halved
from bitgoeul.engines.local.slots import Grant, LocalConfig
from bitgoeul.engines.slurm.config import SlurmConfig
from bitgoeul.engines.slurm.start import granted
from bitgoeul.engines.slurm.submit import request_of
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.ids import new_id
from bitgoeul.telemetry import Boundary, Cause, Reading, Sample, TelemetrySettings

from .exporting import Exporter

LIMITS = Limits(cores=1, memory_mib=512, wall_seconds=60, processes=16, file_mib=16)


def card(index, model="H100", **figures):
    boundary = Boundary.CARD if "power_mw" in figures else None
    return Sample("test", boundary, index, f"{model}-{index}", model, **figures)


def spec(*argv, **changes):
    values = {"env": {}, "inputs": {}, "outputs": (), "limits": LIMITS, "devices": {"npu": 1}, **changes}
    return JobSpec(new_id(), "a job", argv or ("true",), **values)


class TestWhose:
    cards = tuple(
        card(index, busy_permille=100 * index, memory_used_mib=index, power_mw=index) for index in range(4)
    )

    def test_only_the_jobs_own(self):
        assert Wanted({"gpu": (1, 3)}, {}).own(self.cards) == [self.cards[1], self.cards[3]]

    def test_one_that_is_not_told_leaves_no_figure(self):
        assert Wanted({"gpu": (1, 4)}, {}).own(self.cards) is Unmeasured.MISSING

    def test_two_makers_with_the_same_numbers_are_told_apart_or_not_at_all(self):
        mixed = (card(0, "H100"), card(0, "RNGD"))
        assert Wanted({"gpu": (0,)}, {}).own(mixed) is Unmeasured.AMBIGUOUS
        assert Wanted({"npu": (0,)}, {"npu": "RNGD"}).own(mixed) == [mixed[1]]
        both = Wanted({"gpu": (0,), "npu": (0,)}, {"gpu": "H100", "npu": "RNGD"}).own(mixed)
        assert both == list(mixed)

    def test_two_names_never_mean_one_device(self):
        assert Wanted({"gpu": (0,), "npu": (0,)}, {}).own(self.cards) is Unmeasured.AMBIGUOUS

    def test_together_is_a_mean_and_two_sums_and_no_part_passes_for_the_whole(self):
        assert together(self.cards[1:3]) == DeviceUse(150, 3, 3)
        assert together([self.cards[1], card(2, busy_permille=0)]) == DeviceUse(50, None, None)
        chassis = Sample("test", Boundary.CHASSIS, 9, power_mw=1, busy_permille=1, memory_used_mib=1)
        assert together([self.cards[1], chassis]).power_mw is None


class TestSettings:
    @pytest.mark.parametrize(
        "told",
        [
            "nvml",
            {},
            {"reader": "rapl"},
            {"reader": "furiosa"},
            {"reader": "nvml", "url": "http://a/"},
            {"reader": "prometheus"},
            {"reader": "prometheus", "url": 1},
            {"reader": "prometheus", "url": "ftp://a/"},
            {"reader": "prometheus", "url": "http://u:p@a/"},
            {"reader": "nvml", "every": 1},
            {"reader": "nvml", "models": ["H100"]},
            {"reader": "nvml", "models": {"gpu": ""}},
            {"reader": "nvml", "shared": "gpu"},
            {"reader": "nvml", "shared": [1]},
        ],
    )
    @pytest.mark.parametrize("read", [LocalConfig.read, lambda data: SlurmConfig.read(with_partition(data))])
    def test_a_wrong_one_is_named_by_both_engines(self, read, told):
        with pytest.raises(BadInput) as refused:
            read({"telemetry": told})
        assert refused.value.field == "telemetry"

    @pytest.mark.parametrize(
        "told",
        [
            {"reader": "nvml"},
            {"reader": "nvml", "models": {"gpu": "H100"}, "shared": ["slice"]},
            {"reader": "prometheus", "url": "https://127.0.0.1:9090/metrics", "ca_file": "/etc/ca.pem"},
        ],
    )
    def test_a_right_one_comes_through(self, told):
        assert LocalConfig.read({"telemetry": told, "devices": {"gpu": 1}}).telemetry.to_json() == told
        assert TelemetrySettings.read(told).make_reader().name == told["reader"]

    def test_the_virtual_device_that_a_machine_has_by_itself_is_no_card(self):
        with pytest.raises(BadInput, match="devices"):
            LocalConfig.read({"telemetry": {"reader": "nvml"}})

    def test_slurm_hands_it_to_the_node(self, tmp_path):
        config = SlurmConfig.read(with_partition({"telemetry": {"reader": "nvml"}}))
        script = request_of(spec(devices={}), tmp_path, config).script
        assert script.endswith("""limits '{"reader": "nvml"}'\n""")
        plain = request_of(spec(devices={}), tmp_path, SlurmConfig.read(with_partition({}))).script
        assert plain.endswith("limits\n")


def with_partition(data):
    return {"partitions": {"core": "hpc"}, "account": "a", **data}


class TestWhatSlurmTells:
    @pytest.mark.parametrize(
        ("environ", "visible", "indices"),
        [
            # Slurm shows the job only its own, so they begin at 0 there; the node's numbers stand apart.
            ({"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_GPUS": "2,5"}, False, (2, 5)),
            ({"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_GPUS": "2,5"}, True, (0, 1)),
            ({"NPU_VISIBLE_DEVICES": "1,3"}, False, (1, 3)),
            ({"CUDA_VISIBLE_DEVICES": "0,1"}, False, None),
            ({}, False, None),
            ({"SLURM_JOB_GPUS": "2"}, False, None),
            ({"SLURM_JOB_GPUS": "2,a"}, False, None),
            ({"SLURM_JOB_GPUS": "2,5", "NPU_VISIBLE_DEVICES": "0,1"}, False, None),
        ],
    )
    def test_the_numbers_of_the_node_and_never_made_up_ones(self, environ, visible, indices):
        grant = granted(spec(devices={"h100": 2}), environ, visible=visible)
        assert grant.indices == ({} if indices is None else {"h100": indices})
        assert Grant.from_json(grant.to_json()) == grant

    def test_two_kinds_in_one_job_are_not_told_apart(self):
        assert granted(spec(devices={"a": 1, "b": 1}), {"SLURM_JOB_GPUS": "2"}).indices == {}

    @pytest.mark.parametrize(
        "environ",
        [
            {"SLURM_SHARDS_ON_NODE": "4"},
            {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "50"},
            {"CUDA_VISIBLE_DEVICES": "MIG-1a2b"},
        ],
    )
    def test_a_part_of_a_card_is_shared(self, environ):
        grant = granted(spec(devices={"h100": 1}), {"SLURM_JOB_GPUS": "0", **environ})
        watch = watch_of({"reader": "nvml"}, grant)
        assert watch.facts() == {"devices_reader": "nvml", "devices_measured": "0", "devices_unread": "shared"}
        watch.start()
        assert watch.take() == DeviceUse()


class TestWatchOf:
    def test_nothing_is_read_without_devices_or_settings_or_by_settings_of_another_version(self):
        grant = Grant((0,), 1, {"npu": (0,)}, indices={"npu": (0,)})
        assert watch_of(None, grant) is None
        assert watch_of({"reader": "nvml"}, Grant((0,), 1, {})) is None
        assert watch_of({"reader": "of-tomorrow"}, grant) is None

    def test_a_device_that_the_settings_call_shared_is(self):
        grant = Grant((0,), 1, {"slice": (0,)}, indices={"slice": (0,)})
        watch = watch_of({"reader": "nvml", "shared": ["slice"]}, grant)
        assert watch.facts()["devices_unread"] == "shared"

    def test_numbers_that_nobody_told_are_not_used(self):
        watch = watch_of({"reader": "nvml"}, Grant((0,), 1, {"npu": (0,)}))
        assert watch.facts()["devices_unread"] == "not_told"


class Scripted:
    """A reader that tells one reading after the other, and may hang."""

    name = "scripted"

    def __init__(self, *told, hang_seconds=0.0):
        self.told, self.hang_seconds = list(told), hang_seconds

    def read(self):
        if self.hang_seconds:
            time.sleep(self.hang_seconds)
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


def told(**figures):
    return Reading("scripted", 0, (card(0, **figures),))


class TestWatch:
    def test_it_takes_what_came_since_the_last_time(self):
        watch = DeviceWatch(Scripted(told(busy_permille=500, power_mw=7)), Wanted({"npu": (0,)}, {}))
        watch.start()
        limit = time.monotonic() + 5
        while not (taken := watch.take()).busy_permille and time.monotonic() < limit:
            time.sleep(0.01)
        watch.stop()
        assert taken == DeviceUse(500, None, 7)
        assert watch.facts() == {
            "devices_reader": "scripted",
            "devices_measured": "1",
            "devices_boundary": "card",
        }

    def test_a_hanging_reader_leaves_a_gap_and_holds_nobody_up(self):
        watch = DeviceWatch(Scripted(told(busy_permille=500), hang_seconds=30.0), Wanted({"npu": (0,)}, {}))
        watch.start()
        began = time.monotonic()
        assert watch.take() == DeviceUse()
        assert time.monotonic() - began < 0.1
        watch.stop()
        assert time.monotonic() - began < 2.0

    def test_old_figures_are_not_told_as_new(self):
        watch = DeviceWatch(Scripted(told(busy_permille=500)), Wanted({"npu": (0,)}, {}))
        watch._note(told(busy_permille=500))
        assert watch.take().busy_permille == 500
        assert watch.take().busy_permille == 500  # between two reads
        watch._last_at -= 10
        assert watch.take() == DeviceUse()

    def test_a_failure_is_told_with_its_cause_and_forgotten_after(self):
        watch = DeviceWatch(Scripted(told()), Wanted({"npu": (0,)}, {}))
        watch._note(Reading("scripted", 0, cause=Cause.TOO_SLOW, detail="x"))
        assert watch.facts() == {
            "devices_reader": "scripted",
            "devices_measured": "0",
            "devices_unread": "too_slow",
            "devices_detail": "x",
        }
        watch._note(told(busy_permille=1))
        assert "devices_unread" not in watch.facts()

    def test_a_long_job_is_read_seldom(self):
        watch = DeviceWatch(Scripted(told()), Wanted({}, {}))
        watch.pace(1_000)
        assert watch._every == 1.0
        watch.pace(512_000)
        assert watch._every == 10.0

    def test_a_machine_without_a_thread_to_give_costs_the_figures_alone(self):
        watch = DeviceWatch(Scripted(told(busy_permille=500)), Wanted({"npu": (0,)}, {}))
        usual = threading.stack_size(2**47)  # more than a process can address, so the system refuses it
        try:
            watch.start()
        finally:
            threading.stack_size(usual)
        facts = watch.facts()
        assert (facts["devices_unread"], facts["devices_measured"]) == ("broken", "0")
        assert "thread" in facts["devices_detail"]
        assert watch.take() == DeviceUse()
        watch.stop()


@pytest.mark.slow
def test_a_job_whose_supervisor_gets_no_thread_has_its_exit_record(tmp_path):
    """The real wrapper, on a machine that gives it no second thread."""
    job = JobDir(tmp_path / str(new_id()))
    for each in (job.work, job.path / "tmp"):
        each.mkdir(parents=True)
    asked = spec("python", "-c", "import time; time.sleep(1)")
    job.write("spec", {"spec": asked.to_json(), "order": 1, "submitted_at": rfc3339(now())})
    grant = Grant((0,), 512, {"npu": (0,)}, indices={"npu": (0,)})
    job.write("launch", {"grant": grant.to_json(), "telemetry": {"reader": "nvml"}})
    code = "import sys, threading; threading.stack_size(2**47); from bitgoeul.engines.local.wrapper import main; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}main([sys.argv[1]])", str(job.path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert job.read("exit")["ending"] == Ending.COMPLETED
    assert job.usage().environment["devices_unread"] == "broken"


class TestBeforeTheFirstHeartbeat:
    def started(self, tmp_path, **changes):
        job = JobDir(tmp_path / str(new_id()))
        job.path.mkdir()
        grant = Grant((0,), 512, {"npu": (0,)})
        job.write("spec", {"spec": spec().to_json(), "order": 1, "submitted_at": rfc3339(now())})
        job.write("launch", {"grant": grant.to_json(), "telemetry": {"reader": "nvml"}, **changes})
        job.write("start", {"wrapper": "1:1", "started_at": rfc3339(now())})
        return job

    def test_who_will_read_its_devices_is_known(self, tmp_path):
        told = self.started(tmp_path).usage().environment
        assert (told["devices_reader"], told["devices_measured"]) == ("nvml", "0")

    @pytest.mark.parametrize("changes", [{"telemetry": None}, {"grant": Grant((0,), 512, {}).to_json()}])
    def test_nobody_is_named_who_will_not(self, tmp_path, changes):
        assert "devices_reader" not in self.started(tmp_path, **changes).usage().environment


def test_a_number_means_the_same_card_to_the_job_and_to_who_measures(tmp_path):
    """CUDA numbers cards by speed unless it is told otherwise, also where the job itself says otherwise."""
    asked = spec(env={"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    told = environment(asked, Grant((0,), 512, {"h100": (1,)}), tmp_path, "limits")
    assert told["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert "CUDA_DEVICE_ORDER" not in environment(spec(devices={}), Grant((0,), 512, {}), tmp_path, "limits")


class TestPoints:
    @given(st.lists(st.none() | st.integers(0, 1_000), min_size=SAMPLES_MAX, max_size=4 * SAMPLES_MAX))
    def test_halving_keeps_the_mean_of_what_was_measured(self, busy):
        samples = Samples()
        for second, permille in enumerate(busy, 1):
            samples.add(second * 1_000, 0, lambda permille=permille: DeviceUse(permille, 5, permille))
        assert len(samples.points) < SAMPLES_MAX
        assert all(len(point) == 6 for point in samples.points)
        told = [permille for permille in busy if permille is not None]
        kept = [point[3] for point in samples.points if point[3] is not None]
        assert all(min(told) <= each <= max(told) for each in kept)
        if len(told) == len(busy):
            begins = [0, *(point[0] for point in samples.points)]
            spans = [late - early for early, late in pairwise(begins)]
            mean = sum(point[3] * span for point, span in zip(samples.points, spans, strict=True)) / begins[-1]
            covered = busy[: begins[-1] // 1_000]
            assert abs(mean - sum(covered) / len(covered)) <= 3

    def test_a_gap_stays_a_gap(self):
        points = [[1_000, 0, 1, 5, 5, 5], [2_000, 0, 2, None, None, None]] + [[3_000, 0, 1, None, None, None]] * 2
        assert halved(points) == [[2_000, 0, 2, 5, 5, 5], [3_000, 0, 1, None, None, None]]

    def test_points_of_jobs_without_devices_are_as_they_were(self):
        assert halved([[1_000, 5, 9], [2_000, 7, 3], [2_500, 8, 1]]) == [[2_000, 7, 9], [2_500, 8, 1]]


@pytest.fixture
def exporter(tmp_path):
    running = Exporter(tmp_path)
    yield running
    running.kill()


def engine_with(tmp_path, url, **changes):
    config = {"cores": 2, "devices": {"npu": 3}, "isolation": "limits", **changes}
    return make(tmp_path / "engine", {**config, "telemetry": {"reader": "prometheus", "url": url}})


def run(engine, job, until=None, seconds=40.0):
    """Follow a job to its end, or until ``until`` of its usage holds."""
    handle, limit = engine.submit(job), time.monotonic() + seconds
    return handle, follow(engine, handle, until, limit)


def follow(engine, handle, until=None, limit=None):
    limit = limit or time.monotonic() + 40.0
    while time.monotonic() < limit:
        (seen,) = engine.poll([handle])
        records = engine.usage([handle])
        if seen.phase is Phase.ENDED or (until and records and until(records[0])):
            return seen, records[0] if records else None
        time.sleep(0.05)
    raise AssertionError("it took too long")


def sleeping(seconds):
    return spec("python", "-c", f"import time; time.sleep({seconds})")


@pytest.mark.slow
class TestWithARealExporter:
    def test_a_job_sees_its_own_device_and_no_other(self, tmp_path, exporter):
        exporter.tell({0: {"busy": 10, "memory": 100, "power": 50}, 1: {"busy": 99, "memory": 999, "power": 300}})
        engine = engine_with(tmp_path, exporter.url)
        first, (_seen, record) = run(engine, sleeping(9), lambda record: len(record.samples) > 1)
        assert {each[3:] for each in record.samples if each.device_busy_permille is not None} == {
            (100, 100, 50_000)
        }
        second, (_seen, record) = run(engine, sleeping(2), lambda record: record.final)
        # The second job holds device 1, for the first still holds device 0.
        assert {each[3:] for each in record.samples if each.device_busy_permille is not None} == {
            (990, 999, 300_000)
        }
        assert record.environment["devices_boundary"] == "card"
        exporter.tell({0: {"busy": 80, "memory": 200, "power": 400}})
        _seen, record = follow(engine, first)
        assert record.samples[-1][3:] == (800, 200, 400_000)
        assert second.job_id != first.job_id

    def test_an_exporter_that_dies_leaves_a_gap_and_no_nought_and_the_job_goes_on(self, tmp_path, exporter):
        exporter.tell({0: {"busy": 50, "memory": 100, "power": 50}})
        engine = engine_with(tmp_path, exporter.url)
        handle, _told = run(engine, sleeping(14), lambda record: bool(record.samples))
        exporter.kill()
        _seen, record = follow(engine, handle, lambda record: "devices_unread" in record.environment)
        assert record.environment["devices_unread"] == "unreachable"
        gap = lambda record: [each.device_busy_permille for each in record.samples].count(None) >= 2  # noqa: E731
        follow(engine, handle, gap)
        exporter.again()
        seen, record = follow(engine, handle)
        assert seen.ending is Ending.COMPLETED
        busy = [each.device_busy_permille for each in record.samples]
        assert set(busy) == {500, None}
        first, last = busy.index(None), len(busy) - busy[::-1].index(None)
        assert busy[:first]
        assert busy[last:]
        assert "devices_unread" not in record.environment

    def test_an_exporter_that_never_answers_does_not_delay_a_kill(self, tmp_path):
        import socket

        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            engine = engine_with(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/metrics")
            job = spec("python", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
            handle, _told = run(engine, job, lambda record: record.environment.get("devices_unread") == "too_slow")
            began = time.monotonic()
            engine.cancel([handle])
            seen, _record = follow(engine, handle)
            assert seen.ending is Ending.CANCELLED
            # Two seconds of grace for a program that does not hear, and then at once.
            assert time.monotonic() - began < 4.0

    def test_a_memory_limit_is_held_while_the_exporter_floods(self, tmp_path, exporter):
        exporter.page.write_bytes(b"a_metric_of_no_interest 1\n" * 40_000)
        engine = engine_with(tmp_path, exporter.url)
        job = spec("python", "-c", "x = []\nwhile True: x.append(bytearray(2**24))")
        _handle, (seen, _record) = run(engine, job)
        assert seen.ending is Ending.MEMORY_LIMIT

    def test_a_job_without_devices_is_not_measured(self, tmp_path, exporter):
        engine = engine_with(tmp_path, exporter.url)
        _handle, (_seen, record) = run(engine, spec("true", devices={}))
        assert "devices_reader" not in record.environment
        assert {len(each.kept()) for each in record.samples} == {3}

    def test_what_was_measured_outlives_a_supervisor_that_is_killed(self, tmp_path, exporter):
        exporter.tell({0: {"busy": 50, "memory": 100, "power": 50}})
        engine = engine_with(tmp_path, exporter.url)
        told = lambda record: any(each.device_power_mw for each in record.samples)  # noqa: E731
        handle, _told = run(engine, sleeping(30), told)
        os.kill(engine._job(handle.job_id).wrapper().pid, signal.SIGKILL)
        seen, record = follow(engine, handle)
        assert seen.ending is Ending.ENGINE_LOST
        assert {each.device_power_mw for each in record.samples} >= {50_000}
        assert record.environment["devices_boundary"] == "card"
