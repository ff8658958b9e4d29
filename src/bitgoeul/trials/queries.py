"""Reading subjects, protocols and trials. Objects are reached only through functions that check access."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from bitgoeul.accounts import facade as accounts
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import loads_strict
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import Page, page_of

from .errors import UnknownProtocol
from .models import Judgement, ProtocolVersion, Subject, SubjectVersion, Trial
from .ports import Outcome, Verdict
from .statement import RECORD_BYTES_MAX
from .states import TrialState
from .types import (
    JudgementView,
    LastTrial,
    ProtocolView,
    SubjectKind,
    SubjectVersionView,
    SubjectView,
    TrialView,
    Visibility,
    reasons_from_json,
)

VERSIONS_SHOWN_MAX = 200
PROTOCOLS_MAX = 100
ATTEMPTS_SHOWN_MAX = 50


def subject_thing(subject_id: UUID) -> accounts.Thing:
    """The subject as a thing that verbs apply to; NotFound when there is none."""
    project_id = Subject.objects.filter(pk=subject_id).values_list("project_id", flat=True).first()
    if project_id is None:
        raise NotFound
    return accounts.Thing(kind="subject", id=str(subject_id), project_id=project_id)


def trial_thing(view: TrialView) -> accounts.Thing:
    """The trial as a thing that verbs apply to."""
    return accounts.Thing(kind="trial", id=str(view.id), project_id=view.project_id)


def subject(*, actor: accounts.Actor, subject_id: UUID) -> SubjectView:
    """One subject; NotFound also when ``actor`` may not see it."""
    accounts.require(actor=actor, verb="trials.view_subject", thing=subject_thing(subject_id))
    return _subject_view(Subject.objects.get(pk=subject_id))


def subjects(*, actor: accounts.Actor, project_id: UUID, page: int = 1) -> Page[SubjectView]:
    """A project's subjects, newest first."""
    _require_project(actor, project_id)
    rows = Subject.objects.filter(project_id=project_id).order_by("-created_at", "-pk")
    return page_of(rows, page).map(_subject_view)


def versions(*, actor: accounts.Actor, subject_id: UUID) -> Sequence[SubjectVersionView]:
    """A subject's versions, newest first."""
    accounts.require(actor=actor, verb="trials.view_subject", thing=subject_thing(subject_id))
    rows = _versions().filter(subject_id=subject_id).order_by("-number")[:VERSIONS_SHOWN_MAX]
    return [_version_view(row) for row in rows]


def version(*, actor: accounts.Actor, version_id: UUID) -> SubjectVersionView:
    """One version; NotFound also when ``actor`` may not see its subject."""
    row = _versions().filter(pk=version_id).first()
    if row is None:
        raise NotFound
    thing = accounts.Thing(kind="subject", id=str(row.subject_id), project_id=row.subject.project_id)
    accounts.require(actor=actor, verb="trials.view_subject", thing=thing)
    return _version_view(row)


def version_to_read(*, actor: accounts.Actor, version_id: UUID) -> SubjectVersionView:
    """One version for whom may get its file; NotFound also when ``actor`` may not see its subject."""
    view = version(actor=actor, version_id=version_id)
    thing = accounts.Thing(kind="subject", id=str(view.subject_id), project_id=view.project_id)
    accounts.require(actor=actor, verb="trials.read_subject_file", thing=thing)
    return view


def project_versions(*, actor: accounts.Actor, project_id: UUID) -> Sequence[SubjectVersionView]:
    """All versions of a project's subjects for a choice, newest first; at most 200."""
    _require_project(actor, project_id)
    rows = _versions().filter(subject__project_id=project_id).order_by("-created_at", "-pk")
    return [_version_view(row) for row in rows[:VERSIONS_SHOWN_MAX]]


def protocols() -> Sequence[ProtocolView]:
    """The newest version of every protocol."""
    newest: dict[str, ProtocolView] = {}
    for row in ProtocolVersion.objects.order_by("-registered_at", "digest")[:PROTOCOLS_MAX]:
        newest.setdefault(row.code, _protocol_view(row))
    return [newest[code] for code in sorted(newest)]


def protocol(digest: str) -> ProtocolView:
    """One protocol version; raises UnknownProtocol."""
    row = ProtocolVersion.objects.filter(pk=digest).first()
    if row is None:
        raise UnknownProtocol(field="protocol")
    return _protocol_view(row)


def trial(*, actor: accounts.Actor, trial_id: UUID) -> TrialView:
    """One trial with its judgements; NotFound also when ``actor`` may not see it."""
    row = _trials().filter(pk=trial_id).first()
    if row is None:
        raise NotFound
    judgements = [
        JudgementView(
            j.number,
            Verdict(Outcome(j.outcome), reasons_from_json(j.reasons)),
            j.attempts,
            j.judged_at,
            j.judged_by,
        )
        for j in Judgement.objects.filter(trial_id=trial_id).order_by("number")[:ATTEMPTS_SHOWN_MAX]
    ]
    view = _trial_view(row, judgements)
    accounts.require(actor=actor, verb="trials.view_trial", thing=trial_thing(view))
    return view


def trials(*, actor: accounts.Actor, project_id: UUID, page: int = 1) -> Page[TrialView]:
    """A project's trials, newest first, without their reasons."""
    _require_project(actor, project_id)
    rows = _trials().filter(subject_version__subject__project_id=project_id).order_by("-requested_at", "-pk")
    return page_of(rows, page).map(_trial_view)


def trials_of_subject(*, actor: accounts.Actor, subject_id: UUID, page: int = 1) -> Page[TrialView]:
    """The trials of all versions of a subject, newest first, without their reasons."""
    accounts.require(actor=actor, verb="trials.view_subject", thing=subject_thing(subject_id))
    rows = _trials().filter(subject_version__subject_id=subject_id).order_by("-requested_at", "-pk")
    return page_of(rows, page).map(_trial_view)


def last_trials(*, project_ids: Iterable[UUID]) -> Mapping[UUID, LastTrial]:
    """The newest trial of each project, in one query, without a check: for rows the caller may already see."""
    order = [F("requested_at").desc(), F("pk").desc()]
    newest = Window(RowNumber(), partition_by=F("project_id"), order_by=order)
    ranked = Trial.objects.filter(project_id__in=list(project_ids)).annotate(rank=newest).filter(rank=1)
    shown = ranked.values_list("project_id", "pk", "subject_version__subject__name", "state", "outcome")
    return {
        project_id: LastTrial(pk, name, TrialState(state), Outcome(outcome) if outcome else None)
        for project_id, pk, name, state, outcome in shown
    }


def attempts_of(view: TrialView) -> Sequence[TrialView]:
    """Every trial of the same file in the project under the same protocol, newest first; at most 50."""
    rows = _trials().filter(
        project_id=view.project_id, subject_digest=view.subject_digest, protocol_id=view.protocol_digest
    )
    return [_trial_view(row) for row in rows.order_by("-attempt")[:ATTEMPTS_SHOWN_MAX]]


def trials_by_id(trial_ids: Iterable[UUID]) -> Mapping[UUID, TrialView]:
    """Trials by id in one query, without a check: for rows the caller may already see."""
    return {row.id: _trial_view(row) for row in _trials().filter(pk__in=list(trial_ids))}


def attempts(*, project_id: UUID, subject_digest: str, protocol_digest: str) -> int:
    """How many trials of a file under a protocol the project asked for; all of them count.

    The file is named by its SHA-256: the same bytes under another name, or as another version, go on counting.
    """
    last = Trial.objects.filter(project_id=project_id, subject_digest=subject_digest, protocol_id=protocol_digest)
    return last.order_by("-attempt").values_list("attempt", flat=True).first() or 0


def record_of(view: TrialView) -> Mapping[str, Any] | None:
    """The trial's record, or None while there is none; the caller has checked that it may be seen."""
    if not view.record_digest:
        return None
    record = loads_strict(content.read(view.record_digest, max_bytes=RECORD_BYTES_MAX))
    return record if isinstance(record, dict) else None


def _require_project(actor: accounts.Actor, project_id: UUID) -> None:
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="trials.list_trials", thing=project.thing)


def _versions() -> QuerySet[SubjectVersion]:
    return SubjectVersion.objects.select_related("subject")


def _trials() -> QuerySet[Trial]:
    return Trial.objects.select_related("subject_version__subject", "protocol")


def _subject_view(row: Subject) -> SubjectView:
    return SubjectView(row.id, row.project_id, row.name, SubjectKind(row.kind), row.created_at)


def _version_view(row: SubjectVersion) -> SubjectVersionView:
    return SubjectVersionView(
        id=row.id,
        subject_id=row.subject_id,
        project_id=row.subject.project_id,
        subject_name=row.subject.name,
        kind=SubjectKind(row.subject.kind),
        number=row.number,
        digest=row.digest,
        size=row.size,
        filename=row.filename,
        note=row.note,
        created_at=row.created_at,
    )


def _protocol_view(row: ProtocolVersion) -> ProtocolView:
    return ProtocolView(row.digest, row.code, row.version, row.definition, row.registered_at)


def _trial_view(row: Trial, judgements: Sequence[JudgementView] = ()) -> TrialView:
    version, subject = row.subject_version, row.subject_version.subject
    return TrialView(
        id=row.id,
        project_id=subject.project_id,
        subject_id=subject.id,
        subject_name=subject.name,
        subject_version_id=version.id,
        version_number=version.number,
        subject_digest=version.digest,
        protocol_digest=row.protocol_id,
        protocol_code=row.protocol.code,
        protocol_version=row.protocol.version,
        protocol_title=Text(str(row.protocol.definition["title"])),
        parameters=row.parameters,
        attempt=row.attempt,
        state=TrialState(row.state),
        outcome=Outcome(row.outcome) if row.outcome else None,
        visibility=Visibility(row.visibility),
        embargo_until=row.embargo_until,
        job_id=row.job_id,
        expected_seconds=row.expected_seconds,
        record_digest=row.record_digest,
        logs_digest=row.logs_digest,
        evidence_digest=row.evidence_digest,
        requested_at=row.requested_at,
        requested_by=row.requested_by,
        judgements=judgements,
        organisations=tuple(UUID(one) for one in row.organisations),
    )
