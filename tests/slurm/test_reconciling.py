"""The cluster's own roll-up against our books on a real Slurm: plain sbatch, portal jobs, reservations, faults.

Slurm sums up by the full hour and no command makes it. So the rows of the accounting are moved some hours back,
and the accounting daemon, started again, sums up at once what is then of hours that are over.
"""

from __future__ import annotations

import json
import pwd
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.ids import new_id

from .conftest import another
from .test_end_to_end import WAIT_SECONDS, bitgoeul, described, grant, home, owner

__all__ = ["bitgoeul", "described", "home", "owner"]
pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.django_db]

HOUR_MS = 3_600_000
BACK = 2 * 3600
TABLES = {
    "job": ("time_submit", "time_eligible", "time_start", "time_end"),
    "resv": ("time_start", "time_end"),
    "suspend": ("time_start", "time_end"),
}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Any]:
    """One of its own, for its history is changed; the other tests' may run beside it."""
    with another() as cluster:
        yield cluster


def sql(testbed, text: str) -> str:
    socket = testbed.folder / "mysql" / "s"
    return testbed.must("mariadb", "--no-defaults", "-N", f"--socket={socket}", "slurm_acct_db", "-e", text)


def move_back(testbed, seconds: int = BACK) -> None:
    """What happened just now happened some hours ago, and the cluster is there since before that."""
    for table, columns in TABLES.items():
        moved = ", ".join(f"{name} = if({name} = 0, 0, {name} - {seconds})" for name in columns)
        sql(testbed, f"update testbed_{table}_table set {moved}")
    sql(testbed, f"update testbed_event_table set time_start = time_start - {2 * seconds}")


def roll_up(testbed) -> None:
    """Start the accounting daemon again: it sums up what is missing of the hours that are over."""
    sql(testbed, "delete from testbed_last_ran_table")
    for table in ("usage", "assoc_usage", "wckey_usage"):
        for period in ("hour", "day", "month"):
            sql(testbed, f"delete from testbed_{table}_{period}_table")
    testbed.kill("slurmdbd")
    testbed.start_slurmdbd()
    testbed.wait(
        "the roll-up ran", lambda: sql(testbed, "select hourly_rollup from testbed_last_ran_table").strip()
    )
    testbed.wait("the accounting answers", lambda: not testbed.run("sacctmgr", "-n", "show", "cluster").returncode)


def sbatch(testbed, account: str, *options: str, script: str = "sleep 3") -> str:
    entry = pwd.getpwnam("games")
    done = testbed.run(
        "sbatch", "--parsable", "-A", account, "-o", "/dev/null", *options, "--wrap", script,
        user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], cwd="/tmp",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def told(done) -> tuple[dict[tuple[str | None, str], dict], dict]:
    """The lines by account and resource, and the last line."""
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {(row["account"], row["resource"]): row for row in rows[:-1]}, rows[-1]


def days() -> tuple[str, ...]:
    """The days in which everything of this test lies, whatever the hour."""
    present = now().astimezone(SEOUL).date()
    return "--since", f"{present - timedelta(days=1)}", "--until", f"{present}"


def test_every_second_between_the_roll_up_and_the_books_has_its_cause(
    bitgoeul, described, owner, project, testbed
):
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.models import Cluster, Job, MeteredCluster, Reconciliation

    grant(project, "core_ms", 20 * HOUR_MS)
    grant(project, "npu_atom_ms", 20 * HOUR_MS)
    Cluster.objects.update(enabled=False)
    assert bitgoeul("cluster", "add", "centre", str(described)).exit_code == 0
    assert bitgoeul("cluster", "provision", "centre", "--apply").exit_code == 0
    # Nothing is read before the rows are moved: a record is named by when it began.
    MeteredCluster.objects.create(pk="centre", pulled_until=now())
    account = f"bg-{project.number.lower()}"
    testbed.run("sacctmgr", "-i", "add", "account", "institute")
    testbed.run("sacctmgr", "-i", "add", "user", "games", "account=institute")
    testbed.must("scontrol", "create", "reservation", f"accounts={account}", "nodes=hpc2", "starttime=now",
                 "duration=10", "reservationname=kept")  # fmt: skip

    wanted = compute.JobRequest(
        argv=("python", "-c", "import time; time.sleep(2)"), env={}, inputs={}, outputs=(),
        limits=compute.Limits(cores=2, memory_mib=256, wall_seconds=60, processes=16, file_mib=16),
        devices={"npu-atom": 2},
    )  # fmt: skip
    job = compute.submit_job(actor=owner, id=new_id(), project_id=project.id, name="npu", request=wanted)
    plain = sbatch(testbed, account, "-p", "npu", "--gres=npu:atom:1")
    foreign = sbatch(testbed, "institute", "-p", "gpu", "--gres=gpu:h100:3")
    failing = sbatch(testbed, account, "-p", "single", "-n2", script="sleep 60")
    running = sbatch(testbed, account, "-p", "single", script="sleep 600")
    limit = time.monotonic() + WAIT_SECONDS
    while not compute.job(actor=owner, job_id=job.id).finished:
        compute.follow_once()
        assert time.monotonic() < limit
        time.sleep(0.2)
    states = "sacct", "-n", "-X", "-P", "-j", f"{plain},{foreign}", "-o", "State"
    testbed.wait("plain sbatch ended", lambda: testbed.must(*states).split() == ["COMPLETED", "COMPLETED"])
    testbed.must("scancel", failing)
    testbed.must("scontrol", "delete", "reservation", "kept")
    ended = "sacct", "-n", "-X", "-j", failing, "-o", "State"
    testbed.wait("it is cancelled", lambda: "CANCELLED" in testbed.must(*ended))

    move_back(testbed)
    back = timedelta(seconds=BACK)
    row = Job.objects.get(pk=job.id)
    Job.objects.filter(pk=job.id).update(started_at=row.started_at - back, ended_at=row.ended_at - back)
    roll_up(testbed)

    before = bitgoeul("cluster", "reconcile", "centre", *days(), "--json")
    assert before.exit_code == 0, before.output
    lines, last = told(before)
    assert lines[project.number, "npu:atom"]["causes"]["not_read"]["records"] == 1

    yesterday = f"{now() - timedelta(days=1):%Y-%m-%d}"
    assert bitgoeul("usage", "pull", "centre", "--since", yesterday).exit_code == 0
    done = bitgoeul("cluster", "reconcile", "centre", *days(), "--json")
    assert done.exit_code == 0, done.output
    lines, last = told(done)
    assert last["unexplained"] == 0
    cores = lines[project.number, "cpu"]
    assert cores["slurm"] > 0
    assert set(cores["causes"]) >= {"reserved", "not_rolled_up", "portal_around"}, cores
    assert 64_000 <= cores["causes"]["reserved"]["amount"] <= 64 * 60_000
    npus = lines[project.number, "npu:atom"]
    assert set(npus["causes"]) <= {"portal_around", "portal_clock"}, npus
    theirs = lines[None, "gpu:h100"]
    assert (theirs["charged"], theirs["used"]) == (0, theirs["slurm"])
    assert theirs["causes"]["no_project"]["amount"] == theirs["slurm"] >= 9_000
    kept = Reconciliation.objects.get()
    assert (kept.count, kept.unexplained) == (len(lines), 0)

    # Somebody changes what the cluster summed up, and what the books hold: neither has a cause.
    sql(testbed, "update testbed_assoc_usage_hour_table set alloc_secs = alloc_secs + 7 where id_tres = 1 and"
                 " alloc_secs > 0 order by id desc limit 1")  # fmt: skip
    wrong = bitgoeul("cluster", "reconcile", "centre", *days(), "--json")
    assert wrong.exit_code == 1
    assert abs(sum(each["unexplained"] for each in told(wrong)[0].values())) == 7_000

    # The controller loses a job that the accounting goes on to call running.
    testbed.must("scancel", running)
    testbed.wait("it has ended", lambda: not testbed.must("squeue", "-h", "-j", running))
    sql(testbed, f"update testbed_job_table set time_end = 0, state = 1 where id_job = {running}")
    sql(testbed, "update testbed_assoc_usage_hour_table set alloc_secs = alloc_secs - 7 where id_tres = 1 and"
                 " alloc_secs > 0 order by id desc limit 1")  # fmt: skip
    lost, _last = told(bitgoeul("cluster", "reconcile", "centre", *days(), "--json"))
    assert lost[project.number, "cpu"]["causes"]["runaway"]["records"] == 1
    assert lost[project.number, "cpu"]["unexplained"] == 0


def test_a_roll_up_that_has_not_come_is_looked_for_from_the_end(bitgoeul, described, testbed, tmp_path):
    from bitgoeul.compute.models import Cluster
    from bitgoeul.compute.plugins import make_engine

    Cluster.objects.update(enabled=False)
    assert bitgoeul("cluster", "add", "centre", str(described)).exit_code == 0
    cluster = Cluster.objects.get(pk="centre")
    engine = make_engine("slurm", tmp_path / "engine", cluster.config)
    sql(testbed, f"update testbed_event_table set time_start = {int(now().timestamp()) - 100 * 3600}")
    roll_up(testbed)
    hour = now().replace(minute=0, second=0, microsecond=0)
    since = hour - timedelta(hours=90)
    assert engine.rolled_up(since, hour + timedelta(days=9)).until == hour
    for behind in (1, 2, 5, 17, 88):
        edge = int((hour - timedelta(hours=behind)).timestamp())
        sql(testbed, f"delete from testbed_usage_hour_table where time_start >= {edge}")
        assert engine.rolled_up(since, hour).until == hour - timedelta(hours=behind)
    sql(testbed, "delete from testbed_usage_hour_table")
    assert engine.rolled_up(since, hour).until == since
    assert engine.rolled_up(since, hour).accounts == {}


def test_an_end_that_the_controller_saw_after_its_outage_is_named(bitgoeul, described, owner, project, testbed):
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.models import Cluster, Job, MeteredCluster

    grant(project, "core_ms", 20 * HOUR_MS)
    Cluster.objects.update(enabled=False)
    assert bitgoeul("cluster", "add", "centre", str(described)).exit_code == 0
    assert bitgoeul("cluster", "provision", "centre", "--apply").exit_code == 0
    MeteredCluster.objects.create(pk="centre", pulled_until=now())
    wanted = compute.JobRequest(
        argv=("python", "-c", "import time; time.sleep(3)"), env={}, inputs={}, outputs=(),
        limits=compute.Limits(cores=2, memory_mib=256, wall_seconds=60, processes=16, file_mib=16), devices={},
    )  # fmt: skip
    job = compute.submit_job(actor=owner, id=new_id(), project_id=project.id, name="x", request=wanted)

    def follow(*states):
        limit = time.monotonic() + WAIT_SECONDS
        while not ((seen := compute.job(actor=owner, job_id=job.id)).finished or seen.state in states):
            compute.follow_once()
            assert time.monotonic() < limit, seen
            time.sleep(0.2)
        return seen

    assert follow("RUNNING").state == "RUNNING"
    testbed.kill("slurmctld")
    time.sleep(20)
    testbed.start_slurmctld()
    assert follow().state == "SUCCEEDED"
    row = Job.objects.get(pk=job.id)
    number = row.environment["scheduler_number"]
    testbed.wait("Slurm knows of the end", lambda: testbed.must(
        "sacct", "-n", "-X", "-P", "-j", number, "-o", "End").strip() not in ("", "Unknown"))  # fmt: skip
    move_back(testbed)
    back = timedelta(seconds=BACK)
    Job.objects.filter(pk=job.id).update(started_at=row.started_at - back, ended_at=row.ended_at - back)
    roll_up(testbed)
    done = bitgoeul("cluster", "reconcile", "centre", *days(), "--json")
    assert done.exit_code == 0, done.output
    causes = told(done)[0][project.number, "cpu"]["causes"]
    late = causes["portal_seen_late"]
    assert late["records"] == 1
    assert 2 * 10_000 < late["amount"] < 2 * 60_000, "the outage and no more"
