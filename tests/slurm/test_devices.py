"""A job's own devices on a real Slurm: which it was given, and what an exporter on the node tells of those."""

from __future__ import annotations

import time

import pytest

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import JobSpec, Limits, Phase
from bitgoeul.kernel.ids import new_id
from engines.exporting import Exporter

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

LIMITS = Limits(cores=1, memory_mib=256, wall_seconds=60, processes=16, file_mib=16)


@pytest.fixture
def exporter(tmp_path):
    running = Exporter(tmp_path)
    yield running
    running.kill()


def job(seconds, devices):
    code = f"import time; time.sleep({seconds})"
    return JobSpec(new_id(), "a job", ("python", "-c", code), {}, {}, (), LIMITS, devices)


@pytest.mark.parametrize("device", ["h100", "npu-atom"])
def test_two_jobs_on_one_node_see_each_its_own_device(tmp_path, cluster_config, exporter, device):
    exporter.tell({index: {"busy": 10 * (index + 1), "memory": index, "power": index} for index in range(8)})
    telemetry = {"reader": "prometheus", "url": exporter.url}
    engine = make_engine("slurm", tmp_path / "engine", {**cluster_config, "telemetry": telemetry})
    handles = [engine.submit(job(6, {device: 1})) for _ in range(2)]
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if all(each.phase is Phase.ENDED for each in engine.poll(handles)):
            break
        time.sleep(0.3)
    records = engine.usage(handles)
    assert [record.environment.get("devices_measured") for record in records] == ["1", "1"]
    told = [
        {each.device_busy_permille for each in record.samples if each.device_busy_permille} for record in records
    ]
    numbers = []
    for record, busy in zip(records, told, strict=True):
        launch = engine._job(record.job_id).read("launch")
        ((number,),) = launch["grant"]["indices"].values()
        assert busy == {100 * (number + 1)}
        numbers.append(number)
    on = [record.environment["node"] for record in records]
    assert on[0] != on[1] or numbers[0] != numbers[1]
