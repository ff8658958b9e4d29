"""Slurm's daemons die at bad moments: no job runs twice, none is charged for more than it ran, none is lost."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bitgoeul.compute.plugins import make_engine
from bitgoeul.compute.ports import (
    SCHEDULER_NUMBERS,
    Ending,
    EngineRefused,
    EngineUnavailable,
    Handle,
    JobSpec,
    Limits,
    Observation,
    Phase,
)
from bitgoeul.engines.local.bury import never_started
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.engines.slurm.submit import name_of
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import N_

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

ROUNDS = 20 if os.environ.get("SOAK") == "1" else 2
WAIT_SECONDS = 120.0
# What the wrapper and the scheduler may add to a second of work.
OVERHEAD_MS = 2_500


def spec(seconds: float, trace: Path, **changes: Any) -> JobSpec:
    """A job that leaves a line in ``trace`` at its start and works for some seconds."""
    code = f"import time; open({str(trace)!r}, 'a').write('ran\\n'); time.sleep({seconds})"
    values: dict[str, Any] = {
        "job_id": new_id(), "name": "fault", "argv": ("python", "-c", code), "env": {}, "inputs": {},
        "outputs": (), "limits": Limits(1, 256, 60, 16, 16), "devices": {},
    }  # fmt: skip
    return JobSpec(**{**values, **changes})


@pytest.fixture
def make(tmp_path: Path, cluster_config: dict[str, Any], testbed: Any) -> Iterator[Callable[[], Any]]:
    """A new engine over the same home, as a new process of ours would build it."""
    # Jobs write below it as the user that they run as.
    config = {**cluster_config, "partitions": {**cluster_config["partitions"], "core": "hpc"}}
    yield lambda: make_engine("slurm", tmp_path / "engine", config)
    testbed.resume_nodes()


def patiently(act: Callable[[], Any]) -> Any:
    """Do it again while the cluster cannot be asked, as the follower does."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return act()
        except EngineUnavailable:
            assert time.monotonic() < limit
            time.sleep(0.2)


def ended(engine: Any, handle: Handle, phase: Phase = Phase.ENDED) -> Observation:
    """Wait for a phase or a later one; a job that is left out is UNKNOWN for now."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        seen = patiently(lambda: engine.poll([handle]))
        if seen and seen[0].phase in (phase, Phase.ENDED):
            return seen[0]
        assert time.monotonic() < limit, f"the job is {seen}"
        time.sleep(0.1)


def running(engine: Any, wanted: JobSpec) -> Handle:
    """A job that runs, put in the queue again by the engine where Slurm ended it before it began.

    A controller that was killed gives a number again that a node still has a step of, and the node then refuses
    the new job ("already running, do not launch second copy") and cancels it.
    """
    handle: Handle = engine.submit(wanted)
    assert ended(engine, handle, Phase.RUNNING).phase is Phase.RUNNING
    return handle


def ran_once(trace: Path) -> bool:
    return trace.read_text() == "ran\n"


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_job_that_ends_while_the_controller_is_down_is_charged_what_it_ran(make, testbed, tmp_path, round_):
    engine, trace = make(), tmp_path / "trace"
    handle = running(engine, spec(2, trace))
    testbed.kill("slurmctld")
    with pytest.raises(EngineUnavailable):
        make().poll([handle])
    time.sleep(6)
    testbed.start_slurmctld()
    seen = ended(make(), handle)
    assert seen.ending is Ending.COMPLETED, seen
    assert ran_once(trace)
    (record,) = engine.usage([handle])
    assert 2_000 <= record.wall_ms <= 2_000 + OVERHEAD_MS, "the outage is not the customer's"


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_controller_that_dies_right_after_a_submit_loses_nothing_and_starts_nothing_twice(
    make, testbed, tmp_path, round_
):
    engine, trace = make(), tmp_path / "trace"
    wanted = spec(8, trace)
    handle = engine.submit(wanted)
    time.sleep(0.3 + round_ % 4 * 0.7)
    testbed.kill("slurmctld")
    testbed.start_slurmctld()
    # Our side does not know either whether its call arrived: it asks for the same job again.
    (engine.jobs / str(wanted.job_id) / "slurm.json").unlink()
    engine = make()
    assert patiently(lambda: engine.submit(wanted)) == handle
    seen = ended(engine, handle)
    if not trace.exists():  # Slurm ended it before it started, and says so
        assert seen.ending is Ending.NOT_STARTED, seen
        assert engine.usage([handle]) == []
        return
    assert ran_once(trace)
    assert seen.ending in (Ending.COMPLETED, Ending.ENGINE_LOST, Ending.CANCELLED, Ending.STOPPED), seen
    (record,) = engine.usage([handle])
    assert record.wall_ms <= 8_000 + OVERHEAD_MS


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_rest_service_that_dies_amid_submits_loses_none_and_doubles_none(
    make, testbed, tmp_path, cluster_config, round_
):
    rest = {"url": testbed.rest_url, "version": "v0.0.38", "user": "root"}
    config = {**cluster_config, "partitions": {**cluster_config["partitions"], "core": "hpc"}, "rest": rest}
    engine = make_engine("slurm", tmp_path / "engine", config)
    wanted = [spec(0.1, tmp_path / f"trace-{number}") for number in range(12)]
    killer = threading.Timer(0.02 + round_ % 10 * 0.02, testbed.kill, ["slurmrestd"])
    killer.start()
    handles, refused = {}, 0
    for each in wanted:
        try:
            handles[each.job_id] = engine.submit(each)
        except EngineUnavailable:
            refused += 1
    killer.join()
    testbed.start_slurmrestd()
    assert refused or round_, "it died before the last submit"
    # As the follower does: whoever has no handle is handed over again, by whatever process.
    again = make_engine("slurm", tmp_path / "engine", config)
    for number, each in enumerate(wanted):
        handle = patiently(lambda each=each: again.submit(each))
        assert handle == handles.get(each.job_id, handle)
        assert ended(again, handle).ending is Ending.COMPLETED
        assert ran_once(tmp_path / f"trace-{number}")


def test_a_number_that_was_given_away_is_not_taken_for_ours(make, testbed, tmp_path):
    engine = make()
    stranger = int(
        testbed.must(
            "sbatch", "--parsable", "-A", "conformance", "-J", "stranger", "-o", "/dev/null", "--wrap", "sleep 30"
        )
    )
    wanted = spec(1, tmp_path / "trace")
    handle = engine.submit(wanted)
    (engine.jobs / str(wanted.job_id) / "slurm.json").write_text(f'{{"number": {stranger}}}')
    fresh = make()
    seen = ended(fresh, handle)
    assert (seen.ending, ran_once(tmp_path / "trace")) == (Ending.COMPLETED, True)
    assert f"{stranger}" in testbed.must("squeue", "-h", "-o", "%A"), "the stranger's job goes on"
    testbed.must("scancel", str(stranger))


def test_what_a_user_writes_neither_breaks_the_accounting_nor_forges_a_line_in_it(make, testbed):
    since = now() - timedelta(minutes=5)
    wrong = "a|b|c\n99|COMPLETED|99|testbed|conformance|root|2026-11-26T00:00:00"
    number = testbed.must(
        "sbatch", "--parsable", "-A", "conformance", f"--comment={wrong}", f"--job-name={wrong}", "-o",
        "/dev/null", "--wrap", "true",
    ).strip()  # fmt: skip
    engine = make()

    def ended_there() -> list[str]:
        done = f"{number}|COMPLETED|"
        return [line for line in engine.accounting(since, now()) if line.startswith(done)]

    testbed.wait("the accounting tells of it", ended_there)
    lines = list(engine.accounting(since, now()))
    columns = lines[0].split("|")
    assert columns[-1] == "Comment"
    assert all(line.count("|") == len(columns) - 1 for line in lines)
    rows = [dict(zip(columns, line.split("|"), strict=True)) for line in lines[1:]]
    assert "" in [row["Comment"] for row in rows if row["JobIDRaw"] == number]
    assert not [row for row in rows if row["JobIDRaw"] == "99" and row["State"] == "COMPLETED"]


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_the_accounting_may_be_down_while_jobs_are_put_in_and_end(make, testbed, tmp_path, round_):
    engine, trace = make(), tmp_path / "trace"
    testbed.kill("slurmdbd")
    handle = engine.submit(spec(1, trace))
    assert ended(engine, handle).ending is Ending.COMPLETED
    testbed.start_slurmdbd()
    assert ran_once(trace)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_node_that_dies_takes_its_job_along_and_the_end_is_named(make, testbed, tmp_path, round_):
    engine, trace = make(), tmp_path / "trace"
    handle = running(engine, spec(600, trace, limits=Limits(1, 256, 900, 16, 16)))
    job = engine.jobs / str(handle.job_id)
    time.sleep(1.5)
    # The supervisor of the job dies with its node, and Slurm says so.
    testbed.kill_wrapper(str(job))
    seen = ended(engine, handle)
    assert seen.ending is Ending.ENGINE_LOST
    (record,) = engine.usage([handle])
    assert record.final
    assert record.wall_ms <= 5_000
    assert ran_once(trace)


def test_a_job_that_was_lost_before_it_started_is_handed_over_again(make, testbed, tmp_path):
    engine, trace = make(), tmp_path / "trace"
    engine._put = lambda asked: 987_654  # the controller took it, and its memory of it is gone
    handle = engine.submit(spec(1, trace))
    fresh = make()
    assert patiently(lambda: fresh.poll([handle])) == [], "not listed is unknown, not done"
    assert ended(fresh, handle).ending is Ending.COMPLETED
    assert ran_once(trace)


def sweep_specs(count: int, seconds: float, trace: Path) -> list[JobSpec]:
    sweep = new_id()
    return [spec(seconds, trace / str(index), sweep=sweep, index=index) for index in range(count)]


def all_ended(engine: Any, handles: list[Handle]) -> dict[Any, Observation]:
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        seen = {each.job_id: each for each in patiently(lambda: engine.poll(handles))}
        if len(seen) == len(handles) and all(each.phase is Phase.ENDED for each in seen.values()):
            return seen
        assert time.monotonic() < limit, seen
        time.sleep(0.2)


def test_a_sweep_is_one_array_and_each_element_its_own_job(make, testbed, tmp_path):
    engine = make()
    wanted = sweep_specs(6, 1, tmp_path)
    handles = engine.submit_many(wanted)
    numbers = {
        json.loads((engine.jobs / str(each.job_id) / "slurm.json").read_text())["number"] for each in wanted
    }
    assert len(numbers) == 1, "one array"
    assert make().submit_many(wanted) == handles
    engine.cancel([handles[5]])
    seen = all_ended(make(), handles)
    endings = [seen[each.job_id].ending for each in wanted]
    assert endings[:5] == [Ending.COMPLETED] * 5
    assert endings[5] in (Ending.CANCELLED, Ending.COMPLETED)
    assert all(ran_once(tmp_path / str(index)) for index in range(5))
    records = {each.job_id: each for each in engine.usage(handles)}
    own = {records[each.job_id].environment["scheduler_number"] for each in wanted[:5]}
    assert len(own) == 5, "each has a number of its own in the accounting"
    claims = {f"bitgoeul:{each.sweep}_{each.index}" for each in wanted[:5]}

    def told() -> bool:
        rows = [line.split("|") for line in engine.accounting(now() - timedelta(minutes=5), now())]
        return {(row[0], row[-1]) for row in rows if row[-1] in claims} == {
            (records[each.job_id].environment["scheduler_number"], f"bitgoeul:{each.sweep}_{each.index}")
            for each in wanted[:5]
        }

    testbed.wait("the accounting tells each as ours", told)
    engine.forget([each.job_id for each in wanted])
    assert not (engine.home / "sweeps" / str(wanted[0].sweep)).exists()


def test_an_array_that_waits_can_be_cancelled_in_part_and_by_an_administrator_as_a_whole(make, testbed, tmp_path):
    engine = make()
    testbed.must("scontrol", "update", "nodename=hpc1,hpc2", "state=drain", "reason=test")
    wanted = sweep_specs(4, 0.1, tmp_path)
    handles = engine.submit_many(wanted)
    engine.cancel(handles[:1])
    seen = {each.job_id: each for each in engine.poll(handles)}
    assert seen[wanted[0].job_id].ending is Ending.CANCELLED
    assert [seen[each.job_id].phase for each in wanted[1:]] == [Phase.PENDING] * 3, "the others wait on"
    number = json.loads((engine.jobs / str(wanted[1].job_id) / "slurm.json").read_text())["number"]
    testbed.must("scancel", str(number))
    ends = all_ended(make(), handles)
    assert {each.ending for each in ends.values()} == {Ending.CANCELLED}
    assert not any((tmp_path / str(index)).exists() for index in range(4))


def test_an_array_whose_answer_was_lost_is_found_again_and_started_once(make, testbed, tmp_path):
    engine = make()
    wanted = sweep_specs(4, 2, tmp_path)
    handles = engine.submit_many(wanted)
    time.sleep(0.5)
    for each in wanted[1:]:
        (engine.jobs / str(each.job_id) / "slurm.json").unlink()
    fresh = make()
    fresh._put = None  # it is looked for, not put again
    assert patiently(lambda: fresh.submit_many(wanted)) == handles
    seen = all_ended(make(), handles)
    assert {each.ending for each in seen.values()} == {Ending.COMPLETED}
    assert all(ran_once(tmp_path / str(index)) for index in range(4))


def test_a_sweep_handed_over_twice_runs_each_job_once(make, testbed, tmp_path):
    engine = make()
    wanted = sweep_specs(4, 3, tmp_path)
    handles = engine.submit_many(wanted)
    for each in wanted:
        (engine.jobs / str(each.job_id) / "slurm.json").unlink()
    doubled = make()
    doubled._find = lambda jobs: {}
    assert doubled.submit_many(wanted) == handles
    seen = all_ended(make(), handles)
    assert {each.ending for each in seen.values()} == {Ending.COMPLETED}
    assert all(ran_once(tmp_path / str(index)) for index in range(4))


def test_elements_that_were_lost_before_they_started_are_handed_over_again(make, testbed, tmp_path):
    engine = make()
    engine._put = lambda asked: 987_655  # the controller took the array, and its memory of it is gone
    handles = engine.submit_many(sweep_specs(3, 0.5, tmp_path))
    fresh = make()
    assert patiently(lambda: fresh.poll(handles)) == []
    seen = all_ended(fresh, handles)
    assert {each.ending for each in seen.values()} == {Ending.COMPLETED}
    assert all(ran_once(tmp_path / str(index)) for index in range(3))


def test_a_controller_that_dies_after_an_array_was_put_in_starts_nothing_twice(make, testbed, tmp_path):
    engine = make()
    wanted = sweep_specs(4, 3, tmp_path)
    handles = engine.submit_many(wanted)
    time.sleep(1)
    testbed.kill("slurmctld")
    testbed.start_slurmctld()
    seen = all_ended(make(), handles)
    for index, each in enumerate(wanted):
        started = (tmp_path / str(index)).exists()
        assert ran_once(tmp_path / str(index)) if started else seen[each.job_id].ending is not Ending.COMPLETED


def test_a_second_start_of_the_same_job_does_nothing(make, testbed, tmp_path):
    engine, trace = make(), tmp_path / "trace"
    wanted = spec(3, trace)
    handle = engine.submit(wanted)
    (engine.jobs / str(wanted.job_id) / "slurm.json").unlink()
    # As if the first call had never arrived, and the queue had not told of it in time.
    doubled = make()
    doubled._find = lambda jobs: {}
    doubled.submit(wanted)
    seen = ended(make(), handle)
    assert (seen.ending, ran_once(trace)) == (Ending.COMPLETED, True)
    # Nobody is charged for the second, which the accounting has too.
    assert numbers_of(testbed, wanted) == set(seen.environment[SCHEDULER_NUMBERS].split(","))


def numbers_of(testbed: Any, wanted: JobSpec) -> set[str]:
    """Both numbers that the accounting has of a job."""
    asked = ("sacct", "-n", "-X", "-P", f"--name={name_of(wanted.job_id)}", "-o", "JobIDRaw")
    testbed.wait("the accounting has both", lambda: len(testbed.must(*asked).split()) == 2)
    return set(testbed.must(*asked).split())


@pytest.fixture
def doubled(make, testbed, tmp_path):
    """A job that two followers put in while no node takes jobs: engines, handle, job, numbers, and a way on."""
    nodes = f"nodename={','.join(testbed.must('sinfo', '-h', '-o', '%N').split())}"
    testbed.must("scontrol", "update", nodes, "state=drain", "reason=test")
    one, other, wanted = make(), make(), spec(0.5, tmp_path / "trace")
    handle = one.submit(wanted)
    first = json.loads(engine_record(one, wanted).read_text())["number"]
    job = JobDir(other.jobs / str(wanted.job_id))
    other._hand_over_alone(job)
    second = json.loads(engine_record(one, wanted).read_text())["number"]
    assert waiting(testbed, wanted) == {first, second}

    def release() -> None:
        testbed.must("scontrol", "update", nodes, "state=resume")

    return one, other, handle, job, (first, second), release


def waiting(testbed: Any, wanted: JobSpec) -> set[int]:
    """The numbers of a job that wait in the queue."""
    lines = testbed.must("squeue", "-h", "-t", "PENDING", "-n", name_of(wanted.job_id), "-o", "%A")
    return set(map(int, lines.split()))


def test_two_followers_that_both_put_a_job_in_keep_the_same_one(doubled, testbed, tmp_path):
    one, other, handle, job, (first, second), release = doubled
    for engine in (one, other, one):
        patiently(lambda engine=engine: engine.poll([handle]))
        engine._listing = None
    assert json.loads((job.path / "slurm.json").read_text())["number"] == first
    assert waiting(testbed, job.spec()) == {first}
    release()
    seen = ended(other, handle)
    assert (seen.ending, ran_once(tmp_path / "trace")) == (Ending.COMPLETED, True)
    numbers = {str(first), str(second)}
    assert numbers_of(testbed, job.spec()) == numbers == set(seen.environment[SCHEDULER_NUMBERS].split(","))


def test_the_one_that_was_launched_is_never_taken_out(doubled, testbed):
    one, _other, handle, job, (_first, second), _release = doubled
    job.write("launch", {"number": second})
    patiently(lambda: one.poll([handle]))
    assert waiting(testbed, job.spec()) == {second}


def test_a_double_that_still_waits_at_the_end_is_taken_out_and_its_number_kept(doubled, testbed):
    one, _other, handle, job, (first, second), _release = doubled
    job.write("launch", {"number": first})
    job.write("exit", never_started(Ending.NOT_STARTED))
    (seen,) = patiently(lambda: one.poll([handle]))
    assert seen.phase is Phase.ENDED
    assert waiting(testbed, job.spec()) == {first}
    assert set(seen.environment[SCHEDULER_NUMBERS].split(",")) == {str(first), str(second)}


def test_a_second_hand_over_that_is_refused_takes_nothing_away(make, tmp_path):
    one, other, wanted = make(), make(), spec(0.5, tmp_path / "trace")
    handle = one.submit(wanted)
    record = engine_record(one, wanted).read_text()
    engine_record(one, wanted).unlink()  # put in by somebody who has not written it down yet
    found, asked = other._find, []
    other._find = lambda jobs: asked.append(jobs) or ({} if len(asked) == 1 else found(jobs))

    def refuse(_asked: Any) -> int:
        raise EngineRefused(N_("The grant is used up."))

    other._put = refuse
    assert patiently(lambda: other.submit_many([wanted])) == [handle]
    assert json.loads(engine_record(one, wanted).read_text()) == json.loads(record)
    assert ended(one, handle).ending is Ending.COMPLETED


def engine_record(engine: Any, wanted: JobSpec) -> Path:
    """What the engine keeps of the number that Slurm gave a job."""
    path: Path = engine.jobs / str(wanted.job_id) / "slurm.json"
    return path
