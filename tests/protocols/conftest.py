"""The example's models, built once for a run, and trials run as a job would run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bitgoeul.kernel.canonical import digest, loads_strict
from bitgoeul.protocols.inference import PLUGIN, example_models
from bitgoeul.protocols.inference.plugin import file_digest
from bitgoeul.trials.ports import Order, Verdict

DATA = Path(__file__).parent / "data"
SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    return example_models.build(tmp_path_factory.mktemp("models"))


@pytest.fixture
def definition():
    """The definition that the kept record was measured under."""
    return json.loads((DATA / "definition.json").read_text(encoding="utf-8"))


@pytest.fixture
def record():
    """A true record of the INT8 model, kept from a run."""
    return json.loads((DATA / "record.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Ran:
    status: int
    record: dict[str, Any]
    verdict: Verdict
    folder: Path
    output: str


@pytest.fixture
def run_trial(models, tmp_path):
    """Run the harness on a subject file as a job does: ``run_trial(path, limits={…}, parameters={…})``."""

    def run(subject: Path, kind="onnx", limits=None, parameters=None, scenarios=None, damage=None) -> Ran:
        directory = next(iter(models.values())).parent
        definition = json.loads(json.dumps(PLUGIN.definition(directory)))
        definition["limits"].update(limits or {})
        if scenarios is not None:
            definition["scenarios"] = [s for s in definition["scenarios"] if s["name"] in scenarios]
        order = Order(
            trial_id="0192f000-0000-7000-8000-000000000001", attempt=1, protocol_digest=digest(definition),
            definition=definition, parameters=PLUGIN.check_parameters(definition, parameters or {}),
            subject_kind=kind, subject_digest=file_digest(subject), assets=definition["assets"],
        )  # fmt: skip
        plan = PLUGIN.prepare(order)
        folder = tmp_path / "job"
        folder.mkdir()
        for name, data in plan.files.items():
            (folder / name).write_bytes(data)
        for name in definition["assets"]:
            shutil.copy(models[name], folder / name)
        shutil.copy(subject, folder / "subject.bin")
        if damage:
            damage(folder)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        done = subprocess.run(
            [sys.executable, *plan.argv[1:]], cwd=folder, env=environment, capture_output=True, text=True,
            timeout=plan.wall_seconds, check=False,
        )  # fmt: skip
        record = loads_strict((folder / "record.json").read_bytes())
        return Ran(done.returncode, record, PLUGIN.judge(record, definition, 1), folder, done.stdout)

    return run
