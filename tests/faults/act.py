"""What the processes of these tests do on a home.

`act.py prepare JOBS DIRECTORY CORES | feed JOBS DIRECTORY CLUSTER | follow | report | project | metered`
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import django

django.setup()

from django.db import OperationalError  # noqa: E402
from django.db.models import Sum  # noqa: E402

from bitgoeul.accounts import facade as accounts  # noqa: E402
from bitgoeul.audit import facade as audit  # noqa: E402
from bitgoeul.audit.models import Message  # noqa: E402
from bitgoeul.compute import facade as compute  # noqa: E402
from bitgoeul.compute.models import Cluster, DayUse, Job, MeteredRecord  # noqa: E402
from bitgoeul.compute.services import handing, pulling  # noqa: E402
from bitgoeul.compute.states import UNFINISHED  # noqa: E402
from bitgoeul.kernel.clock import now  # noqa: E402
from bitgoeul.kernel.ids import new_id  # noqa: E402
from bitgoeul.resources import facade as resources  # noqa: E402

SYSTEM = accounts.Actor.system("test")
LIMITS = compute.Limits(cores=1, memory_mib=64, wall_seconds=30, processes=8, file_mib=1)
FOLLOW_SECONDS_MAX = 600.0
FEED_SECONDS = 0.5


def prepare_project() -> UUID:
    """A project with plenty; its id."""
    organisation = accounts.create_organisation(
        actor=SYSTEM, id=new_id(), name="Races", kind=accounts.OrganisationKind.START_UP, registration_number=""
    )
    user_id = new_id()
    accounts.create_user(actor=SYSTEM, id=user_id, email="races@example.kr", display_name="Races", password=None)
    project = accounts.create_project(
        actor=SYSTEM, id=new_id(), organisation_id=organisation.id, title="Races", owner_user_id=user_id
    )
    resources.grant(
        actor=SYSTEM,
        id=new_id(),
        project_id=project.id,
        resource_code="cpu-core",
        amount=500 * 3_600_000,
        starts_at=now() - timedelta(minutes=1),
        ends_at=now() + timedelta(days=1),
        origin=resources.Origin("test", "races"),
    )
    return project.id


def prepare(count: int, directory: str, cores: int) -> None:
    """``count`` queued jobs of a new project that each add a line to a file of their own."""
    project_id = prepare_project()
    Cluster.objects.update(config={"cores": cores, "memory_mib": 64 * cores})
    for number in range(count):
        submit(project_id, directory, number, 0.1 * (number % 10))


def feed(count: int, directory: str, cluster: str) -> None:
    """The same at the Slurm whose settings the file ``cluster`` holds, two jobs a second; says when one is in."""
    project_id = prepare_project()
    Cluster.objects.update(enabled=False)
    compute.define_cluster(
        actor=SYSTEM, code="centre", title="Testbed", engine="slurm", device_units={}, enabled=True,
        config=json.loads(Path(cluster).read_text()),
    )  # fmt: skip
    for number in range(count):
        submit(project_id, directory, number, 0.4 * (number % 10))
        print("in", flush=True)
        time.sleep(FEED_SECONDS)


def submit(project_id: UUID, directory: str, number: int, seconds: float) -> None:
    """One job that adds a line and works for some time."""
    job_id = new_id()
    script = f"echo ran >> {directory}/{job_id}; sleep {seconds}"
    wanted = compute.JobRequest(argv=("sh", "-c", script), limits=LIMITS)
    compute.submit_job(actor=SYSTEM, id=job_id, project_id=project_id, name=f"race {number}", request=wanted)


def follow() -> None:
    """Follow until nothing is unfinished, as the follower process does."""
    handing.LEASE, pulling.EVERY = timedelta(seconds=2), timedelta(seconds=2)
    limit = time.monotonic() + FOLLOW_SECONDS_MAX
    unfinished = Job.objects.filter(state__in=[str(state) for state in UNFINISHED])
    print("ready", flush=True)
    sys.stdin.readline()
    while time.monotonic() < limit:
        try:
            compute.follow_once(limit=20)
            if not unfinished.exists():
                return
        except OperationalError as error:
            logging.warning("the database is busy: %s", error)
        time.sleep(0.02)
    raise SystemExit(1)


def report() -> None:
    """Everything the test compares, as JSON."""
    rows = list(Job.objects.all())
    moves = audit.moves_of("job", [str(row.pk) for row in rows])
    project_id = rows[0].project_id
    (allocation,) = resources.allocations(project_ids=[project_id])[project_id]
    jobs = {
        str(row.pk): {
            "state": row.state,
            "ending": row.ending,
            "charged": row.charged.get("core_ms", 0),
            "environment": row.environment,
            "moves": [move.action for move in moves[str(row.pk)]],
        }
        for row in rows
    }
    keys = list(Message.objects.filter(topic=compute.JOB_FINISHED).values_list("key", flat=True))
    news = {str(row.pk): keys.count(str(row.pk)) for row in rows}
    # What a shared cluster ran before for a project that had the same number is charged here too, and no fault.
    begun = int(min(row.submitted_at for row in rows).timestamp())
    earlier, own = [], []
    for record in MeteredRecord.objects.all():
        (earlier if record.submit < begun else own).append(record)
    used = allocation.used - sum(charge[-1] for record in earlier for charge in record.charges)
    metered = [f"{record.raw_id} {record.state} {record.charges}" for record in own]
    print(json.dumps({"jobs": jobs, "news": news, "metered": metered, "used": used, "held": allocation.held}))


def project() -> None:
    """A project with plenty; its number as JSON."""
    print(json.dumps({"number": accounts.projects([prepare_project()]).popitem()[1].number}))


def metered() -> None:
    """How many records of accounting are in the books, and what they were charged by two of them, as JSON."""
    used = sum(each.used for views in _all_allocations().values() for each in views)
    days = DayUse.objects.aggregate(charged=Sum("charged"))["charged"]
    print(json.dumps({"records": MeteredRecord.objects.count(), "used": used, "days": days or 0}))


def _all_allocations() -> Mapping[UUID, Sequence[resources.AllocationView]]:
    ids = list(MeteredRecord.objects.values_list("project_id", flat=True).distinct())
    return resources.allocations(project_ids=ids)


ACTS = {
    "prepare": prepare,
    "feed": feed,
    "follow": follow,
    "report": report,
    "project": project,
    "metered": metered,
}
if __name__ == "__main__":
    ACTS[sys.argv[1]](*[int(word) if word.isdigit() else word for word in sys.argv[2:]])
