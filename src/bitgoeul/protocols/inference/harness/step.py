"""One measuring step in a process of its own: ``python -m …harness.step order.json``.

Exit status 0: ``result.json`` is written. 3: the subject failed, ``fault.json`` says how. Anything else, a signal
among it, is read by the referee.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import mlperf_loadgen
import numpy as np

from bitgoeul.protocols import environment
from bitgoeul.protocols.inference.harness import loadgen
from bitgoeul.protocols.inference.record import histogram, percentile
from bitgoeul.targets import registry
from bitgoeul.targets.bench import hop_ns, open_runner
from bitgoeul.trials.ports import Contract, Fault, Runner, SubjectFault, Target, described

FAULT_STATUS = 3
WARM_UP_ANSWERS = 200
FLOOR_MS = 300
CALIBRATION_SAMPLES = 4000
CALIBRATION_SAMPLES_MAX = 10_000_000
CALIBRATION_RUNS = 3

clock = time.perf_counter_ns
complete = mlperf_loadgen.QuerySamplesComplete
Response = mlperf_loadgen.QuerySampleResponse


@dataclass
class Bench:
    """What a step works with: its order, its folder, its stamps, and two shared counters.

    ``progress[0]`` counts signs of life, which the referee watches; ``progress[1]`` counts samples answered in
    batches.
    """

    order: Mapping[str, Any]
    out: Path
    progress: memoryview
    times: array[int]

    def tick(self) -> None:
        """Tell the referee that something got done outside an answer."""
        self.progress[0] += 1


def main(arguments: list[str]) -> int:
    """Do the step that the order file names."""
    order = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    out = Path(order["out"])
    with Path(order["progress"]).open("r+b") as stream:
        shared = mmap.mmap(stream.fileno(), 16)
    bench = Bench(order, out, memoryview(shared).cast("Q"), array("Q"))
    try:
        result = STEPS[order["step"]](bench)
    except SubjectFault as fault:
        _write_fault(out, fault)
        return FAULT_STATUS
    (out / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return 0


def _floor(bench: Bench) -> dict[str, Any]:
    """A subject that answers nothing, through the same callback: the harness's own cost on this machine."""
    target = _target(bench)
    told, hop = described(target.describe()), hop_ns(target)
    bench.tick()
    issue = _one_by_one(bench, _no_answer)
    made = loadgen.settings(
        "SingleStream", bench.order["seeds"],
        min_duration_ms=FLOOR_MS, min_query_count=1024, single_stream_expected_latency_ns=1000,
    )  # fmt: skip
    loadgen.run(made, issue, bench.order["count"], bench.out)
    read = loadgen.read(bench.out)
    return {
        "stamp_cost_ns": environment.stamp_cost_ns(),
        "hop_ns": hop,
        "described": told,
        "latency_p50_ns": read["latency_p50_ns"],
        "latency_p99_ns": read["latency_p99_ns"],
        "queries": read["queries"],
        "errors": read["errors"],
    }


def _accuracy(bench: Bench) -> dict[str, Any]:
    """Every sample once through LoadGen's accuracy mode; the class of each as two hex digits."""
    runner, count = _open(bench), bench.order["count"]
    answer = array("B", [0])
    address = answer.buffer_info()[0]
    columns = bench.order["contract"]["columns_out"]

    def issue(ids: list[int], indices: list[int]) -> None:
        scores = runner.one(indices[0])
        if scores.shape != (1, columns):
            raise SubjectFault(Fault.WRONG_OUTPUT, f"{list(scores.shape)}, expected [1, {columns}]")
        if not np.isfinite(scores).all():
            raise SubjectFault(Fault.MALFORMED, f"sample {indices[0]}: a score that is not a finite number")
        answer[0] = int(scores.argmax())
        complete([Response(ids[0], address, 1)])
        bench.progress[0] += 1

    made = loadgen.settings("SingleStream", bench.order["seeds"])
    made.mode = mlperf_loadgen.TestMode.AccuracyOnly
    loadgen.run(made, _guarded(bench, issue), count, bench.out)
    runner.close()
    answers = loadgen.read_answers(bench.out, count)
    return {
        "answers": "".join(answers[i].hex() if i in answers else "ff" for i in range(count)),
        "errors": loadgen.read(bench.out)["errors"],
        "answered": len(answers),
    }


def _single_stream(bench: Bench) -> dict[str, Any]:
    runner = _open(bench)
    margin = bench.order["settings"]["margin_permille"]
    expected_ns = max(500, _answer_ns(bench, runner) * 1000 // margin)
    made = _scenario(bench, "SingleStream", single_stream_expected_latency_ns=expected_ns)
    return _timed(bench, runner, made, _one_by_one(bench, runner.one))


def _server(bench: Bench) -> dict[str, Any]:
    runner, parameters = _open(bench), bench.order["parameters"]
    _answer_ns(bench, runner)
    made = _scenario(
        bench, "Server",
        server_target_qps=float(parameters["server_rate"]),
        server_target_latency_ns=parameters["server_latency_ms"] * 1_000_000,
        server_target_latency_percentile=bench.order["settings"]["percentile_permille"] / 1000,
    )  # fmt: skip
    return _timed(bench, runner, made, _one_by_one(bench, runner.one))


def _offline(bench: Bench) -> dict[str, Any]:
    """Calibrated with LoadGen itself at the batch it runs with: a rate guessed too low ends INVALID."""
    runner, size = _open(bench), bench.order["parameters"]["batch"]
    issue = _in_batches(bench, runner, size)
    rate = _offline_rate(bench, issue)
    expected = rate * bench.order["settings"]["margin_permille"] / 1000
    bench.times, bench.progress[1] = array("Q"), 0
    made = _scenario(bench, "Offline", offline_expected_qps=expected)
    return _timed(bench, runner, made, _in_batches(bench, runner, size))


def _offline_rate(bench: Bench, issue: loadgen.Issue) -> float:
    """The best of a few short Offline runs, samples a second: a busy moment must not set the run's length."""
    samples, rates = CALIBRATION_SAMPLES, [1.0]
    while len(rates) <= CALIBRATION_RUNS:
        made = loadgen.settings(
            "Offline", bench.order["seeds"], min_duration_ms=100, offline_expected_qps=samples / 0.11
        )
        loadgen.run(made, issue, bench.order["count"], bench.out / "calibration")
        bench.tick()
        read = loadgen.read(bench.out / "calibration")
        rate = (read["samples_per_second_milli"] or 0) / 1000
        if read["min_duration_met"] or samples > CALIBRATION_SAMPLES_MAX:
            rates.append(rate)
        samples = int(max(rate, *rates) * 0.15) + 1
    return max(rates)


def _scenario(bench: Bench, name: str, **values: float) -> Any:
    return loadgen.settings(
        name, bench.order["seeds"],
        min_duration_ms=bench.order["parameters"]["seconds"] * 1000,
        min_query_count=bench.order["settings"]["min_query_count"], **values,
    )  # fmt: skip


def _timed(bench: Bench, runner: Runner, made: Any, issue: loadgen.Issue) -> dict[str, Any]:
    bench.tick()
    started = clock()
    loadgen.run(made, issue, bench.order["count"], bench.out)
    took_ns = clock() - started
    runner.close()
    times = sorted(bench.times)
    late = percentile(times, 1000) if times else 0
    limit_ms = bench.order["contract"]["answer_limit_ms"]
    if late > limit_ms * 1_000_000:
        raise SubjectFault(Fault.LATE, f"an answer took {late // 1_000_000} ms, the limit is {limit_ms} ms")
    return {
        "loadgen": loadgen.read(bench.out),
        "own": {
            "answers": bench.progress[1] or len(times),
            "stamps": len(times),
            "latency_p50_ns": percentile(times, 500) if times else None,
            "latency_p99_ns": percentile(times, 990) if times else None,
            "histogram": histogram(times),
            "wall_ns": took_ns,
        },
    }


def _one_by_one(bench: Bench, answer: Callable[[int], object]) -> loadgen.Issue:
    """The timed path for one sample a query: two stamps, one completion, one count; nothing else."""
    times, progress = bench.times, bench.progress
    stamp = times.append

    def issue(ids: list[int], indices: list[int]) -> None:
        try:
            started = clock()
            answer(indices[0])
            ended = clock()
            complete([Response(ids[0], 0, 0)])
            stamp(ended - started)
            progress[0] += 1
        except Exception as error:  # noqa: BLE001 - guarded in place, for another call would stand in the times
            _stop(bench, _as_fault(error))

    return issue


def _in_batches(bench: Bench, runner: Runner, size: int) -> loadgen.Issue:
    """Offline: the one big query is answered batch by batch; a stamp is one batch."""
    times, progress = bench.times, bench.progress

    def issue(ids: list[int], indices: list[int]) -> None:
        for start in range(0, len(ids), size):
            started = clock()
            runner.batch(indices[start : start + size])
            times.append(clock() - started)
            part = ids[start : start + size]
            complete([Response(i, 0, 0) for i in part])
            progress[0] += 1
            progress[1] += len(part)

    return _guarded(bench, issue)


def _guarded(bench: Bench, issue: loadgen.Issue) -> loadgen.Issue:
    """Nothing may leave a callback: LoadGen dies by SIGSEGV then. Say what happened and end the process."""

    def safe(ids: list[int], indices: list[int]) -> None:
        try:
            issue(ids, indices)
        except Exception as error:  # noqa: BLE001 - see above; what the subject's runtime raises has no common base
            _stop(bench, _as_fault(error))

    return safe


def _as_fault(error: Exception) -> SubjectFault:
    if isinstance(error, SubjectFault):
        return error
    return SubjectFault(Fault.CRASHED, f"{type(error).__name__}: {error}")


def _stop(bench: Bench, fault: SubjectFault) -> NoReturn:
    _write_fault(bench.out, fault)
    os._exit(FAULT_STATUS)


def _write_fault(out: Path, fault: SubjectFault) -> None:
    told = {"fault": str(fault.fault), "detail": fault.detail}
    (out / "fault.json").write_text(json.dumps(told), encoding="utf-8")


def _target(bench: Bench) -> Target:
    told = bench.order["target"]
    return registry.make(told["code"], told.get("options", {}))


def _open(bench: Bench) -> Runner:
    samples = np.load(bench.order["samples"], allow_pickle=False)
    contract = Contract(**bench.order["contract"])
    runner = open_runner(_target(bench), Path(bench.order["subject"]), samples, contract)
    bench.tick()
    return runner


def _answer_ns(bench: Bench, runner: Runner) -> int:
    """Warm up and return the median time of an answer."""
    times = []
    for index in range(WARM_UP_ANSWERS):
        started = clock()
        runner.one(index % bench.order["count"])
        times.append(clock() - started)
        bench.tick()
        if sum(times) > 1_000_000_000:
            break
    return int(median(times))


def _no_answer(_: int) -> None:
    """A subject that does nothing."""


STEPS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "floor": _floor,
    "accuracy": _accuracy,
    "SingleStream": _single_stream,
    "Offline": _offline,
    "Server": _server,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
