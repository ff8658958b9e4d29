"""Processes that race for the same rows on one home, each its own Python with its own connection.

    python -m races.runner hold|seal|deliver|batch|claim <home> <worker> <workers> <count>

Prints one JSON object with what this process won.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID


def main() -> None:
    action, home, worker, workers, count = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:6])
    os.environ.update(BITGOEUL_HOME=str(home), DJANGO_SETTINGS_MODULE="bitgoeul.site.settings")
    import django

    django.setup()
    wait_for_the_others(home, worker, workers)
    print(json.dumps(ACTIONS[action](home, worker, count)))


def wait_for_the_others(home: Path, worker: int, workers: int) -> None:
    """Start together: importing takes longer than the race."""
    (home / f"ready-{worker}").touch()
    limit = time.monotonic() + 120
    while len(list(home.glob("ready-*"))) < workers:
        if time.monotonic() > limit:
            raise SystemExit("the others did not come")
        time.sleep(0.01)


def hold(home: Path, worker: int, count: int) -> dict[str, object]:
    """Try ``count`` holds of one unit each on the same account."""
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import derive
    from bitgoeul.ledger import facade as ledger

    account = UUID((home / "account").read_text().split()[0])
    won = refused = 0
    for number in range(count):
        request = ledger.HoldRequest(derive("race", worker, number), account, 1, now() + timedelta(hours=1))
        try:
            ledger.hold_many(holds=[request], actor=f"system:racer{worker}")
            won += 1
        except ledger.InsufficientBalance:
            refused += 1
    return {"won": won, "refused": refused}


def same(home: Path, _worker: int, count: int) -> dict[str, object]:
    """Hold and settle under the ids that everybody else uses."""
    from bitgoeul.kernel.clock import parse_rfc3339
    from bitgoeul.kernel.ids import derive
    from bitgoeul.ledger import facade as ledger

    account, used = map(UUID, (home / "account").read_text().split())
    moment = parse_rfc3339("2030-01-01T00:00:00Z")
    for number in range(count):
        hold, posting = derive("same hold", number), derive("same posting", number)
        ledger.hold_many(holds=[ledger.HoldRequest(hold, account, 2, moment)], actor="system:race")
        ledger.settle_many(
            lines=[ledger.SettleRequest(posting, account, used, 1, moment, hold)], actor="system:race"
        )
    return {"answered": count}


def seal(_home: Path, worker: int, count: int) -> dict[str, object]:
    """Record events and seal at the same time as everybody else."""
    from bitgoeul.audit import facade as audit

    for number in range(count):
        audit.record(verb="race.made", subject_kind="race", subject_id=f"{worker}-{number}", actor="system:race")
        audit.seal(5)
    return {"recorded": count}


def deliver(_home: Path, worker: int, count: int) -> dict[str, object]:
    """Dispatch the same messages as everybody else; each effect is an event."""
    from bitgoeul.audit import facade as audit

    def handler(payload: dict[str, object]) -> None:
        audit.record(
            verb="race.effect", subject_kind="race", subject_id=str(payload["n"]), actor=f"system:{worker}"
        )

    audit.subscribe("race.news", "race", handler)
    return {"finished": sum(audit.dispatch_once(5) for _ in range(count))}


def claim(_home: Path, _worker: int, count: int) -> dict[str, object]:
    """Claim queued jobs in batches, as a follower that hands them over does."""
    from bitgoeul.compute.models import Cluster
    from bitgoeul.compute.services import handing

    won: list[str] = []
    while rows := handing.claim(Cluster.objects.get(), count):
        won += [str(row.pk) for row in rows]
    return {"won": len(won), "different": len(set(won))}


def batch(home: Path, _worker: int, count: int) -> dict[str, object]:
    """Submit the batch that everybody else submits."""
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.compute import facade as compute
    from bitgoeul.kernel.ids import derive

    limits = compute.Limits(1, 64, 10, 16, 16)
    wanted = compute.JobRequest(argv=("true",), limits=limits)
    jobs = [compute.NewJob(derive("race batch", number), "race", wanted) for number in range(count)]
    project = UUID((home / "project").read_text().split()[-1])
    views = compute.submit_jobs(actor=accounts.Actor.system("race"), project_id=project, jobs=jobs)
    return {"answered": len(views)}


ACTIONS = {"batch": batch, "claim": claim, "hold": hold, "same": same, "seal": seal, "deliver": deliver}

if __name__ == "__main__":
    main()
