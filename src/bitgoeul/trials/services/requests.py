"""Asking for a trial: one transaction holds the estimate, queues the job and counts the attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.content import facade as content
from bitgoeul.kernel.errors import BadInput, Conflict, WrongState
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_

from .. import queries
from ..errors import TooManyTrials
from ..events import JOB_ORIGIN
from ..evidence import check_audience
from ..models import Trial
from ..plugins import plugin
from ..ports import JobPlan, Order
from ..states import UNFINISHED
from ..types import Audience, Estimate, ProtocolView, SubjectVersionView, TrialView, Visibility

UNFINISHED_MAX = 10
ORDER_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True)
class Wish:
    """A checked request: the version, the protocol, whole parameters."""

    version: SubjectVersionView
    protocol: ProtocolView
    parameters: Mapping[str, int]


def estimate(
    *, actor: accounts.Actor, subject_version_id: UUID, protocol_digest: str, parameters: Mapping[str, Any]
) -> Estimate:
    """What such a trial would hold; raises BadInput naming a parameter's field."""
    wish = _wish(actor, subject_version_id, protocol_digest, parameters)
    plan = _plan(wish, trial_id=UUID(int=0), attempt=1)
    amounts = compute.estimate(_job_request(plan, dict.fromkeys(plan.files, "0" * 64)))
    return Estimate(plan.expected_seconds, plan.wall_seconds, dict(amounts))


def request_trial(
    *,
    actor: accounts.Actor,
    id: UUID,
    subject_version_id: UUID,
    protocol_digest: str,
    parameters: Mapping[str, Any],
    visibility: Visibility = Visibility.PRIVATE,
    audience: Audience | None = None,
) -> TrialView:
    """Ask for a trial; the same id with the same content again gives the same trial.

    ``audience`` says more than ``visibility`` (organisations, embargo). Raises BadInput for parameters,
    TooManyTrials, and what the ledger refuses (nothing is queued then).
    """
    wish = _wish(actor, subject_version_id, protocol_digest, parameters)
    seen_by = check_audience(audience or Audience(Visibility(visibility)))
    known = Trial.objects.filter(pk=id).first()
    if known is not None:
        return _known(actor, known, wish, seen_by)
    _check_room(wish.version.project_id)
    try:
        with transaction.atomic():
            _request(actor, id, wish, seen_by)
    except IntegrityError as error:  # two requests took the same attempt number at once
        raise Conflict(N_("Another trial was requested at the same moment; ask again.")) from error
    return queries.trial(actor=actor, trial_id=id)


def _request(actor: accounts.Actor, id: UUID, wish: Wish, audience: Audience) -> None:
    version = wish.version
    attempt = 1 + queries.attempts(
        project_id=version.project_id, subject_digest=version.digest, protocol_digest=wish.protocol.digest
    )
    plan = _plan(wish, trial_id=id, attempt=attempt)
    row = Trial.objects.create(
        id=id,
        subject_version_id=version.id,
        project_id=version.project_id,
        subject_digest=version.digest,
        protocol_id=wish.protocol.digest,
        parameters=dict(wish.parameters),
        attempt=attempt,
        visibility=str(audience.visibility),
        organisations=[str(one) for one in audience.organisations],
        embargo_until=audience.embargo_until,
        job_id=derive("trials.job", id),
        expected_seconds=plan.expected_seconds,
        requested_by=actor.id,
    )
    audit.record(
        verb="trials.request_trial", subject_kind="trial", subject_id=str(id), actor=actor.id,
        after={
            "subject_version": wish.version.id, "protocol": wish.protocol.digest, "attempt": attempt,
            "parameters": wish.parameters, "visibility": str(audience.visibility),
        },
    )  # fmt: skip
    files = {
        name: content.put_bytes(data, media_type="application/json", limit_bytes=ORDER_BYTES_MAX).digest
        for name, data in plan.files.items()
    }
    compute.submit_job(
        actor=actor,
        id=row.job_id,
        project_id=wish.version.project_id,
        name=f"{wish.version.subject_name} v{wish.version.number} · {wish.protocol.code} #{attempt}",
        request=_job_request(plan, files),
        origin=compute.Origin(kind=JOB_ORIGIN, id=str(id)),
    )
    audit.advance(row, "queue", actor=actor.id)


def stop_trial(*, actor: accounts.Actor, trial_id: UUID) -> TrialView:
    """Ask that the measurement ends; the trial becomes STOPPED when its job has ended."""
    view = queries.trial(actor=actor, trial_id=trial_id)
    accounts.require(actor=actor, verb="trials.stop_trial", thing=queries.trial_thing(view))
    if view.state not in UNFINISHED:
        raise WrongState(N_("The trial has ended already."))
    compute.cancel_job(actor=accounts.Actor.system("trials"), job_id=view.job_id)
    audit.record(verb="trials.stop_trial", subject_kind="trial", subject_id=str(trial_id), actor=actor.id)
    return queries.trial(actor=actor, trial_id=trial_id)


def _wish(
    actor: accounts.Actor, subject_version_id: UUID, protocol_digest: str, parameters: Mapping[str, Any]
) -> Wish:
    version = queries.version(actor=actor, version_id=subject_version_id)
    project = accounts.project(actor=actor, project_id=version.project_id)
    accounts.require(actor=actor, verb="trials.request_trial", thing=project.thing)
    protocol = queries.protocol(protocol_digest)
    if str(version.kind) not in protocol.definition["subject"]["kinds"]:
        raise BadInput(N_("This protocol does not take subjects of this kind."), field="protocol")
    checked = plugin(protocol.code).check_parameters(protocol.definition, parameters)
    return Wish(version, protocol, checked)


def _plan(wish: Wish, *, trial_id: UUID, attempt: int) -> JobPlan:
    order = Order(
        trial_id=str(trial_id),
        attempt=attempt,
        protocol_digest=wish.protocol.digest,
        definition=wish.protocol.definition,
        parameters=wish.parameters,
        subject_kind=str(wish.version.kind),
        subject_digest=wish.version.digest,
        assets=wish.protocol.definition["assets"],
    )
    return plugin(wish.protocol.code).prepare(order)


def _job_request(plan: JobPlan, files: Mapping[str, str]) -> compute.JobRequest:
    limits = compute.Limits(
        cores=plan.cores, memory_mib=plan.memory_mib, wall_seconds=plan.wall_seconds,
        processes=plan.processes, file_mib=plan.file_mib,
    )  # fmt: skip
    return compute.JobRequest(
        argv=plan.argv,
        inputs={**plan.inputs, **files},
        outputs=plan.outputs,
        limits=limits,
        devices=dict(plan.devices),
        env={},
        exclusive=True,  # one measurement at a time: a neighbour would be in its times
    )


def _known(actor: accounts.Actor, row: Trial, wish: Wish, seen_by: Audience) -> TrialView:
    same = (row.subject_version_id, row.protocol_id, row.parameters)
    named = tuple(UUID(one) for one in row.organisations)
    asked_for = Audience(Visibility(row.visibility), named, row.embargo_until)
    if same != (wish.version.id, wish.protocol.digest, dict(wish.parameters)) or asked_for != seen_by:
        raise Conflict
    return queries.trial(actor=actor, trial_id=row.id)


def _check_room(project_id: UUID) -> None:
    unfinished = Trial.objects.filter(
        subject_version__subject__project_id=project_id, state__in=[str(state) for state in UNFINISHED]
    ).count()
    if unfinished >= UNFINISHED_MAX:
        raise TooManyTrials(
            N_("{count} trials of this project are still unfinished; wait for one to end."), count=unfinished
        )
