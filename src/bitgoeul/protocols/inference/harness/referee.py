"""The supervising parent: checks the inputs, starts one child a step, watches it, writes the record."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.kernel.canonical import canonical_bytes, loads_strict, sha256_hex
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.errors import DomainError
from bitgoeul.protocols.inference.harness import environment
from bitgoeul.protocols.inference.harness.loadgen import ACCURACY, DETAIL, SEEDS, SUMMARY
from bitgoeul.protocols.inference.harness.step import FAULT_STATUS
from bitgoeul.protocols.inference.plugin import LOGS_FILE, RECORD_FILE
from bitgoeul.protocols.inference.record import EDGES_NS, SCHEMA, bitmap
from bitgoeul.trials.ports import Fault, one_line

WATCH_SECONDS = 0.05
SCENARIO_WALL_EXTRA_MS = 30_000
SILENCE_EXTRA_MS = 2_000
ORDER_BYTES_MAX = 1024 * 1024

SUBJECT, REFEREE = "subject", "harness"


class Stopped(Exception):
    """The trial ends here: whose doing it was, a stable code, the step and one line of detail."""

    def __init__(self, party: str, code: str, step: str, detail: str) -> None:
        super().__init__(f"{party} {code} in {step}: {detail}")
        self.finding = {"party": party, "code": code, "step": step, "detail": one_line(detail)}


@dataclass
class Trial:
    """One trial in progress: the order, the folder, and the record as it grows."""

    order: Mapping[str, Any]
    folder: Path
    started: float = field(default_factory=time.monotonic)
    events: list[dict[str, Any]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    logs: list[tuple[str, Path]] = field(default_factory=list)

    @property
    def definition(self) -> Mapping[str, Any]:
        """The protocol's data, as far as the harness is told."""
        told: Mapping[str, Any] = self.order["definition"]
        return told

    def note(self, kind: str, **details: Any) -> None:
        """Append an event; events are never changed."""
        at_ms = int((time.monotonic() - self.started) * 1000)
        self.events.append({"at_ms": at_ms, "kind": kind, **details})
        sys.stdout.write(f"{at_ms:>7} ms  {kind} {' '.join(f'{k}={v}' for k, v in details.items())}\n")
        sys.stdout.flush()


def conduct(order_file: Path, folder: Path) -> int:
    """Run the ordered trial in ``folder``; 0 when a record was written, 2 when the order is no order."""
    try:
        order = loads_strict(order_file.read_bytes()[:ORDER_BYTES_MAX])
        trial = Trial(order, folder)
        _begin(trial)
    except (DomainError, OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{order_file}: not a trial order ({error})\n")
        return 2
    finding: dict[str, Any] | None = None
    try:
        _course(trial)
    except Stopped as stopped:
        finding = stopped.finding
        trial.note("stopped", **finding)
    _finish(trial, finding)
    return 0


def _begin(trial: Trial) -> None:
    order, definition = trial.order, trial.definition
    target = definition["targets"][order["subject"]["kind"]]
    trial.record = {
        "schema": SCHEMA,
        "trial_id": order["trial_id"],
        "attempt": order["attempt"],
        "protocol": {
            "code": definition["code"], "version": definition["version"], "digest": order["protocol_digest"],
        },
        "subject": {"kind": order["subject"]["kind"], "digest": order["subject"]["digest"]},
        "parameters": order["parameters"],
        "target": {"code": target["code"], "statement": target["statement"]},
        "notice": definition["notice"],
        "started_at": rfc3339(now()),
        "environment": {**environment.describe(), "before": environment.load()},
        "seeds": {name: _seed(order, name) for name in SEEDS},
        "edges_ns": list(EDGES_NS),
        "scenarios": [],
    }  # fmt: skip


def _seed(order: Mapping[str, Any], name: str) -> str:
    """A seed of this trial, below 2^63, as a decimal string: another trial gets others, a repetition the same."""
    text = f"{order['protocol_digest']}:{order['trial_id']}:{name}"
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1)


def _course(trial: Trial) -> None:
    """Inputs, floor, canary, accuracy, and only then the timed scenarios."""
    _check_inputs(trial)
    kind = trial.order["subject"]["kind"]
    trial.record["floor"] = _step(trial, "floor", "floor", entry=trial.definition["targets"][kind]["entry"])
    reference = _canary(trial)
    if not _accuracy(trial, reference):
        trial.note("not_timed", why="accuracy")
        return
    for scenario in trial.definition["scenarios"]:
        _scenario(trial, scenario)


def _check_inputs(trial: Trial) -> None:
    """Every input's digest against the order; a file that is not the ordered one stops the trial."""
    wanted = {trial.order["subject"]["file"]: trial.order["subject"]["digest"], **trial.definition["assets"]}
    found = []
    for name, digest in sorted(wanted.items()):
        path = trial.folder / name
        try:
            with path.open("rb") as stream:
                got = hashlib.file_digest(stream, "sha256").hexdigest()
            found.append({"name": name, "digest": got, "bytes": path.stat().st_size})
        except OSError as error:
            raise Stopped(REFEREE, "input_missing", "inputs", f"{name}: {error.strerror}") from error
        if got != digest:
            raise Stopped(REFEREE, "input_damaged", "inputs", f"{name} is not the ordered file")
    trial.record["inputs"] = found
    trial.note("inputs_checked", count=len(found))


def _canary(trial: Trial) -> bytes:
    """The reference's answers on the fixed samples, which must be those of set-up."""
    library, expected = trial.definition["library"], trial.order["canary"]["reference_predictions_digest"]
    entry = trial.definition["targets"]["onnx"]["entry"]
    told = _step(trial, "canary", "accuracy", entry=entry, subject=library["reference"], party=REFEREE)
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
    entry = trial.definition["targets"][kind]["entry"]
    told = _step(trial, "accuracy", "accuracy", entry=entry, subject=trial.order["subject"]["file"])
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
                entry=trial.definition["targets"][kind]["entry"],
                subject=trial.order["subject"]["file"],
                settings=scenario["settings"],
            )
        )
        if runs[-1]["loadgen"]["validity"] == "VALID":
            return


def _step(
    trial: Trial, label: str, step: str, *, entry: str, subject: str = "", party: str = SUBJECT,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One child from start to end; raises Stopped with the party whose doing it was."""
    limits, contract = trial.definition["limits"], trial.definition["subject"]
    out = trial.folder / "steps" / label
    out.mkdir(parents=True)
    order = {
        "step": step, "out": str(out), "progress": str(out / "progress"), "entry": entry,
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
                return _kill(child), cause
    finally:
        _kill(child)


def _signs_of_life(path: Path) -> int:
    with path.open("rb") as stream:
        count: int = struct.unpack("<Q", stream.read(8))[0]
    return count


def _kill(child: subprocess.Popen[bytes]) -> int:
    """End the child's whole session: a subject's own program is in it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return child.wait()
    return child.wait()


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


def _finish(trial: Trial, finding: dict[str, Any] | None) -> None:
    """Write the logs and then the record, which names them; the record appears whole or not at all."""
    trial.record["logs"] = _pack_logs(trial)
    trial.record["environment"]["after"] = environment.load()
    trial.record["finding"] = finding
    trial.record["events"] = trial.events
    trial.record["ended_at"] = rfc3339(now())
    data = canonical_bytes(trial.record)
    limit = trial.definition["limits"]["record_bytes_max"]
    if len(data) > limit:
        raise RuntimeError(f"the record has {len(data)} bytes, the limit is {limit}")
    partial = trial.folder / (RECORD_FILE + ".partial")
    partial.write_bytes(data)
    partial.replace(trial.folder / RECORD_FILE)


def _pack_logs(trial: Trial) -> list[dict[str, Any]]:
    """LoadGen's own files in one tar; each listed with the digest of the whole, even if only its head is kept."""
    limit = trial.definition["limits"]["log_bytes_max"]
    listed = []
    with tarfile.open(trial.folder / LOGS_FILE, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in trial.logs:
            if not path.exists():
                continue
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                stream.seek(0)
                head = stream.read(limit)
            size = path.stat().st_size
            entry = tarfile.TarInfo(name)
            entry.size = len(head)
            tar.addfile(entry, io.BytesIO(head))
            listed.append({"name": name, "digest": digest, "bytes": size, "kept_bytes": len(head)})
    return listed
