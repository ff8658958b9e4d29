"""Handing jobs over to their engine: claim a batch, submit it, write down what the engine calls them.

A claim is a move that the database decides, with a lease: whoever claims and dies leaves jobs that the next one
claims again once the lease is over. The engine takes a job once however often it is submitted, so a follower that
slept past its lease does no harm either.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import Conflict, DomainError, WrongState
from bitgoeul.kernel.text import N_, Text

from .. import rules
from ..models import Cluster, Job, JobAfter
from ..ports import BatchSubmitter, Engine, EngineRefused, Handle, JobSpec
from ..states import NO_SUCCESS, JobState
from ..types import JobRequest
from .ending import end_many_unused, end_unused, origin_json

FOLLOWER = accounts.Actor.system("follower").id
LEASE = timedelta(seconds=15)
# What the slowest way to hand one job over takes, with room: a lease must outlast its batch.
LEASE_EACH = timedelta(milliseconds=100)
BATCH = 250
# A step of the follower also looks at what runs, and ends when it is asked to: no batch begins after this.
SECONDS = 3.0
ONE_BY_ONE = 20
HANDLES = "UPDATE compute_job SET handle = %s WHERE id = %s AND handle IS NULL"

log = logging.getLogger(__name__)


def hand_over(engine: Engine, cluster: Cluster, limit: int) -> int:
    """Claim queued jobs, and those whose follower died between claim and hand-over, and submit them, in batches.

    At most ``limit``, and no batch begins after SECONDS; how many. A batch takes a number of queries that does not
    grow with it. A job that waits for others is held back until all of them have succeeded, and ended when one of
    them did not.
    """
    done, size = end_hopeless(cluster, limit), BATCH if isinstance(engine, BatchSubmitter) else ONE_BY_ONE
    handed, answers, until = 0, True, time.monotonic() + SECONDS
    while answers and handed < limit and time.monotonic() < until:
        rows = claim(cluster, min(size, limit - handed))
        answers = bool(rows) and _submit(engine, rows)
        handed += len(rows)
    return done + handed


# --- claiming


def claim(cluster: Cluster, size: int) -> list[Job]:
    """Win up to ``size`` jobs, first come first; two followers never win the same one."""
    rows = list(_ready(cluster).select_related("project").order_by("submitted_at", "pk")[:size])
    won = audit.advance_many(
        rows,
        "submit",
        actor=FOLLOWER,
        changes={"lease_until": now() + LEASE + LEASE_EACH * len(rows)},
        payloads={row.pk: {"origin": origin_json(row)} for row in rows},
        requests=audit.requests_behind("job", [row.pk for row in rows]) if rows else {},
    )
    for row in won:
        log.info("job moved", extra={"job": str(row.pk), "action": "submit"})
    return won + _claim_again(cluster, size - len(won))


def _ready(cluster: Cluster) -> QuerySet[Job]:
    """Queued jobs that wait for no other."""
    unmet = JobAfter.objects.filter(job=OuterRef("pk")).exclude(after__state=JobState.SUCCEEDED)
    return Job.objects.filter(~Exists(unmet), cluster=cluster, state=JobState.QUEUED)


@transaction.atomic
def _claim_again(cluster: Cluster, size: int) -> list[Job]:
    """Win jobs whose claim ran out; the old claimer may still live, but the engine takes a job only once.

    Of two who want the same row the second waits for its lock, and no longer finds its lease over.
    """
    moment = now()
    forsaken = Job.objects.filter(
        cluster=cluster, state=JobState.SUBMITTED, handle__isnull=True, lease_until__lt=moment
    )
    first = list(forsaken.order_by("submitted_at", "pk").values_list("pk", flat=True)[:size])
    held = forsaken.filter(pk__in=first).select_for_update(of=("self",), no_key=True).order_by("pk")
    rows = list(held.select_related("project"))
    until = moment + LEASE + LEASE_EACH * len(rows)
    Job.objects.filter(pk__in=[row.pk for row in rows]).update(lease_until=until)
    return rows


def end_hopeless(cluster: Cluster, limit: int) -> int:
    """End up to ``limit`` queued jobs that will not start: one they wait for did not succeed, or too late."""
    failed = JobAfter.objects.filter(job=OuterRef("pk"), after__state__in=[str(one) for one in NO_SUCCESS])
    late = now() - timedelta(days=rules.QUEUE_DAYS)
    queued = Job.objects.filter(cluster=cluster, state=JobState.QUEUED)
    rows = queued.annotate(failed=Subquery(failed.values("after__name")[:1]))
    hopeless = rows.filter(Q(failed__isnull=False) | Q(submitted_at__lt=late)).order_by("submitted_at", "pk")
    by_reason: dict[str | None, list[Job]] = {}
    for row in hopeless[:limit]:
        by_reason.setdefault(row.failed, []).append(row)
    ended = 0
    for name, some in by_reason.items():
        behind_them = audit.requests_behind("job", [row.pk for row in some])
        ended += len(end_many_unused(some, "refuse", _why(name), actor=FOLLOWER, requests=behind_them))
    return ended


def _why(failed: str | None) -> Text:
    if failed is None:
        return Text(N_("The job waited too long and was given up."))
    return Text(N_("It waited for the job “{name}”, which did not succeed."), {"name": failed})


# --- submitting


def behind(row: Job) -> AbstractContextManager[None]:
    """What is done for a job is written down and logged under the request that submitted it."""
    return audit.request_context(audit.request_behind("job", row.pk))


def _submit(engine: Engine, rows: Sequence[Job]) -> bool:
    """Submit claimed jobs and note what became of each; False when the engine could not be asked for all."""
    specs: list[tuple[Job, JobSpec]] = []
    blobs = content.blobs({digest for row in rows for digest in row.request["inputs"].values()})
    for row in rows:
        try:
            specs.append((row, spec_of(row, blobs)))
        except (content.NoSuchBlob, content.Damaged) as error:
            _refuse(row, error.text)
    answers = _answers(engine, [spec for _row, spec in specs])
    noted = [(row, answer) for (row, _spec), answer in zip(specs, answers, strict=True)]
    with connection.cursor() as cursor:
        taken = [(row.pk.hex, answer) for row, answer in noted if isinstance(answer, Handle)]
        cursor.executemany(HANDLES, [(audit.stored_json(handle.to_json()), pk) for pk, handle in taken])
    refused = [_noted(row, answer) for row, answer in noted if isinstance(answer, DomainError)]
    return all(refused)


def _answers(engine: Engine, specs: Sequence[JobSpec]) -> list[Handle | DomainError]:
    if isinstance(engine, BatchSubmitter):
        try:
            return engine.submit_many(specs)
        except DomainError as error:
            return [error] * len(specs)
    return [_answer(engine, spec) for spec in specs]


def _answer(engine: Engine, spec: JobSpec) -> Handle | DomainError:
    try:
        return engine.submit(spec)
    except DomainError as error:
        return error


def _noted(row: Job, error: DomainError) -> bool:
    """Note why the engine did not take a job; False when it may take it later."""
    if isinstance(error, EngineRefused | content.NoSuchBlob | content.Damaged):
        _refuse(row, error.text)
    elif isinstance(error, Conflict):
        _note_forgotten(row)
    else:  # not now: the lease runs out and somebody tries again
        with behind(row):
            log.warning("job not handed over: %s", error, extra={"job": str(row.pk)})
        return False
    return True


def _refuse(row: Job, text: Text) -> bool:
    try:
        with behind(row):
            end_unused(row, "refuse", text, actor=FOLLOWER)
    except WrongState:  # another follower had it handed over, or it was cancelled
        return False
    return True


def _note_forgotten(row: Job) -> None:
    """The engine ran this job before and we do not know its end, as after a restored backup: UNKNOWN."""
    row.refresh_from_db()
    if row.state == JobState.SUBMITTED and row.handle is None:
        with behind(row):
            audit.advance(row, "lose", actor=FOLLOWER, payload={"origin": origin_json(row)})


def spec_of(row: Job, blobs: Mapping[str, content.BlobRef]) -> JobSpec:
    """The engine's view of a job; inputs by the path of their content. Raises NoSuchBlob and Damaged."""
    request = JobRequest.from_json(row.request)
    if not blobs.keys() >= set(request.inputs.values()):
        raise content.NoSuchBlob()
    return JobSpec(
        job_id=row.pk,
        name=row.name,
        argv=request.argv,
        env=request.env,
        inputs={name: str(content.file_of(blobs[digest])) for name, digest in request.inputs.items()},
        outputs=request.outputs,
        limits=request.limits,
        devices=request.devices,
        exclusive=request.exclusive,
        project=row.project.number,
        sweep=row.sweep_id,
        index=row.sweep_index or 0,
    )
