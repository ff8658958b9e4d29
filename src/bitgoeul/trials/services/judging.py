"""From a finished job to a verdict and evidence; judging again is a separate act on the same record.

Every function runs in one transaction and looks at the trial's state first, so that a repeated delivery or a
crash between two steps changes nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import CanonicalError, canonical_bytes, loads_strict
from bitgoeul.kernel.errors import DomainError, WrongState
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text

from .. import queries
from ..events import JOB_ORIGIN
from ..evidence import issue_evidence
from ..evidence_types import Audience, Visibility
from ..models import Judgement, Trial
from ..plugins import plugin
from ..ports import Outcome, Reason, Verdict
from ..statement import RECORD_BYTES_MAX, RecordNotUsable, TrialFacts, notes_of
from ..states import BEFORE_A_RECORD, TrialState
from ..types import TrialView, verdict_to_json

RECORD, LOGS = "record.json", "logs.tar"
JUDGE = "system:judge"
SIGNED_OUTCOMES = frozenset({Outcome.PASSED, Outcome.WARNED, Outcome.FAILED})


class Unusable(Exception):
    """There is no record to judge; ``check`` is a stable code, ``text`` says why."""

    def __init__(self, check: str, text: Text) -> None:
        super().__init__(str(text))
        self.check = check
        self.text = text


def job_started(payload: Mapping[str, Any]) -> None:
    """Handler of ``job.start``: the trial whose job began to run is measuring now."""
    row = Trial.objects.filter(job_id=payload["id"]).first()
    if row is not None and row.state == TrialState.QUEUED:
        audit.advance(row, "start", actor=JUDGE)


@transaction.atomic
def job_finished(payload: Mapping[str, Any]) -> None:
    """Handler of ``job.finished``: take the record, judge it, sign it. Any bad ending is a named verdict."""
    row = _trial_of(payload)
    if row is None or row.state not in BEFORE_A_RECORD:
        return
    job = compute.job_views([row.job_id])[row.job_id]
    try:
        record = _record(row, job)
    except Unusable as reason:
        _stop(row, reason)
        return
    changes = {"record_digest": job.artefacts[RECORD], "logs_digest": job.artefacts.get(LOGS, "")}
    audit.advance(row, "measure", actor=JUDGE, changes=changes)
    judgement, verdict = _judge(row, record, actor=JUDGE)
    audit.advance(row, "judge", actor=JUDGE, changes={"outcome": str(verdict.outcome)})
    if verdict.outcome in SIGNED_OUTCOMES:
        _sign(row, record, judgement, verdict)


@transaction.atomic
def judge_again(*, actor: accounts.Actor, trial_id: UUID, id: UUID) -> TrialView:
    """Judge the kept record once more, with the attempts counted now; the same id again changes nothing.

    A new judgement stands beside the earlier ones. Evidence already issued is not replaced: if the outcome
    differs, the operator invalidates it.
    """
    view = queries.trial(actor=actor, trial_id=trial_id)
    accounts.require(actor=actor, verb="trials.judge_again", thing=queries.trial_thing(view))
    if view.state not in (TrialState.JUDGED, TrialState.SIGNED):
        raise WrongState(N_("There is no record to judge."))
    row = Trial.objects.select_for_update().get(pk=trial_id)
    if not Judgement.objects.filter(pk=id).exists():
        record = loads_strict(content.read(row.record_digest, max_bytes=RECORD_BYTES_MAX))
        _judgement, verdict = _judge(row, record, actor=actor.id, id=id)
        Trial.objects.filter(pk=trial_id).update(outcome=str(verdict.outcome))
    return queries.trial(actor=actor, trial_id=trial_id)


def _trial_of(payload: Mapping[str, Any]) -> Trial | None:
    origin = payload.get("origin") or {}
    if origin.get("kind") != JOB_ORIGIN:
        return None
    rows = Trial.objects.select_for_update(of=("self",)).select_related("subject_version__subject", "protocol")
    return rows.filter(pk=origin["id"]).first()


def _record(row: Trial, job: compute.JobView) -> Mapping[str, Any]:
    """The record of a job that succeeded, read strictly; raises Unusable otherwise."""
    if str(job.state).upper() != "SUCCEEDED":
        raise Unusable("job", job.reason or Text(N_("The measuring job did not succeed.")))
    digest = job.artefacts.get(RECORD)
    if digest is None:
        raise Unusable("record_missing", Text(N_("The job ended without a record.")))
    try:
        data = content.read(digest, max_bytes=RECORD_BYTES_MAX)
        record = loads_strict(data)
        if not isinstance(record, dict) or canonical_bytes(record) != data:
            raise Unusable("record_damaged", Text(N_("The record is not in its canonical form.")))
    except CanonicalError as error:
        raise Unusable("record_damaged", Text(N_("The record cannot be read."))) from error
    except DomainError as error:
        raise Unusable("record_damaged", error.text) from error
    return record


def _stop(row: Trial, reason: Unusable) -> None:
    attempts = _attempts(row)
    verdict = Verdict(Outcome.INVALID, (Reason(f"measurement.{reason.check}", False, reason.text),))
    _keep(row, verdict, attempts, actor=JUDGE)
    audit.advance(row, "stop", actor=JUDGE, reason=str(reason.text), changes={"outcome": str(verdict.outcome)})


def _judge(
    row: Trial, record: Mapping[str, Any], *, actor: str, id: UUID | None = None
) -> tuple[Judgement, Verdict]:
    attempts = _attempts(row)
    foreign = _foreign(row, record)
    if foreign:
        text = Text(N_("The record belongs to another trial ({parts})."), {"parts": ", ".join(foreign)})
        verdict = Verdict(Outcome.INVALID, (Reason("record.foreign", False, text),))
    else:
        verdict = plugin(row.protocol.code).judge(record, row.protocol.definition, attempts)
    return _keep(row, verdict, attempts, actor=actor, id=id), verdict


def _attempts(row: Trial) -> int:
    return queries.attempts(
        project_id=row.project_id, subject_digest=row.subject_digest, protocol_digest=row.protocol_id
    )


def _foreign(row: Trial, record: Mapping[str, Any]) -> list[str]:
    """Where the record disagrees with what the platform ordered."""
    wanted = {
        "trial_id": str(row.id),
        "attempt": row.attempt,
        "parameters": row.parameters,
        "subject": row.subject_version.digest,
        "protocol": row.protocol_id,
    }
    told = {name: record.get(name) for name in wanted}
    for name in ("subject", "protocol"):
        part = told[name]
        told[name] = part.get("digest") if isinstance(part, Mapping) else None
    return sorted(name for name in wanted if told[name] != wanted[name])


def _keep(row: Trial, verdict: Verdict, attempts: int, *, actor: str, id: UUID | None = None) -> Judgement:
    number = Judgement.objects.filter(trial=row).count() + 1
    judgement = Judgement.objects.create(
        # The first judgement's id follows from the trial, so a repeated delivery cannot make a second one.
        id=id or derive("trials.judgement", row.id, number),
        trial=row,
        number=number,
        outcome=str(verdict.outcome),
        reasons=verdict_to_json(verdict),
        attempts=attempts,
        record_digest=row.record_digest,
        judged_by=actor,
    )
    audit.record(
        verb="trials.judge_trial", subject_kind="trial", subject_id=str(row.id), actor=actor,
        after={
            "judgement": judgement.id, "outcome": str(verdict.outcome), "attempts": attempts,
            "failed": [reason.check for reason in verdict.failed()], "record": row.record_digest,
        },
    )  # fmt: skip
    return judgement


def _facts(row: Trial, judgement: Judgement, verdict: Verdict) -> TrialFacts:
    version = row.subject_version
    return TrialFacts(
        trial_id=str(row.id),
        attempt=row.attempt,
        subject_name=f"{version.subject.name} v{version.number}",
        subject_digest=version.digest,
        protocol_name=row.protocol.code,
        protocol_version=row.protocol.version,
        protocol_digest=row.protocol_id,
        verdict=verdict,
        issued_at=judgement.judged_at,
        centre=settings.CENTRE,
        notes=notes_of(row.protocol.definition, version.subject.kind),
    )


def _sign(row: Trial, record: Mapping[str, Any], judgement: Judgement, verdict: Verdict) -> None:
    version = row.subject_version
    organisations = tuple(UUID(one) for one in row.organisations)
    try:
        with transaction.atomic():
            issued = issue_evidence(
                id=judgement.id,
                project_id=version.subject.project_id,
                subject_version_id=version.id,
                facts=_facts(row, judgement, verdict),
                record=record,
                audience=Audience(Visibility(row.visibility), organisations, row.embargo_until),
                actor=JUDGE,
            )
    except RecordNotUsable as error:  # judged, but what cannot be stated is not signed
        audit.record(
            verb="trials.refuse_to_sign", subject_kind="trial", subject_id=str(row.id), actor=JUDGE,
            after={"reason": error.text},
        )  # fmt: skip
        return
    audit.advance(row, "sign", actor=JUDGE, changes={"evidence_digest": issued.digest})
