"""What a cycle of the follower costs with thousands of running jobs at a Slurm, in one run.

    python bench/slurm_follow.py [--jobs N] [--profile]

The jobs' directories and rows are real; ``squeue`` is a program that counts its calls and prints a queue of that
size. ``cycle`` is one look at all jobs when nothing changed; ``bare`` prints and splits the same queue and reads
the one file of each job that a follower cannot do without. One JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from slurm_submit import project_with

BATCH = 1_000
SQUEUE = '#!/bin/sh\necho asked >> "{folder}/asked"\nexec cat "{folder}/queue"\n'


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--jobs", type=int, default=10_000)
    options.add_argument("--profile", action="store_true")
    chosen = options.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bitgoeul.site.settings"
    with tempfile.TemporaryDirectory() as home:
        os.environ["BITGOEUL_HOME"] = home
        measure(Path(home), chosen)


def measure(home: Path, chosen: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from bitgoeul.compute.engines import engine_of
    from bitgoeul.compute.models import Cluster
    from bitgoeul.compute.services.following import look

    folder = pretend(home, chosen.jobs)
    cluster = Cluster.objects.get(pk="moa")
    engine = engine_of(cluster)
    if chosen.profile:
        import cProfile

        cProfile.runctx("look(engine, cluster)", {}, locals(), sort="tottime")
        return
    seconds = []
    for _cycle in range(3):
        (folder / "asked").unlink(missing_ok=True)
        started = time.perf_counter()
        with CaptureQueriesContext(connection) as queries:
            assert look(engine, cluster) == 0
        seconds.append(time.perf_counter() - started)
        time.sleep(1.5)
    line = {
        "bench": "slurm_follow", "jobs": chosen.jobs, "cycle_s": round(min(seconds), 2),
        "squeue_calls": len((folder / "asked").read_text().splitlines()), "queries": len(queries),
        "ratio": round(bare(home, folder) / min(seconds), 3),
    }  # fmt: skip
    print(json.dumps(line))


def pretend(home: Path, jobs: int) -> Path:
    """Jobs that run at a Slurm which is a folder with one program."""
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.models import Job
    from bitgoeul.compute.ports import Handle, Limits
    from bitgoeul.compute.services.handing import spec_of
    from bitgoeul.engines.local.files import write_record
    from bitgoeul.kernel.clock import now, rfc3339
    from bitgoeul.kernel.ids import new_id

    folder = home / "slurm"
    folder.mkdir()
    (folder / "squeue").write_text(SQUEUE.format(folder=folder))
    (folder / "squeue").chmod(0o700)
    actor, project = project_with(10**15)
    config: dict[str, Any] = {"commands": str(folder), "partitions": {"core": "hpc"}}
    compute.define_cluster(
        actor=actor.system("bench"), code="moa", title="moa", engine="slurm", config=config, device_units={},
        enabled=True,
    )  # fmt: skip
    for done in range(0, jobs, BATCH):
        some = [
            compute.NewJob(new_id(), "b", compute.JobRequest(("true",), limits=Limits(1, 256, 60, 16, 16)))
            for _number in range(min(BATCH, jobs - done))
        ]
        compute.submit_jobs(actor=actor, project_id=project, jobs=some)
    queue = []
    for number, row in enumerate(Job.objects.select_related("project").order_by("pk"), 1):
        place = home / "engine" / "moa" / "jobs" / str(row.pk)
        place.mkdir(parents=True)
        moment = rfc3339(now())
        spec = {"spec": spec_of(row, {}).to_json(), "submitted_at": moment, "order": number}
        for name, record in (
            ("spec", spec), ("slurm", {"number": number}), ("launch", {"number": number}),
            ("start", {"started_at": moment}), ("heartbeat", {"wall_ms": 1}),
        ):  # fmt: skip
            write_record(place / f"{name}.json", record, durable=False)
        row.handle = Handle(row.pk, str(row.pk), now()).to_json()
        queue.append(f"{number}|{number}|RUNNING|n1|bg-{row.pk}")
        row.state = "RUNNING"
        row.save(update_fields=["handle", "state"])
    (folder / "queue").write_text("\n".join(queue) + "\n")
    return folder


def bare(home: Path, folder: Path) -> float:
    import subprocess

    started = time.perf_counter()
    printed = subprocess.run([folder / "squeue"], capture_output=True, text=True, check=True).stdout
    for line in printed.splitlines():
        name = line.split("|")[4].removeprefix("bg-")
        json.loads((home / "engine" / "moa" / "jobs" / name / "start.json").read_text())
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
