"""A look at thousands of jobs asks the cluster once and reads no more of a job than it needs."""

from __future__ import annotations

import os

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.compute import facade as compute
from bitgoeul.compute.engines import engine_of
from bitgoeul.compute.facade import NewJob
from bitgoeul.compute.models import Cluster, Job
from bitgoeul.compute.ports import Handle
from bitgoeul.compute.services import following
from bitgoeul.compute.services.handing import spec_of
from bitgoeul.engines.local.jobdir import JobDir
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.ids import new_id

from .asking import request

pytestmark = pytest.mark.django_db
JOBS = 250
SQUEUE = '#!/bin/sh\necho asked >> "{folder}/asked"\nexec cat "{folder}/queue"\n'


class Slurm:
    """A folder whose squeue prints a queue that tests write, and counts how often it was asked."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "squeue").write_text(SQUEUE.format(folder=folder))
        (folder / "squeue").chmod(0o700)

    def holds(self, rows):
        self.folder.joinpath("queue").write_text(
            "".join(f"{number}|{number}|RUNNING|n1|bg-{row.pk}\n" for number, row in rows.items())
        )

    def asked(self):
        count = len(self.folder.joinpath("asked").read_text().splitlines())
        self.folder.joinpath("asked").unlink()
        return count


@pytest.fixture
def slurm(tmp_path, owner):
    made = Slurm(tmp_path / "slurm")
    Cluster.objects.update(enabled=False)
    compute.define_cluster(
        actor=owner.system("test"), code="moa", title="moa", engine="slurm", device_units={}, enabled=True,
        config={"commands": str(made.folder), "partitions": {"core": "hpc"}},
    )  # fmt: skip
    return made


@pytest.fixture
def running(slurm, owner, project, cores, engine_home):
    """Jobs that run there, by their number; the records are those that hand-over and wrapper leave."""
    jobs = [NewJob(new_id(), "many", request(wall_seconds=1)) for _number in range(JOBS)]
    compute.submit_jobs(actor=owner, project_id=project.id, jobs=jobs)
    rows = dict(enumerate(Job.objects.select_related("project").order_by("pk"), 1))
    for number, row in rows.items():
        job = JobDir(engine_home / "moa" / "jobs" / str(row.pk))
        job.path.mkdir(parents=True)
        told = {"spec": spec_of(row, {}).to_json(), "submitted_at": rfc3339(now()), "order": number}
        launch = {"number": number, "grant": {"cores": [0], "devices": {}}}
        beat = {"wall_ms": 500, "cpu_ms": 1, "memory_kib_max": 1}
        for name, record in (
            ("spec", told), ("slurm", {"number": number}), ("launch", launch),
            ("start", {"started_at": rfc3339(now())}), ("heartbeat", beat),
        ):  # fmt: skip
            job.write(name, record, durable=False)
        row.handle, row.state = Handle(row.pk, str(row.pk), now()).to_json(), "RUNNING"
    Job.objects.bulk_update(rows.values(), ["handle", "state"], batch_size=50)
    slurm.holds(rows)
    return rows


def cycle(code="moa"):
    cluster = Cluster.objects.get(pk=code)
    with CaptureQueriesContext(connection) as queries:
        changed = following.look(engine_of(cluster), cluster)
    return changed, len(queries)


def test_however_many_jobs_run_one_look_asks_once(slurm, running):
    changed, queries = cycle()
    assert (changed, slurm.asked()) == (0, 1)
    assert queries == 2, "one page of jobs, and the empty one after it"
    assert set(Job.objects.values_list("state", flat=True)) == {"RUNNING"}


def test_jobs_that_the_queue_misses_are_noted_each_and_found_again(slurm, running, engine_home, monkeypatch):
    gone = {number: row for number, row in running.items() if number <= 210}
    slurm.holds({number: row for number, row in running.items() if number not in gone})
    for row in gone.values():  # nobody writes there any more
        os.utime(engine_home / "moa" / "jobs" / str(row.pk) / "heartbeat.json", (0, 0))
    changed, _queries = cycle()
    assert (changed, slurm.asked()) == (210, 1)
    assert set(Job.objects.filter(unlisted_since__isnull=False).values_list("pk", flat=True)) == {
        row.pk for row in gone.values()
    }
    monkeypatch.setattr(following, "UNLISTED", following.timedelta(0))
    assert cycle()[0] == 210
    assert Job.objects.filter(state="UNKNOWN").count() == 210
    slurm.holds(running)
    assert cycle()[0] == 210
    assert Job.objects.filter(state="RUNNING", unlisted_since=None).count() == JOBS


def test_a_look_of_several_pages_leaves_nobody_out(slurm, running, engine_home, monkeypatch):
    monkeypatch.setattr(following, "LOOK_MAX", 100)
    slurm.holds({})
    for row in running.values():
        os.utime(engine_home / "moa" / "jobs" / str(row.pk) / "heartbeat.json", (0, 0))
    assert cycle()[0] == JOBS
