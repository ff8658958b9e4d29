"""The end of a job: settle, keep, move, tell; one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from bitgoeul.audit import facade as audit
from bitgoeul.content.facade import BlobRef
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.text import Text
from bitgoeul.resources import facade as resources

from .. import rules
from ..events import JOB_FINISHED
from ..models import Job, JobArtefact, JobHold, JobSamples
from ..ports import Observation, UsageRecord
from .charging import Bookings


@dataclass(frozen=True)
class Kept:
    """A collected file: its content is stored already."""

    role: str
    name: str
    blob: BlobRef
    truncated: bool


@transaction.atomic
def end_used(row: Job, seen: Observation, record: UsageRecord | None, kept: Sequence[Kept], *, actor: str) -> Job:
    """End a job that the engine has ended: the charge, its files, the move and the news, or none of them.

    Raises WrongState when it has ended already; then nothing of this is done twice.
    """
    # The job before its accounts, as everybody who ends a job: in another order two would wait for each other.
    Job.objects.select_for_update(no_key=True).filter(pk=row.pk).first()
    holds = _holds(row)
    charged = _settle(row, record, holds, actor) if record is not None else _release(row, holds, actor)
    JobArtefact.objects.bulk_create(
        [
            JobArtefact(
                job=row, role=each.role, name=each.name, blob_id=each.blob.digest, truncated=each.truncated
            )
            for each in kept
        ],
        ignore_conflicts=True,
    )
    if record is not None and record.samples:
        points = [each.kept() for each in record.samples]
        JobSamples.objects.bulk_create([JobSamples(job=row, points=points)], ignore_conflicts=True)
    changes = {
        "started_at": seen.started_at,
        "exit_code": seen.exit_code,
        "ending": str(seen.ending),
        "charged": charged,
        "measured": _measured(record),
        "environment": {**seen.environment, **(record.environment if record else {})},
        "ended_at": seen.ended_at,
    }
    assert seen.ending is not None
    return _finish(row, rules.action_for(seen.ending), seen.reason, changes, actor=actor)


@transaction.atomic
def end_unused(row: Job, action: str, text: Text, *, actor: str) -> Job:
    """End a job that used nothing: its hold is released, the move and the news are written."""
    changes: dict[str, Any] = {"ended_at": now(), "charged": {}}
    _finish(row, action, text, changes, actor=actor)
    _release(row, _holds(row), actor)
    return row


@transaction.atomic
def end_many_unused(
    rows: Sequence[Job], action: str, text: Text, *, actor: str, requests: Mapping[str, str] | None = None
) -> list[Job]:
    """The same for those of ``rows`` that the database lets, in few queries; ``requests`` as in ``advance_many``.

    Returns those that ended; the others are left, for somebody else was faster.
    """
    if not rows:
        return []
    ended = audit.advance_many(
        rows,
        action,
        actor=actor,
        reason=str(text),
        changes={"ended_at": now(), "charged": {}, "reason": text.to_json()},
        payloads={row.pk: {"origin": origin_json(row)} for row in rows},
        requests=requests,
    )
    audit.emit_many([_news(row) for row in ended])
    holds = JobHold.objects.filter(job__in=[row.pk for row in ended]).values_list("hold_id", flat=True)
    resources.release_holds(hold_ids=list(holds), actor=actor, reason=action)
    return ended


def _news(row: Job) -> audit.News:
    payload = {
        "id": str(row.pk),
        "project_id": str(row.project_id),
        "state": row.state,
        "origin": origin_json(row),
    }
    return audit.News(topic=JOB_FINISHED, key=str(row.pk), payload=payload)


def _finish(row: Job, action: str, text: Text | None, changes: Mapping[str, Any], *, actor: str) -> Job:
    audit.advance(
        row,
        action,
        actor=actor,
        reason=str(text or ""),
        changes={**changes, "reason": text.to_json() if text else None},
        payload={"origin": origin_json(row)},
    )
    audit.emit_many([_news(row)])
    return row


def origin_json(row: Job) -> dict[str, str] | None:
    """A job's origin as news carry it."""
    return {"kind": row.origin_kind, "id": row.origin_id} if row.origin_kind else None


def _holds(row: Job) -> list[JobHold]:
    return list(JobHold.objects.filter(job=row).order_by("number"))


def _settle(row: Job, record: UsageRecord, holds: Sequence[JobHold], actor: str) -> dict[str, int]:
    """Charge what the engine allocated, keyed by the use's identity: the same record again changes nothing."""
    amounts = rules.used(record, row.cluster.device_units)
    portions = [rules.Portion(each.allocation_id, each.unit, each.amount) for each in holds]
    booked_at, late = Bookings().when(record.ended_at)
    identity = f"{row.cluster_id}:{row.pk}:{rfc3339(record.submitted_at)}:{record.restart}"
    resources.settle_use(
        lines=[
            resources.UseLine(
                hold_id=hold.hold_id,
                allocation_id=hold.allocation_id,
                amount=share,
                source_key=f"{identity}:{hold.number}",
                started_at=record.started_at,
                ended_at=booked_at,
                detail={
                    **{"job": str(row.pk), "name": row.name, "wall_ms": record.wall_ms, "cores": record.cores},
                    **late,
                },
            )
            for hold, share in zip(holds, rules.split_use(portions, amounts), strict=True)
        ],
        actor=actor,
    )
    return amounts


def _release(row: Job, holds: Sequence[JobHold], actor: str) -> dict[str, int]:
    resources.release_holds(hold_ids=[each.hold_id for each in holds], actor=actor, reason=f"job {row.pk}")
    return {}


def _measured(record: UsageRecord | None) -> dict[str, int]:
    if record is None:
        return {}
    return {
        "wall_ms": record.wall_ms,
        "cores": record.cores,
        "cpu_ms": record.cpu_ms,
        "memory_kib_max": record.memory_kib_max,
    }
