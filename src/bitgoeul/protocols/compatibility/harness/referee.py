"""The supervising parent: writes the suite, lets children run its cases, starts them again, writes the record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.protocols import course
from bitgoeul.protocols.compatibility.harness import suite as suites
from bitgoeul.protocols.compatibility.harness.worker import FAULT_STATUS
from bitgoeul.protocols.compatibility.record import GOOD, SCHEMA, Result, counted, grouped
from bitgoeul.protocols.course import REFEREE, SUBJECT, Stopped, Trial, check_inputs, heading, kill
from bitgoeul.targets import registry
from bitgoeul.targets.stack import Stack, check_packages, read_stack
from bitgoeul.trials.ports import Fault, SubjectFault, one_line

HARNESS = "bitgoeul.protocols.compatibility.harness"
PACKAGES = ("numpy", "onnx")
WATCH_SECONDS = 0.02
CASE_EXTRA_MS = 200  # a line is seen a moment after it is written
DETAIL_CHARACTERS = 200
DETAIL_BYTES_MAX = 120_000


@dataclass
class Came:
    """What came of one case or model."""

    result: Result
    detail: str


@dataclass(frozen=True)
class Work:
    """What children are told: the step, how many there are of it, and the stack."""

    step: str
    total: int
    order: Mapping[str, Any]


def conduct(order_file: Path, folder: Path) -> int:
    """Run the ordered trial in ``folder``; 0 when a record was written, 2 when the order is no order."""
    return course.conduct(order_file, folder, _begin, _course)


def _begin(trial: Trial) -> None:
    trial.record = heading(trial, SCHEMA, PACKAGES, HARNESS)


def _course(trial: Trial) -> None:
    """Inputs, stack, suite, canary, and then every case and model."""
    check_inputs(trial)
    stack, models = _stack(trial)
    suite = _suite(trial)
    _canary(trial, suite)
    _describe(trial, stack)
    _cases(trial, stack, suite)
    _models(trial, stack, models)


def _stack(trial: Trial) -> tuple[Stack, list[Path]]:
    """Read the subject's file here: it is small, bounded and of our own format; its models are not opened."""
    try:
        stack, models = read_stack(trial.folder / trial.order["subject"]["file"], trial.folder / "models")
        trial.record["stack"] = stack.to_json()
        check_packages(stack)
        trial.record["environment"]["packages"] += registry.packages(stack.target)
        trial.record["environment"]["in_process"] = registry.in_process(stack.target)
    except SubjectFault as fault:
        # A stack that is not installed here is the centre's lack, and says nothing of the stack.
        party = REFEREE if fault.fault is Fault.NOT_READY else SUBJECT
        raise Stopped(party, str(fault.fault), "stack", fault.detail) from fault
    trial.note("stack_read", target=stack.target, models=len(models))
    return stack, models


def _suite(trial: Trial) -> suites.Suite:
    """Let a child write the suite; the list must be the protocol's."""
    folder, wanted = trial.folder / "suite", trial.definition["suite"]
    log = trial.folder / "suite.txt"
    status, cause = _run(
        [sys.executable, "-m", f"{HARNESS}.suite", str(folder)], log, trial.definition["limits"]["suite_wall_ms"]
    )
    if status or cause:
        raise Stopped(REFEREE, "suite_missing", "suite", cause or _last_line(log))
    suite = suites.read(folder)
    told = {
        "package": wanted["package"],
        "cases": len(suite.cases),
        "left_out": suite.left_out,
        "case_list_digest": suite.list_digest(),
        "data_digest": suite.data_digest,
    }
    trial.record["suite"] = told
    trial.note("suite_written", cases=len(suite.cases), left_out=len(suite.left_out))
    if (told["cases"], told["case_list_digest"]) != (wanted["cases"], wanted["case_list_digest"]):
        raise Stopped(REFEREE, "suite_differs", "suite", f"{told['cases']} cases with another list")
    listing = trial.folder / "cases.json"
    listing.write_bytes(canonical_bytes([list(case.key) for case in suite.cases]))
    trial.logs.append(("cases.json", listing))
    return suite


def _canary(trial: Trial, suite: suites.Suite) -> None:
    """The ONNX project's own reference evaluator must pass a few cases of the suite as it was written."""
    names = trial.definition["validity"]["canary_cases"]
    log = trial.folder / "canary.json"
    arguments = [sys.executable, "-m", f"{HARNESS}.canary", str(trial.folder / "suite"), *names]
    status, cause = _run(arguments, log, trial.definition["limits"]["suite_wall_ms"])
    if status or cause:
        raise Stopped(REFEREE, "canary_missed", "canary", cause or _last_line(log))
    passed = json.loads(log.read_text(encoding="utf-8"))
    trial.record["canary"] = {"passed": passed, "missed": sorted(set(names) - set(passed))}
    trial.note("canary_run", passed=len(passed), of=len(names))
    if trial.record["canary"]["missed"]:
        raise Stopped(REFEREE, "canary_missed", "canary", ", ".join(trial.record["canary"]["missed"]))


def _describe(trial: Trial, stack: Stack) -> None:
    """Start the stack once and keep what it says of itself; one that does not start is the subject's failure."""
    out = _out(trial, "describe")
    order = _order(trial, stack, out, {"step": "describe"})
    status, cause = _run(
        [sys.executable, "-m", f"{HARNESS}.worker", str(order)], out / "stderr.txt",
        trial.definition["limits"]["start_limit_ms"],
    )  # fmt: skip
    if cause:
        raise Stopped(SUBJECT, str(Fault.NOT_READY), "describe", cause)
    if status == FAULT_STATUS:
        told = json.loads((out / "fault.json").read_text(encoding="utf-8"))
        # What the centre's own runtime lacks, a provider or a device, says nothing of the stack either.
        lacking = told["fault"] == Fault.NOT_READY and registry.in_process(stack.target)
        raise Stopped(REFEREE if lacking else SUBJECT, told["fault"], "describe", told["detail"])
    if status:
        raise Stopped(SUBJECT, str(Fault.CRASHED), "describe", _how(status, out / "stderr.txt"))
    lines = (out / "results").read_text(encoding="utf-8").splitlines()
    trial.record["environment"]["target"] = json.loads(lines[0])["described"]


def _cases(trial: Trial, stack: Stack, suite: suites.Suite) -> None:
    work = Work("cases", len(suite.cases), {"suite": str(trial.folder / "suite")})
    came = _through(trial, stack, work)
    letters = [str(each.result) for each in came]
    trial.record["groups"] = grouped([case.key for case in suite.cases], letters)
    trial.record["counts"] = counted(letters)
    kept, left_out, used = [], 0, 0
    for case, each in zip(suite.cases, came, strict=True):
        if each.result in GOOD:
            continue
        line = [case.part, case.name, str(each.result), each.detail[:DETAIL_CHARACTERS]]
        used += len(canonical_bytes(line)) + 1
        if used > DETAIL_BYTES_MAX:
            left_out += 1
        else:
            kept.append(line)
    trial.record["details"], trial.record["details_left_out"] = kept, left_out


def _models(trial: Trial, stack: Stack, models: Sequence[Path]) -> None:
    """The suite's light models stand in the groups; these are the subject's own."""
    work = Work("models", len(models), {"models": [str(path) for path in models]})
    came = _through(trial, stack, work) if models else []
    trial.record["models"] = [
        {
            "name": path.name, "digest": sha256_hex(path.read_bytes()), "result": str(each.result),
            "detail": each.detail[:DETAIL_CHARACTERS],
        }
        for path, each in zip(models, came, strict=True)
    ]  # fmt: skip


def _through(trial: Trial, stack: Stack, work: Work) -> list[Came]:
    """Every case or model once: children in turn, each from where the one before it ended."""
    came: list[Came] = []
    batch, turn = trial.definition["limits"]["cases_per_child"], 0
    while len(came) < work.total:
        turn += 1
        last = min(len(came) + batch, work.total)
        out = _out(trial, f"{work.step}-{turn}")
        order = _order(trial, stack, out, {**work.order, "step": work.step, "first": len(came), "last": last})
        before = len(came)
        _child(trial, order, out, came, last)
        if len(came) == before:
            raise Stopped(
                REFEREE, "harness_error", work.step, _last_line(out / "stderr.txt") or "no case was begun"
            )
        trial.note("ran", step=work.step, done=len(came), of=work.total, **counted(str(c.result) for c in came))
    return came


def _child(trial: Trial, order: Path, out: Path, came: list[Came], last: int) -> None:
    """One child from start to end: its results, and one for the case that it ended in."""
    limit_ms = trial.order["parameters"]["case_seconds"] * 1000
    patience_ms = trial.definition["limits"]["start_limit_ms"]
    with (out / "stderr.txt").open("wb") as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", f"{HARNESS}.worker", str(order)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints, start_new_session=True,
        )  # fmt: skip
    seen, alive, running, cause = 0, time.monotonic(), False, ""
    try:
        while not cause:
            try:
                child.wait(WATCH_SECONDS)
                break
            except subprocess.TimeoutExpired:
                size, moment = _size(out / "results"), time.monotonic()
            if size != seen:
                seen, alive, running = size, moment, True
            allowed_ms = limit_ms + CASE_EXTRA_MS if running else patience_ms
            if (moment - alive) * 1000 > allowed_ms:
                cause = f"no answer within {limit_ms if running else patience_ms} ms"
        status = kill(child)
    finally:
        kill(child)
    begun = _take(out / "results", came)
    if begun is None or len(came) >= last:
        return
    result = Result.TIMED_OUT if cause else Result.CRASHED
    came.append(Came(result, cause or _how(status, out / "stderr.txt")))


def _take(path: Path, came: list[Came]) -> int | None:
    """Append the results that a child wrote, in order; the number of the case that it began and did not end."""
    begun: int | None = None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for line in lines:
        told = json.loads(line)
        if "start" in told:
            begun = told["start"]
        elif told["end"] == begun == len(came):
            came.append(Came(Result(told["result"]), one_line(told["detail"])))
            begun = None
    return begun


def _out(trial: Trial, label: str) -> Path:
    out = trial.folder / "steps" / label
    (out / "scratch").mkdir(parents=True)
    trial.logs += [(f"{label}/results", out / "results"), (f"{label}/stderr.txt", out / "stderr.txt")]
    return out


def _order(trial: Trial, stack: Stack, out: Path, told: Mapping[str, Any]) -> Path:
    order = {
        **told, "target": stack.target, "options": dict(stack.options), "results": str(out / "results"),
        "fault": str(out / "fault.json"), "scratch": str(out / "scratch"),
    }  # fmt: skip
    path = out / "order.json"
    path.write_text(json.dumps(order), encoding="utf-8")
    return path


def _run(arguments: Sequence[str], log: Path, wall_ms: int) -> tuple[int, str]:
    """A child with its output in ``log``; (exit status, why it was ended or "")."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        return child.wait(wall_ms / 1000), ""
    except subprocess.TimeoutExpired:
        return 0, f"not done within {wall_ms} ms"
    finally:
        kill(child)


def _how(status: int, log: Path) -> str:
    if status < 0:
        return f"the process ended by {signal.Signals(-status).name}"
    return f"exit status {status}: {_last_line(log)}"


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(-min(1000, os.fstat(stream.fileno()).st_size), os.SEEK_END)
            return stream.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
