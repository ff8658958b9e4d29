"""Every write about evidence: issue, decide who sees it, invalidate. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import canonical_bytes, sha256_hex
from bitgoeul.kernel.errors import BadInput, Conflict, Unavailable
from bitgoeul.kernel.ids import derive, new_id
from bitgoeul.kernel.signing import FileKey
from bitgoeul.kernel.text import N_

from . import evidence_events as events
from .evidence_log import link, next_position, write_log_head
from .evidence_queries import evidence, thing
from .evidence_tree import write_tree_head
from .evidence_types import AlreadyInvalid, Audience, EvidenceView, Visibility
from .models.evidence import Evidence, EvidenceInvalidation, EvidenceLog, EvidenceVisibility
from .statement import FILE_BYTES_MAX, RUNNER, LogPosition, TrialFacts, build_statement, seal_file

MEDIA_TYPE = "application/json"
KEPT_UNTIL = datetime(9999, 12, 31, tzinfo=UTC)  # evidence is invalidated, never deleted
# Each lost race for a position costs one attempt; more than this many at once is not load but a fault.
ATTEMPTS_AT_A_POSITION = 20
ORGANISATIONS_NAMED_MAX = 50
REASON_MAX = 400
EMBARGO_YEARS = (2000, 2200)  # what every database and time zone can hold, with room


def centre_key() -> FileKey:
    """The centre's signing key, made on first use."""
    return FileKey.load_or_create(Path(settings.KEYS))


def issue_evidence(
    *,
    id: UUID,
    project_id: UUID,
    subject_version_id: UUID,
    facts: TrialFacts,
    record: Mapping[str, Any],
    audience: Audience | None = None,
    actor: str,
) -> EvidenceView:
    """Sign a judged trial and enter it in the log; the same ``id`` (the judgement's) again gives the same one.

    ``facts.issued_at`` is when the judgement was made. The file is stored before the row that names it is
    committed, so a crash leaves at most an unnamed file. Raises RecordNotUsable when the record does not fit
    the facts, and Conflict when ``id`` was used for another trial, record or verdict.
    """
    for _attempt in range(ATTEMPTS_AT_A_POSITION):
        known = Evidence.objects.filter(pk=id).first()
        if known is not None:
            _check_same(known, facts, record)
            return _own_view(known.digest)
        try:
            with transaction.atomic():
                digest = _issue(id, project_id, subject_version_id, facts, record, audience or Audience(), actor)
        except IntegrityError:
            continue  # Another process took the position, or issued this very evidence: look again.
        return _own_view(digest)
    raise Unavailable(N_("The evidence log is too busy; try again."))


def _issue(
    id: UUID,
    project_id: UUID,
    subject_version_id: UUID,
    facts: TrialFacts,
    record: Mapping[str, Any],
    audience: Audience,
    actor: str,
) -> str:
    key, position = centre_key(), next_position()
    data = seal_file(build_statement(facts, record, position, {RUNNER: key}), record, [key])
    digest = content.put_bytes(data, media_type=MEDIA_TYPE, limit_bytes=FILE_BYTES_MAX).digest
    content.retain(digest, until=KEPT_UNTIL)
    row = Evidence.objects.create(
        id=id,
        digest=digest,
        trial_id=facts.trial_id,
        subject_version_id=subject_version_id,
        project_id=project_id,
        subject_name=facts.subject_name,
        protocol_name=facts.protocol_name,
        protocol_version=facts.protocol_version,
        attempt=facts.attempt,
        outcome=str(facts.verdict.outcome),
        record_digest=sha256_hex(canonical_bytes(record)),
        keyid=key.keyid,
        size=len(data),
        issued_at=facts.issued_at,
    )
    _enter(row, position)
    _change_visibility(row, audience, version=0, actor=actor)
    payload = _payload(row, audience.visibility)
    audit.record(
        verb="trials.issue_evidence",
        subject_kind="evidence",
        subject_id=digest,
        actor=actor,
        after={**payload, "log_sequence": position.sequence},
    )
    audit.emit(topic=events.ISSUED, key=digest, payload=payload)
    # A head that could not be written now is written with the next one; the evidence is issued all the same.
    transaction.on_commit(write_log_head, robust=True)
    transaction.on_commit(write_tree_head, robust=True)
    return digest


def _enter(row: Evidence, position: LogPosition) -> None:
    EvidenceLog.objects.create(
        sequence=position.sequence,
        evidence=row,
        previous=position.previous,
        hash=link(position, row.digest),
    )


def _check_same(known: Evidence, facts: TrialFacts, record: Mapping[str, Any]) -> None:
    wanted = (facts.trial_id, str(facts.verdict.outcome), sha256_hex(canonical_bytes(record)))
    if (str(known.trial_id), known.outcome, known.record_digest) != wanted:
        raise Conflict


def _payload(row: Evidence, visibility: Visibility) -> dict[str, str]:
    return {
        "digest": row.digest,
        "trial_id": str(row.trial_id),
        "subject_version_id": str(row.subject_version_id),
        "verdict": row.outcome,
        "visibility": str(visibility),
    }


def _own_view(digest: str) -> EvidenceView:
    return evidence(actor=accounts.Actor.system("trials"), digest=digest)


def change_visibility(
    *, actor: accounts.Actor, digest: str, audience: Audience, seen_version: int | None = None
) -> EvidenceView:
    """Decide who sees the evidence from now on: publish, name organisations, set an embargo, or withdraw.

    ``seen_version`` is the version the person decided on; when another change came between, Conflict. The same
    audience again changes nothing. What was public may have been read: a withdrawal does not undo that.
    """
    view = evidence(actor=actor, digest=digest)
    accounts.require(actor=actor, verb="trials.publish_evidence", thing=thing(view))
    audience = check_audience(audience)
    if (view.visibility, view.organisations, view.embargo_until) == (
        audience.visibility,
        audience.organisations,
        audience.embargo_until,
    ):
        return view
    if seen_version is not None and seen_version != view.visibility_version:
        raise Conflict(N_("Somebody changed this meanwhile; look again and decide."))
    _record_change(view, audience, actor.id)
    return evidence(actor=actor, digest=digest)


def _record_change(view: EvidenceView, audience: Audience, actor: str) -> None:
    row = Evidence.objects.get(pk=view.id)
    try:
        with transaction.atomic():
            version = _change_visibility(row, audience, version=view.visibility_version + 1, actor=actor)
            payload = _payload(row, audience.visibility)
            audit.record(
                verb="trials.publish_evidence",
                subject_kind="evidence",
                subject_id=row.digest,
                actor=actor,
                before={"visibility": str(view.visibility), "embargo_until": view.embargo_until},
                after={
                    **payload,
                    "organisations": audience.organisations,
                    "embargo_until": audience.embargo_until,
                },
            )
            audit.emit(topic=events.VISIBILITY, key=f"{row.digest}:{version}", payload=payload)
    except IntegrityError as error:
        raise Conflict(N_("Somebody changed this meanwhile; look again and decide.")) from error


def _change_visibility(row: Evidence, audience: Audience, *, version: int, actor: str) -> int:
    EvidenceVisibility.objects.create(
        id=derive("trials.visibility", row.pk, version),
        evidence=row,
        version=version,
        visibility=str(audience.visibility),
        organisations=[str(one) for one in audience.organisations],
        embargo_until=audience.embargo_until,
        actor=actor,
    )
    return version


def check_audience(audience: Audience) -> Audience:
    """The audience in its one form; raises BadInput naming the field."""
    if audience.visibility is Visibility.PRIVATE:
        return Audience()
    _check_embargo(audience.embargo_until)
    organisations = tuple(sorted(set(audience.organisations), key=str))
    if audience.visibility is Visibility.PUBLIC:
        return replace(audience, organisations=())
    if not organisations:
        raise BadInput(N_("Name at least one organisation."), field="organisations")
    if len(organisations) > ORGANISATIONS_NAMED_MAX:
        raise BadInput(
            N_("At most {limit} organisations can be named."), field="organisations", limit=ORGANISATIONS_NAMED_MAX
        )
    if len(accounts.organisations(list(organisations))) != len(organisations):
        raise BadInput(N_("One of the organisations is not known here."), field="organisations")
    return replace(audience, organisations=organisations)


def _check_embargo(until: datetime | None) -> None:
    first, last = EMBARGO_YEARS
    if until is not None and (until.tzinfo is None or not first <= until.year <= last):
        raise BadInput(
            N_("Give a time with its zone, from the year {first} to the year {last}."),
            field="embargo_until",
            first=first,
            last=last,
        )


def publish(*, actor: accounts.Actor, digest: str, embargo_until: datetime | None = None) -> EvidenceView:
    """Show the evidence to everybody, at once or from ``embargo_until`` on."""
    return change_visibility(actor=actor, digest=digest, audience=Audience(Visibility.PUBLIC, (), embargo_until))


def withdraw(*, actor: accounts.Actor, digest: str) -> EvidenceView:
    """Make the evidence private again; the log keeps that it exists."""
    return change_visibility(actor=actor, digest=digest, audience=Audience())


def invalidate(*, actor: accounts.Actor, digest: str, reason: str) -> EvidenceView:
    """State that the evidence must no longer be relied on, and why; it stays, and its checks still hold.

    The same person's same reason again changes nothing. Raises BadInput without a reason and AlreadyInvalid when
    it was invalidated before.
    """
    view = evidence(actor=actor, digest=digest)
    accounts.require(actor=actor, verb="trials.invalidate_evidence", thing=thing(view))
    reason = " ".join(reason.split())
    if not 10 <= len(reason) <= REASON_MAX:
        raise BadInput(
            N_("Give the reason in 10 to {limit} characters; everybody who sees the evidence reads it."),
            field="reason",
            limit=REASON_MAX,
        )
    row = Evidence.objects.get(pk=view.id)
    try:
        with transaction.atomic():
            EvidenceInvalidation.objects.create(id=new_id(), evidence=row, reason=reason, actor=actor.id)
            payload = _payload(row, view.visibility)
            audit.record(
                verb="trials.invalidate_evidence",
                subject_kind="evidence",
                subject_id=digest,
                actor=actor.id,
                after={"reason": reason},
            )
            audit.emit(topic=events.INVALIDATED, key=digest, payload=payload)
    except IntegrityError as error:
        known = EvidenceInvalidation.objects.get(evidence=row)
        if (known.reason, known.actor) != (reason, actor.id):
            raise AlreadyInvalid from error
    return evidence(actor=actor, digest=digest)
