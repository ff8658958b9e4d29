"""First values of the job form: small programs that run as they stand, with the place to put one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bitgoeul.kernel.text import N_, Text


@dataclass(frozen=True)
class JobTemplate:
    """A start for the form: ``fields`` are first values, ``wants_device`` asks for one where there is one."""

    code: str
    title: Text
    fields: Mapping[str, str | int]
    wants_device: bool = False


LOOK = """\
# What a job finds: its processors, its memory, its disk, its variables.
nproc
free -m
df -h .
env | sort
"""
TRAINING = """\
# Trains in steps and keeps its state: after a time limit it goes on where it was.
cat > train.py <<'PY'
import json, pathlib
kept = pathlib.Path("model.json")
model = json.loads(kept.read_text()) if kept.exists() else {"step": 0, "weight": 0.0}
for step in range(model["step"], 200):
    # Put one step of your own training here.
    model = {"step": step + 1, "weight": model["weight"] + 0.1 * (3.0 - model["weight"])}
    if model["step"] % 20 == 0:
        kept.write_text(json.dumps(model))
        print(model, flush=True)
PY
python3 train.py
"""
INFERENCE = """\
# Runs a model over many inputs and writes a line of result for each.
cat > infer.py <<'PY'
import csv
inputs = [n / 10 for n in range(100)]
with open("results.csv", "w", newline="") as file:
    results = csv.writer(file)
    results.writerow(["input", "answer"])
    for value in inputs:
        # Put the answer of your own model here.
        results.writerow([value, value * value])
print(len(inputs), "inputs answered")
PY
python3 infer.py
"""

TEMPLATES: tuple[JobTemplate, ...] = (
    JobTemplate(
        "look",
        Text(N_("See what a job finds")),
        {"name": "look around", "script": LOOK, "cores": 1, "wall_seconds": 60},
    ),
    JobTemplate(
        "training",
        Text(N_("Train a model")),
        {
            "name": "training", "script": TRAINING, "outputs": "model.json", "cores": 2, "wall_seconds": 600,
            "memory_mib": 2048,
        },
        wants_device=True,
    ),
    JobTemplate(
        "inference",
        Text(N_("Run a model over many inputs")),
        {"name": "inference", "script": INFERENCE, "outputs": "results.csv", "cores": 1, "wall_seconds": 300},
        wants_device=True,
    ),
)  # fmt: skip

SWEEP = """\
# Tries one setting: its values stand in variables, here $lr and $seed.
cat > train.py <<'PY'
import json, os
lr, seed = float(os.environ["lr"]), int(os.environ["seed"])
weight = seed / 10
for step in range(100):
    # Put one step of your own training here.
    weight += lr * (3.0 - weight)
result = {"lr": lr, "seed": seed, "error": abs(3.0 - weight)}
with open("result.json", "w") as file:
    json.dump(result, file)
print(result)
PY
python3 train.py
"""
# Their form is the one of a sweep.
SWEEPS: tuple[JobTemplate, ...] = (
    JobTemplate(
        "sweep",
        Text(N_("Try many settings at once")),
        {
            "name": "learning rates", "script": SWEEP, "outputs": "result.json", "cores": 1, "wall_seconds": 60,
            "way": "grid", "parameters": "lr = 0.1, 0.01\nseed = 1, 2, 3",
        },
    ),
)  # fmt: skip


def first_values(code: str, devices: Sequence[str]) -> dict[str, object]:
    """The form's first values of a template; none for a code that is no template's."""
    found = next((each for each in (*TEMPLATES, *SWEEPS) if each.code == code), None)
    if found is None:
        return {}
    device = {f"device_{devices[0]}": 1} if found.wants_device and devices else {}
    return {**found.fields, **device}
