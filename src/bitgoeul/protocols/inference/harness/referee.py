"""The supervising parent: checks the inputs, starts one child a step, watches it, writes the record."""

from __future__ import annotations

import hashlib
import json
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.kernel.canonical import sha256_hex
from bitgoeul.protocols import course
from bitgoeul.protocols.course import REFEREE, SUBJECT, Stopped, Trial, check_inputs, heading, kill
from bitgoeul.protocols.inference.harness.loadgen import ACCURACY, DETAIL, SEEDS, SUMMARY
from bitgoeul.protocols.inference.harness.step import FAULT_STATUS
from bitgoeul.protocols.inference.record import EDGES_NS, SCHEMA, bitmap
from bitgoeul.trials.ports import Fault

WATCH_SECONDS = 0.05
SCENARIO_WALL_EXTRA_MS = 30_000
SILENCE_EXTRA_MS = 2_000

HARNESS = "bitgoeul.protocols.inference.harness"
PACKAGES = ("mlcommons-loadgen", "numpy", "onnxruntime")


def conduct(order_file: Path, folder: Path) -> int:
    """Run the ordered trial in ``folder``; 0 when a record was written, 2 when the order is no order."""
    return course.conduct(order_file, folder, _begin, _course)


def _begin(trial: Trial) -> None:
    trial.record = {
        **heading(trial, SCHEMA, PACKAGES, HARNESS),
        "seeds": {name: _seed(trial.order, name) for name in SEEDS},
        "edges_ns": list(EDGES_NS),
        "scenarios": [],
    }


def _seed(order: Mapping[str, Any], name: str) -> str:
    """A seed of this trial, below 2^63, as a decimal string: another trial gets others, a repetition the same."""
    text = f"{order['protocol_digest']}:{order['trial_id']}:{name}"
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1)


def _course(trial: Trial) -> None:
    """Inputs, floor, canary, accuracy, and only then the timed scenarios."""
    check_inputs(trial)
    kind = trial.order["subject"]["kind"]
    floor = _step(trial, "floor", "floor", target=trial.definition["targets"][kind])
    trial.record["environment"]["target"] = floor.pop("described")
    trial.record["floor"] = floor
    reference = _canary(trial)
    if not _accuracy(trial, reference):
        trial.note("not_timed", why="accuracy")
        return
    for scenario in trial.definition["scenarios"]:
        _scenario(trial, scenario)


def _canary(trial: Trial) -> bytes:
    """The reference's answers on the fixed samples, which must be those of set-up."""
    library, expected = trial.definition["library"], trial.order["canary"]["reference_predictions_digest"]
    target = trial.definition["targets"]["onnx"]
    told = _step(trial, "canary", "accuracy", target=target, subject=library["reference"], party=REFEREE)
    answers = bytes.fromhex(told["answers"])
    digest = sha256_hex(answers)
    trial.record["canary"] = {"predictions_digest": digest, "expected_digest": expected}
    if digest != expected:
        raise Stopped(REFEREE, "canary_missed", "canary", "the reference no longer answers as it did at set-up")
    return answers


def _accuracy(trial: Trial, reference: bytes) -> bool:
    """Record who was right where; say whether the subject is worth timing (the rule is the protocol's data)."""
    library = trial.definition["library"]
    kind = trial.order["subject"]["kind"]
    target = trial.definition["targets"][kind]
    told = _step(trial, "accuracy", "accuracy", target=target, subject=trial.order["subject"]["file"])
    labels = np.load(trial.folder / library["labels"], allow_pickle=False).tobytes()
    subject = bytes.fromhex(told["answers"])
    if not len(labels) == len(reference) == len(subject) == library["count"]:
        raise Stopped(REFEREE, "library_damaged", "accuracy", "labels and answers differ in number")
    right_reference = [a == b for a, b in zip(reference, labels, strict=True)]
    right_subject = [a == b for a, b in zip(subject, labels, strict=True)]
    lost: int = sum(r and not s for r, s in zip(right_reference, right_subject, strict=True))
    trial.record["accuracy"] = {
        "samples": len(labels),
        "answered": told["answered"],
        "errors": told["errors"],
        "reference_right": sum(right_reference),
        "subject_right": sum(right_subject),
        "lost": lost,
        "gained": sum(s and not r for r, s in zip(right_reference, right_subject, strict=True)),
        "reference_bitmap": bitmap(right_reference),
        "subject_bitmap": bitmap(right_subject),
        "subject_predictions_digest": sha256_hex(subject),
    }
    trial.note("accuracy_measured", lost=lost, samples=len(labels))
    return lost <= int(trial.order["timing_gate"]["lost_max"])


def _scenario(trial: Trial, scenario: Mapping[str, Any]) -> None:
    """Run one scenario; a run that is not VALID may be repeated, and every run stays in the record."""
    runs: list[dict[str, Any]] = []
    trial.record["scenarios"].append({"name": scenario["name"], "settings": scenario["settings"], "runs": runs})
    kind = trial.order["subject"]["kind"]
    for number in range(1, trial.definition["validity"]["runs_max"] + 1):
        runs.append(
            _step(
                trial,
                f"{scenario['name']}-{number}",
                scenario["name"],
                target=trial.definition["targets"][kind],
                subject=trial.order["subject"]["file"],
                settings=scenario["settings"],
            )
        )
        if runs[-1]["loadgen"]["validity"] == "VALID":
            return


def _step(
    trial: Trial, label: str, step: str, *, target: Mapping[str, Any], subject: str = "", party: str = SUBJECT,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One child from start to end; raises Stopped with the party whose doing it was."""
    limits, contract = trial.definition["limits"], trial.definition["subject"]
    out = trial.folder / "steps" / label
    out.mkdir(parents=True)
    order = {
        "step": step, "out": str(out), "progress": str(out / "progress"), "target": dict(target),
        "subject": str(trial.folder / subject) if subject else "",
        "samples": str(trial.folder / trial.definition["library"]["samples"]),
        "count": trial.definition["library"]["count"],
        "contract": {
            "columns_in": contract["columns_in"], "columns_out": contract["columns_out"],
            "answer_limit_ms": limits["answer_limit_ms"], "silence_limit_ms": limits["silence_limit_ms"],
        },
        "seeds": trial.record["seeds"], "settings": dict(settings or {}), "parameters": trial.order["parameters"],
    }  # fmt: skip
    (out / "order.json").write_text(json.dumps(order), encoding="utf-8")
    (out / "progress").write_bytes(bytes(16))
    trial.note("step_started", step=label)
    wall_ms = limits["accuracy_wall_ms"]
    if settings is not None:
        wall_ms = 2000 * trial.order["parameters"]["seconds"] + SCENARIO_WALL_EXTRA_MS
    status, cause = _watch(out, wall_ms, limits)
    trial.logs += [(f"{label}/{name}", out / name) for name in (SUMMARY, DETAIL, ACCURACY)]
    trial.note("step_ended", step=label, status=status)
    return _outcome(out, status, cause, label, party if subject else REFEREE)


def _watch(out: Path, wall_ms: int, limits: Mapping[str, int]) -> tuple[int, str]:
    """Wait while the child shows signs of life within its limits; (exit status, why it was killed or "")."""
    with (out / "stderr.txt").open("wb") as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", "bitgoeul.protocols.inference.harness.step", str(out / "order.json")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints, start_new_session=True,
        )  # fmt: skip
    started = alive = time.monotonic()
    seen = 0
    try:
        while True:
            try:
                return child.wait(WATCH_SECONDS), ""
            except subprocess.TimeoutExpired:
                cause = ""
            current, moment = _signs_of_life(out / "progress"), time.monotonic()
            if current != seen:
                seen, alive = current, moment
            patience_ms = limits["silence_limit_ms"] + SILENCE_EXTRA_MS if seen else limits["start_limit_ms"]
            if (moment - alive) * 1000 > patience_ms:
                cause = f"no sign of life for {patience_ms} ms"
            elif (moment - started) * 1000 > wall_ms:
                cause = f"not done within {wall_ms} ms"
            if cause:
                return kill(child), cause
    finally:
        kill(child)


def _signs_of_life(path: Path) -> int:
    with path.open("rb") as stream:
        count: int = struct.unpack("<Q", stream.read(8))[0]
    return count


def _outcome(out: Path, status: int, cause: str, label: str, party: str) -> dict[str, Any]:
    if cause:
        raise Stopped(party, str(Fault.NO_ANSWER), label, cause)
    if status == 0:
        result: dict[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
        return result
    if status == FAULT_STATUS:
        told = json.loads((out / "fault.json").read_text(encoding="utf-8"))
        raise Stopped(party, told["fault"], label, told["detail"])
    if status < 0:
        name = signal.Signals(-status).name
        raise Stopped(party, str(Fault.CRASHED), label, f"the measuring process ended by {name}")
    tail = (out / "stderr.txt").read_bytes()[-1000:].decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise Stopped(REFEREE, "harness_error", label, tail or f"exit status {status}")
