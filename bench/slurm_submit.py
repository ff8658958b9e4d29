"""Jobs a second into a real Slurm: through the platform, held and audited, against bare slurmrestd, in one run.

    sudo python bench/slurm_submit.py [--jobs N] [--command]

``bare`` posts N jobs to slurmrestd over one kept connection. ``engine`` hands N specifications over by the engine,
job directory and records included. The others are the whole way, holds, events and messages too, up to the end
of the follower's step that hands the jobs over: ``single`` submits N jobs one by one, ``batch`` in one call,
``sweep`` as one sweep, which becomes job arrays. The nodes are drained, so that nothing runs. With ``--command``
the engine uses sbatch. One JSON line. Needs root and tools/slurm-testbed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import slurm_testbed
from trouble import Trouble


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--jobs", type=int, default=1_000)
    options.add_argument("--command", action="store_true")
    chosen = options.parse_args()
    try:
        slurm_testbed.need_all()
    except Trouble as trouble:
        print(json.dumps({"bench": "slurm_submit", "skipped": trouble.what}))
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = "bitgoeul.site.settings"
    with tempfile.TemporaryDirectory() as home, slurm_testbed.throwaway() as testbed:
        os.environ["BITGOEUL_HOME"] = home
        seconds = measure(testbed, Path(home), chosen)
    rates = {name: round(chosen.jobs / taken, 1) for name, taken in seconds.items()}
    ratio = {name: round(seconds["bare"] / taken, 3) for name, taken in seconds.items() if name != "bare"}
    by = "sbatch" if chosen.command else "slurmrestd"
    print(
        json.dumps({"bench": "slurm_submit", "jobs": chosen.jobs, "by": by, "per_second": rates, "ratio": ratio})
    )


def measure(testbed: Any, home: Path, chosen: argparse.Namespace) -> dict[str, float]:
    import django

    django.setup()
    import logging

    logging.disable(logging.WARNING)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    testbed.must("sacctmgr", "-i", "add", "account", "bench")
    testbed.must("sacctmgr", "-i", "add", "user", "root", "account=bench")
    nodes = ",".join(name for name, *_rest in slurm_testbed.NODES)
    testbed.must("scontrol", "update", f"nodename={nodes}", "state=drain", "reason=bench")
    rest = {"url": testbed.rest_url, "version": "v0.0.38", "user": "root"}
    config = {"conf": str(testbed.conf), "account": "bench", "partitions": {"core": "hpc"}}
    config |= {} if chosen.command else {"rest": rest}
    # Bare first and last: the better of the two, so that a busy moment does not flatter us.
    first = bare(testbed, rest, chosen.jobs)
    taken = {"engine": engine(home, config, chosen.jobs), **platform(config, chosen.jobs, testbed)}
    return {"bare": min(first, bare(testbed, rest, chosen.jobs)), **taken}


def clear(testbed: Any) -> None:
    testbed.must("scancel", "--account=bench")


def bare(testbed: Any, rest: dict[str, str], jobs: int) -> float:
    import httpx

    headers = {"X-SLURM-USER-NAME": "root", "X-SLURM-USER-TOKEN": testbed.token()}
    job = {
        "name": "bare", "account": "bench", "partition": "hpc", "tasks": 1, "nodes": 1, "cpus_per_task": 1,
        "memory_per_node": 300, "time_limit": 2, "current_working_directory": "/tmp", "comment": "bare",
        "standard_output": "/dev/null", "environment": {"PATH": "/usr/bin:/bin"},
    }  # fmt: skip
    with httpx.Client(base_url=rest["url"], headers=headers, timeout=30) as client:
        started = time.perf_counter()
        for _number in range(jobs):
            body = {"script": "#!/bin/sh\ntrue\n", "job": job}
            answer = client.post("/slurm/v0.0.38/job/submit", json=body)
            assert answer.json()["job_id"] > 0, answer.text
        taken = time.perf_counter() - started
    clear(testbed)
    return taken


def engine(home: Path, config: dict[str, Any], jobs: int) -> float:
    from bitgoeul.compute.plugins import make_engine
    from bitgoeul.compute.ports import JobSpec, Limits
    from bitgoeul.kernel.ids import new_id

    made = make_engine("slurm", home / "engine-alone", config)
    limits = Limits(1, 256, 60, 16, 16)
    specs = [JobSpec(new_id(), "bench", ("true",), {}, {}, (), limits, {}) for _number in range(jobs)]
    started = time.perf_counter()
    for spec in specs:
        made.submit(spec)
    return time.perf_counter() - started


def platform(config: dict[str, Any], jobs: int, testbed: Any) -> dict[str, float]:
    """Seconds of each way through the platform, submit and hand-over."""
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.models import Job
    from bitgoeul.kernel.ids import new_id

    actor, project = project_with(10**12)
    compute.define_cluster(
        actor=actor.system("bench"), code="bench", title="bench", engine="slurm", config=config, device_units={},
        enabled=True,
    )  # fmt: skip
    wanted = compute.JobRequest(argv=("true",), limits=compute.Limits(1, 256, 60, 16, 16))
    asked = {"actor": actor, "project_id": project}

    def single() -> None:
        for _number in range(jobs):
            compute.submit_job(**asked, id=new_id(), name="bench", request=wanted)

    def batch() -> None:
        many = [compute.NewJob(new_id(), "bench", wanted) for _number in range(jobs)]
        compute.submit_jobs(**asked, jobs=many)

    def sweep() -> None:
        points = compute.grid({"n": [str(number) for number in range(jobs)]})
        compute.submit_sweep(**asked, id=new_id(), name="bench", request=wanted, points=points)

    taken: dict[str, float] = {}
    for way in (sweep, batch, single):
        clear(testbed)
        started = time.perf_counter()
        way()
        while Job.objects.filter(ended_at=None, handle__isnull=True).exists():
            compute.follow_once(limit=jobs)
        taken[way.__name__] = time.perf_counter() - started
        check_handed_over(jobs)
    return taken


def check_handed_over(jobs: int) -> None:
    """All of the round's jobs have a handle; then they are put out of the follower's sight."""
    from bitgoeul.compute.models import Job
    from bitgoeul.kernel.clock import now

    mine = Job.objects.filter(ended_at=None)
    states = Counter(mine.values_list("state", flat=True))
    assert states == {"SUBMITTED": jobs}, states
    mine.update(ended_at=now(), state="CANCELLED")


def project_with(amount: int) -> tuple[Any, Any]:
    """An owner of a project with core time to spend, in a database of its own."""
    from datetime import timedelta

    from bitgoeul.accounts import facade as accounts
    from bitgoeul.compute.models import Cluster
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.kernel.text import Label
    from bitgoeul.resources import facade as resources

    Cluster.objects.update(enabled=False)
    system, names = accounts.Actor.system("bench"), Label("측정", "bench")
    user = accounts.create_user(actor=system, id=new_id(), email="bench@example.kr", display_name="Bench")
    owner = accounts.actor_for(user_id=user)
    firm = accounts.create_organisation(
        actor=owner, id=new_id(), name="Bench", kind=accounts.OrganisationKind.START_UP,
        registration_number="", is_example=True,
    )  # fmt: skip
    project = accounts.create_project(
        actor=system, id=new_id(), title="Bench", organisation_id=firm.id, owner_user_id=user
    )
    resources.define_resource(
        actor=system, code="bench", category=resources.Category.COMPUTE, unit="core_ms",
        label=names, provider=names, location=names,
    )  # fmt: skip
    resources.grant(
        actor=system, id=new_id(), project_id=project.id, resource_code="bench", amount=amount,
        starts_at=now() - timedelta(minutes=1), ends_at=now() + timedelta(days=9),
        origin=resources.Origin("bench", "1", "bench"),
    )  # fmt: skip
    return accounts.actor_for(user_id=user), project.id


if __name__ == "__main__":
    main()
