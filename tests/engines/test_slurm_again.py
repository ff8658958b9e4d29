"""A job that Slurm ends before it began is put in the queue again, a few times; one that somebody ended is not.

Slurm is a folder with programs that say what a test writes, and count what they are asked to run.
"""

from __future__ import annotations

import pytest

from bitgoeul.compute.ports import Ending, JobSpec, Limits, Phase
from bitgoeul.engines.slurm import engine as module
from bitgoeul.engines.slurm.config import SlurmConfig
from bitgoeul.engines.slurm.engine import SlurmEngine
from bitgoeul.engines.slurm.submit import name_of
from bitgoeul.kernel.ids import new_id

PROGRAMS = {
    "squeue": "exec cat {folder}/queue",
    "sinfo": "exec cat {folder}/nodes",
    "sbatch": "cat > /dev/null; echo asked >> {folder}/asked; wc -l < {folder}/asked",
    "sacct": "true",
}
WIDE = ("n1", "hpc", "idle", "0/8/0/8", "64000", "0", "(null)", "(null)", "infinite", "none")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "slurm"
    place.mkdir()
    from bitgoeul.engines.slurm.nodes import WIDTHS

    (place / "nodes").write_text(
        "".join(each.ljust(width) for each, width in zip(WIDE, WIDTHS, strict=True)) + "\n"
    )
    (place / "queue").write_text("")
    for name, words in PROGRAMS.items():
        (place / name).write_text(f"#!/bin/sh\n{words.format(folder=place)}\n")
        (place / name).chmod(0o700)
    return place


@pytest.fixture
def engine(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(module, "LISTING_SECONDS", 0.0)
    return SlurmEngine(tmp_path / "engine", SlurmConfig({"core": "hpc"}, commands=str(folder), account="a"))


@pytest.fixture
def handle(engine):
    return engine.submit(JobSpec(new_id(), "once", ("true",), {}, {}, (), Limits(1, 64, 60, 16, 16), {}))


def tell(folder, handle, *lines):
    """What squeue says: number, state and node."""
    told = [f"{number}|{number}|{state}|{node}|{name_of(handle.job_id)}\n" for number, state, node in lines]
    (folder / "queue").write_text("".join(told))


def asked(folder):
    return len((folder / "asked").read_text().splitlines())


def seen(engine, handle):
    (one,) = engine.poll([handle])
    return one


def test_a_job_that_a_node_refused_goes_back_to_the_queue_and_runs_there_once(engine, handle, folder):
    assert asked(folder) == 1
    tell(folder, handle, (1, "CANCELLED", "n1"))
    assert seen(engine, handle).phase is Phase.PENDING
    assert asked(folder) == 2
    tell(folder, handle, (1, "CANCELLED", "n1"), (2, "PENDING", ""))
    assert seen(engine, handle).phase is Phase.PENDING
    assert asked(folder) == 2, "the new one waits"


def test_after_some_tries_it_is_believed(engine, handle, folder):
    for number in range(1, module.TRIES_MAX + 1):
        tell(folder, handle, (number, "NODE_FAIL", "n1"))
        assert seen(engine, handle).phase is Phase.PENDING
    tell(folder, handle, (module.TRIES_MAX + 1, "NODE_FAIL", "n1"))
    end = seen(engine, handle)
    assert (end.phase, end.ending) == (Phase.ENDED, Ending.NOT_STARTED)
    assert asked(folder) == module.TRIES_MAX + 1
    assert engine.usage([handle]) == []


def test_while_slurm_takes_nothing_the_others_are_seen_and_no_try_is_spent(engine, handle, folder):
    other = engine.submit(JobSpec(new_id(), "other", ("true",), {}, {}, (), Limits(1, 64, 60, 16, 16), {}))
    working = (folder / "sbatch").read_text()
    (folder / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: Unable to contact slurm controller' >&2; exit 1\n"
    )
    tell(folder, handle, (1, "CANCELLED", "n1"))
    for _look in range(2 * module.TRIES_MAX):
        with (folder / "queue").open("a") as queue:
            queue.write(f"2|2|RUNNING|n1|{name_of(other.job_id)}\n")
        assert [each.phase for each in engine.poll([handle, other])] == [Phase.PENDING, Phase.PENDING]
    (folder / "sbatch").write_text(working)
    seen(engine, handle)
    assert asked(folder) == 3
    tell(folder, handle, (1, "CANCELLED", "n1"), (3, "CANCELLED", ""))
    end = seen(engine, handle)
    assert (end.ending, end.environment) == (Ending.CANCELLED, {"scheduler_numbers": "1,3"})


def test_one_that_is_in_the_queue_again_already_is_only_written_down(engine, handle, folder):
    tell(folder, handle, (1, "CANCELLED", "n1"), (7, "PENDING", ""))
    assert seen(engine, handle).phase is Phase.PENDING
    assert asked(folder) == 1
    assert engine._job(handle.job_id).read("slurm") == {"number": 7}


def test_what_an_administrator_took_out_of_the_queue_stays_out(engine, handle, folder):
    tell(folder, handle, (1, "CANCELLED", ""))
    assert seen(engine, handle).ending is Ending.CANCELLED
    assert asked(folder) == 1


def test_what_we_were_asked_to_cancel_does_not_come_back(engine, handle, folder):
    (folder / "scancel").write_text("#!/bin/sh\n")
    (folder / "scancel").chmod(0o700)
    engine.cancel([handle])
    tell(folder, handle, (1, "CANCELLED", "n1"))
    assert seen(engine, handle).ending is Ending.CANCELLED
    assert asked(folder) == 1


def test_what_began_is_never_put_in_again(engine, handle, folder):
    job = engine._job(handle.job_id)
    job.write("launch", {"number": 1, "grant": {"cores": [0], "devices": {}}})
    job.write("start", {"started_at": "2026-11-27T00:00:00Z"})
    tell(folder, handle, (1, "NODE_FAIL", "n1"))
    assert seen(engine, handle).ending is Ending.ENGINE_LOST
    assert asked(folder) == 1
