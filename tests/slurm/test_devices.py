"""A job's own devices on a real Slurm: which it was given, and what an exporter on the node tells of those."""

from __future__ import annotations

import re
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


def number_by_slurm(testbed, job_number):
    """The one device of a running job as the controller itself counts it on its node; None after the job."""
    told = testbed.run("scontrol", "show", "-d", "job", str(job_number)).stdout
    found = re.findall(r"GRES=\S*\(IDX:(\d+)\)", told)
    return int(found[0]) if len(found) == 1 else None


@pytest.mark.parametrize("device", ["h100", "npu-atom"])
def test_two_jobs_on_one_node_see_each_its_own_device(tmp_path, testbed, cluster_config, exporter, device):
    exporter.tell({index: {"busy": 10 * (index + 1), "memory": index, "power": index} for index in range(8)})
    telemetry = {"reader": "prometheus", "url": exporter.url}
    engine = make_engine("slurm", tmp_path / "engine", {**cluster_config, "telemetry": telemetry})
    handles = [engine.submit(job(6, {device: 1})) for _ in range(2)]
    numbers = {}  # by Slurm's own record, not by what the job's start made of it
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if all(each.phase is Phase.ENDED for each in engine.poll(handles)):
            break
        for each in handles:
            launch = engine._job(each.job_id).read("launch")
            if launch and numbers.get(each.job_id) is None:
                numbers[each.job_id] = number_by_slurm(testbed, launch["number"])
        time.sleep(0.3)
    records = engine.usage(handles)
    assert [record.environment.get("devices_measured") for record in records] == ["1", "1"]
    told = [
        {each.device_busy_permille for each in record.samples if each.device_busy_permille} for record in records
    ]
    for record, busy in zip(records, told, strict=True):
        assert busy == {100 * (numbers[record.job_id] + 1)}
    on = [record.environment["node"] for record in records]
    assert on[0] != on[1] or len(set(numbers.values())) == 2
