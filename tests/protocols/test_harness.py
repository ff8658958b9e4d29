"""The referee end to end: every subject ends with a named verdict within a bounded time, and a good one passes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from bitgoeul.kernel.canonical import canonical_bytes
from bitgoeul.protocols.inference import example_models
from bitgoeul.protocols.inference.harness import loadgen
from bitgoeul.trials.ports import Outcome
from protocols import subjects

QUICK = {"silence_limit_ms": 1000, "start_limit_ms": 4000, "answer_limit_ms": 400}
BOUND_SECONDS = 30


def failed(verdict):
    return [reason.check for reason in verdict.failed()]


def processes_under(folder: Path) -> list[int]:
    """Living processes whose command line names the folder; a zombie counts as dead."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                command = (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if state != "Z" and str(folder) in command:
                found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_int8_passes_all_three_scenarios(run_trial, models):
    ran = run_trial(models[example_models.INT8])
    assert ran.status == 0
    assert (ran.verdict.outcome, failed(ran.verdict)) in [(Outcome.PASSED, []), (Outcome.WARNED, ["quiet"])]
    record = ran.record
    assert [s["name"] for s in record["scenarios"]] == ["SingleStream", "Offline", "Server"]
    assert record["target"]["statement"].endswith("no NPU was measured.")
    assert record["floor"]["latency_p50_ns"] > 0
    data = (ran.folder / "record.json").read_bytes()
    assert data == canonical_bytes(record)
    assert len(data) < 64 * 1024
    with tarfile.open(ran.folder / "logs.tar") as tar:
        for log in record["logs"]:
            member = tar.extractfile(log["name"])
            assert member is not None
            assert hashlib.sha256(member.read()).hexdigest() == log["digest"]


def test_the_cheat_fails_by_name_and_is_not_timed(run_trial, models):
    ran = run_trial(models[example_models.CHEAT])
    assert (ran.verdict.outcome, failed(ran.verdict)) == (Outcome.FAILED, ["accuracy"])
    assert ran.record["scenarios"] == []
    assert any(event["kind"] == "not_timed" for event in ran.record["events"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "check"),
    [
        (lambda path: path.write_bytes(b"GIF89a") and path, "subject.not_a_model"),
        (lambda path: subjects.linear(path, columns_in=32, inputs=(("pixels", 1, ["batch", 32]),)),
         "subject.wrong_input"),
        (subjects.endless, "subject.no_answer"),
    ],
)  # fmt: skip
def test_a_bad_model_ends_by_name(run_trial, tmp_path, make, check):
    started = time.monotonic()
    ran = run_trial(make(tmp_path / "bad.onnx"), limits=QUICK)
    assert time.monotonic() - started < BOUND_SECONDS
    assert (ran.status, ran.verdict.outcome, failed(ran.verdict)) == (0, Outcome.FAILED, [check])
    assert processes_under(ran.folder) == []
    kept = (ran.folder / "record.json").read_text(encoding="utf-8")
    assert not [place for place in (str(ran.folder), str(Path.home()), "subject.bin failed") if place in kept]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "check"),
    [
        ("time.sleep(600) if number == 500 else say(number, rows)", "subject.no_answer"),
        ("os.abort() if number == 500 else say(number, rows)", "subject.crashed"),
        ("say(number, rows)\nif number == 500: say(number, rows)", "subject.answered_twice"),
        ("if number == 500: time.sleep(0.6)\nsay(number, rows)", "subject.late"),
        ("say(number, rows, fill=float('nan'))", "subject.malformed"),
        ("say(number, rows)", "accuracy"),
    ],
)
def test_a_bad_program_ends_by_name(run_trial, tmp_path, answer, check):
    started = time.monotonic()
    ran = run_trial(subjects.program(tmp_path / "bad.py", answer), kind="pipe", limits=QUICK)
    assert time.monotonic() - started < BOUND_SECONDS
    assert (ran.status, ran.verdict.outcome, failed(ran.verdict)) == (0, Outcome.FAILED, [check])
    assert ran.record["floor"]["hop_ns"] > 1000
    assert processes_under(ran.folder) == []


@pytest.mark.slow
def test_a_program_that_hangs_only_when_timed_is_caught_there(run_trial, tmp_path, models):
    answer = (
        "import numpy as np\n"
        "if number > 1200: time.sleep(600)\n"
        "rows_in = np.frombuffer(body, dtype='<f4').reshape(rows, columns)\n"
        "scores = session.run(None, {'pixels': rows_in})[0]\n"
        "sink.write(HEAD.pack(number, rows, 10) + scores.tobytes()); sink.flush()"
    )
    setup = (
        f"import onnxruntime\nsession = onnxruntime.InferenceSession({str(models[example_models.REFERENCE])!r})"
    )
    path = subjects.program(tmp_path / "good-then-bad.py", answer, setup)
    # Its start loads a runtime, which on a busy machine takes longer than a quick silence.
    limits = {"silence_limit_ms": 5000, "start_limit_ms": 20_000, "answer_limit_ms": 2000}
    ran = run_trial(path, kind="pipe", limits=limits, scenarios=["SingleStream"])
    assert (ran.verdict.outcome, failed(ran.verdict)) == (Outcome.FAILED, ["subject.no_answer"])
    assert ran.record["finding"]["step"] == "SingleStream-1"
    assert ran.record["accuracy"]["lost"] == 0


@pytest.mark.parametrize(
    ("name", "check"),
    [("subject.bin", "harness.input_damaged"), ("digits-labels.npy", "harness.input_damaged")],
)
def test_a_damaged_input_is_invalid_and_nothing_is_measured(run_trial, models, name, check):
    def damage(folder):
        path = folder / name
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    ran = run_trial(models[example_models.INT8], damage=damage)
    assert (ran.status, ran.verdict.outcome, failed(ran.verdict)) == (0, Outcome.INVALID, [check])
    assert not any(event["kind"] == "step_started" for event in ran.record["events"])


def test_a_missed_canary_is_invalid_before_the_subject_runs(run_trial, models):
    def other_expectation(folder):
        order = (folder / "trial.json").read_bytes()
        (folder / "trial.json").write_bytes(
            order.replace(b'"reference_predictions_digest":"', b'"reference_predictions_digest":"0')
        )

    ran = run_trial(models[example_models.INT8], damage=other_expectation)
    assert (ran.verdict.outcome, failed(ran.verdict)) == (Outcome.INVALID, ["harness.canary_missed"])
    assert "accuracy" not in ran.record


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"not json"])
def test_no_order_is_refused_with_status_two(tmp_path, content):
    (tmp_path / "trial.json").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "bitgoeul.protocols.inference.harness", "trial.json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "not a trial order" in done.stderr
    assert not (tmp_path / "record.json").exists()


# LoadGen frees a query once all of it is answered, so a sample is repeated while others of its query are missing.
TWICE = """
import sys
import time
from pathlib import Path
import mlperf_loadgen as lg
from bitgoeul.protocols.inference.harness import loadgen
def issue(ids, indices):
    answers = [lg.QuerySampleResponse(i, 0, 0) for i in ids]
    half = len(answers) // 2
    lg.QuerySamplesComplete(answers[:half])
    lg.QuerySamplesComplete(answers[:half])
    time.sleep(0.05)
    lg.QuerySamplesComplete(answers[half:])
made = loadgen.settings("Offline", dict.fromkeys(loadgen.SEEDS, "7"), min_duration_ms=1, min_query_count=64,
                        offline_expected_qps=50000)
loadgen.run(made, issue, 899, Path(sys.argv[1]))
"""


def test_loadgen_calls_duplicates_valid_and_we_see_the_errors(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", TWICE, str(tmp_path)], env=environment, check=True, timeout=60)
    read = loadgen.read(tmp_path)
    assert read["validity"] == "VALID"
    assert read["errors"] == 32
    assert read["complaints"]
