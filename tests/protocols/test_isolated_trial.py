"""The referee as a job of the local engine, under each tier of isolation that this machine has."""

from __future__ import annotations

import json
import time

import pytest

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import Ending, JobSpec, Limits, Phase, Tier
from bitgoeul.kernel.canonical import digest, loads_strict
from bitgoeul.kernel.ids import new_id
from bitgoeul.protocols.inference import PLUGIN, example_models
from bitgoeul.protocols.inference.plugin import RECORD_FILE, file_digest
from bitgoeul.trials.ports import Order
from engines.tiers import needs
from protocols import subjects

SECONDS = 3


def as_job(models, tmp_path, subject, kind) -> JobSpec:
    """The trial's plan as the platform would hand it over, with one scenario."""
    directory = next(iter(models.values())).parent
    definition = json.loads(json.dumps(PLUGIN.definition(directory)))
    definition["scenarios"] = [s for s in definition["scenarios"] if s["name"] == "SingleStream"]
    order = Order(
        trial_id=str(new_id()), attempt=1, protocol_digest=digest(definition), definition=definition,
        parameters=PLUGIN.check_parameters(definition, {"seconds": SECONDS}),
        subject_kind=kind, subject_digest=file_digest(subject), assets=definition["assets"],
    )  # fmt: skip
    plan = PLUGIN.prepare(order)
    inputs = {"subject.bin": str(subject), **{name: str(models[name]) for name in definition["assets"]}}
    for name, data in plan.files.items():
        (tmp_path / name).write_bytes(data)
        inputs[name] = str(tmp_path / name)
    limits = Limits(plan.cores, plan.memory_mib, plan.wall_seconds, plan.processes, plan.file_mib)
    return JobSpec(new_id(), "trial", plan.argv, {}, inputs, plan.outputs, limits, {}, exclusive=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "pipe"])
@pytest.mark.parametrize("tier", list(Tier), ids=str)
def test_a_trial_is_measured_under_every_tier_and_says_so(models, tmp_path, tier, kind):
    needs(tier)
    subject = models[example_models.INT8] if kind == "onnx" else subjects.program(tmp_path / "subject.py")
    engine = make_engine("local", tmp_path / "engine", {"cores": 2, "memory_mib": 8192, "isolation": str(tier)})
    handle = engine.submit(as_job(models, tmp_path, subject, kind))
    while (seen := engine.poll([handle])[0]).phase != Phase.ENDED:
        time.sleep(0.1)
    log = engine.read_log(handle, "stdout", 0, 100_000).data.decode()
    assert seen.ending == Ending.COMPLETED, log
    record = loads_strict(engine.read_output(handle, RECORD_FILE, 0, 1_000_000).data)
    assert record["environment"]["isolation"] == tier
    assert record["finding"] is None
    if kind == "onnx":
        assert [scenario["name"] for scenario in record["scenarios"] if scenario["runs"]] == ["SingleStream"]
    else:  # it answers zeros: the program was asked and heard, and is not worth timing
        assert record["accuracy"]["answered"] == record["accuracy"]["samples"]
