"""Ask for a job's end, and give up an unknown one."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, WrongState
from bitgoeul.kernel.text import N_, Text

from ..models import Job
from ..queries import checked_job, views
from ..states import MACHINE, JobState
from ..types import JobView
from .ending import end_unused

REASON_MAX = 500


@transaction.atomic
def cancel_job(*, actor: accounts.Actor, job_id: UUID) -> JobView:
    """Cancel a job: at once while it is queued, otherwise as soon as the engine has ended it.

    Asked twice, it is cancelled once. A job that has ended raises WrongState; what it used stays charged.
    """
    row = checked_job(actor, job_id, "compute.cancel_job")
    if row.state == JobState.CANCELLED:
        return views([row])[0]
    MACHINE.target(JobState(row.state), "cancel")
    if row.state == JobState.QUEUED:
        try:
            end_unused(row, "cancel", Text(N_("The job was cancelled.")), actor=actor.id)
            return views([row])[0]
        except WrongState:  # the follower took it in this moment: then it is asked like a running one
            row.refresh_from_db()
    _ask(row, actor)
    return views([row])[0]


def _ask(row: Job, actor: accounts.Actor) -> None:
    asked = Job.objects.filter(pk=row.pk, cancel_requested_at=None, ended_at=None).update(
        cancel_requested_at=now()
    )
    if asked:
        audit.record(
            verb="compute.cancel_job",
            subject_kind="job",
            subject_id=str(row.pk),
            actor=actor.id,
            after={"asked": True},
        )
    row.refresh_from_db()


@transaction.atomic
def write_off_job(*, actor: accounts.Actor, job_id: UUID, reason: str) -> JobView:
    """End an UNKNOWN job that will not be found: it fails, its hold is released, nothing is charged.

    Should the engine list it again later, its usage is not taken: the engineer looked, and says so in ``reason``.
    """
    row = checked_job(actor, job_id, "compute.write_off_job")
    reason = " ".join(reason.split())
    if not reason or len(reason) > REASON_MAX:
        raise BadInput(N_("Say in up to {limit} characters what you found."), field="reason", limit=REASON_MAX)
    text = Text(N_("The cluster lost the job and an engineer wrote it off: {reason}"), {"reason": reason})
    end_unused(row, "write_off", text, actor=actor.id)
    return views([row])[0]
