"""Reading evidence. What one may not see answers exactly as what does not exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform

from bitgoeul.accounts import facade as accounts
from bitgoeul.content import facade as content
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import Page, page_of

from .evidence_types import (
    STAGE_OUTCOMES,
    EvidenceView,
    NoSuchEvidence,
    PublicPass,
    Visibility,
    VisibilityChange,
)
from .models.evidence import Evidence, EvidenceInvalidation, EvidenceLog, EvidenceVisibility
from .ports import Outcome
from .statement import FILE_BYTES_MAX

HEX = frozenset("0123456789abcdef")
LATEST_MAX = 50
CHANGES_SHOWN_MAX = 100
TITLE = KeyTextTransform("title", "trial__protocol__definition")


def is_digest(text: str) -> bool:
    """Whether ``text`` has the form of a digest: 64 lower-case hexadecimal digits."""
    return len(text) == 64 and HEX.issuperset(text)


def _rows() -> QuerySet[Any, Any]:
    """Evidence with its current visibility, log position and invalidation, in one query."""
    changes = EvidenceVisibility.objects.filter(evidence=OuterRef("pk")).order_by("-version")
    log = EvidenceLog.objects.filter(evidence=OuterRef("pk"))
    invalidation = EvidenceInvalidation.objects.filter(evidence=OuterRef("pk"))
    return Evidence.objects.annotate(
        seen_by=Subquery(changes.values("visibility")[:1]),
        seen_by_organisations=Subquery(changes.values("organisations")[:1]),
        seen_from=Subquery(changes.values("embargo_until")[:1]),
        seen_version=Subquery(changes.values("version")[:1]),
        log_sequence=Subquery(log.values("sequence")[:1]),
        log_previous=Subquery(log.values("previous")[:1]),
        log_hash=Subquery(log.values("hash")[:1]),
        invalidated_at=Subquery(invalidation.values("at")[:1]),
        invalidated_because=Subquery(invalidation.values("reason")[:1]),
        subject_digest=F("subject_version__digest"),
        titled=TITLE,
    ).values()


def _public(at: datetime) -> Q:
    return Q(seen_by=str(Visibility.PUBLIC)) & (Q(seen_from=None) | Q(seen_from__lte=at))


def _view(row: Mapping[str, Any], at: datetime) -> EvidenceView:
    visibility, embargo = Visibility(row["seen_by"]), row["seen_from"]
    return EvidenceView(
        **{name: row[name] for name in PLAIN},
        protocol_title=Text(row["titled"] or row["protocol_name"]),
        verdict=Outcome(row["outcome"]),
        visibility=visibility,
        embargo_until=embargo,
        public=visibility is Visibility.PUBLIC and (embargo is None or embargo <= at),
        organisations=tuple(UUID(one) for one in row["seen_by_organisations"]),
        visibility_version=row["seen_version"],
        invalidated_because=row["invalidated_because"] or "",
    )


PLAIN = (
    "id",
    "digest",
    "trial_id",
    "subject_version_id",
    "project_id",
    "subject_name",
    "subject_digest",
    "protocol_name",
    "protocol_version",
    "attempt",
    "log_sequence",
    "log_previous",
    "log_hash",
    "keyid",
    "size",
    "issued_at",
    "invalidated_at",
)


def public_evidence(digest: str) -> EvidenceView | None:
    """The evidence with this digest if anyone may see it now; private and unknown both give None."""
    return public_evidence_of([digest]).get(digest)


def public_evidence_of(digests: Collection[str]) -> Mapping[str, EvidenceView]:
    """The public ones among ``digests``, by digest; the others are simply absent."""
    at = now()
    wanted = [one for one in digests if is_digest(one)]
    return {str(row["digest"]): _view(row, at) for row in _rows().filter(_public(at), digest__in=wanted)}


def visible_evidence(*, actor: accounts.Actor, digest: str) -> EvidenceView | None:
    """The evidence if ``actor`` may see it now, else None."""
    if not is_digest(digest):
        return None
    at = now()
    row = _rows().filter(digest=digest).first()
    if row is None:
        return None
    view = _view(row, at)
    return view if may_see(actor, view) else None


def evidence(*, actor: accounts.Actor, digest: str) -> EvidenceView:
    """The evidence with this digest; raises NoSuchEvidence for unknown and for not visible alike."""
    view = visible_evidence(actor=actor, digest=digest)
    if view is None:
        raise NoSuchEvidence
    return view


def may_see(actor: accounts.Actor, view: EvidenceView) -> bool:
    """Whether ``actor`` may see the evidence now: it is public, names their organisation, or is theirs."""
    named = view.visibility is Visibility.NAMED and not actor.organisation_roles.keys().isdisjoint(
        view.organisations
    )
    # An embargo binds named readers too; the project's own people see it all along.
    if named and (view.embargo_until is None or view.embargo_until <= now()):
        return True
    return accounts.may(actor=actor, verb="trials.view_evidence", thing=thing(view)).allowed


def belongs(actor: accounts.Actor, view: EvidenceView) -> bool:
    """Whether ``actor`` sees the evidence as its project's or the operator's people do, not only as a reader.

    Who decided about it and whom it names is for them alone.
    """
    own = replace(thing(view), public=False)
    return accounts.may(actor=actor, verb="trials.view_evidence", thing=own).allowed


def own_evidence(*, actor: accounts.Actor, digest: str) -> EvidenceView:
    """The evidence for those it belongs to; NotAllowed or NoSuchEvidence for everybody else."""
    view = evidence(actor=actor, digest=digest)
    accounts.require(actor=actor, verb="trials.view_evidence_history", thing=thing(view))
    return view


def thing(view: EvidenceView) -> accounts.Thing:
    """The evidence as a thing that verbs apply to."""
    return accounts.Thing(kind="evidence", id=view.digest, project_id=view.project_id, public=view.public)


def evidence_file(*, actor: accounts.Actor, digest: str) -> bytes:
    """The evidence file, byte for byte; raises NoSuchEvidence when ``actor`` may not see it."""
    return content.read(evidence(actor=actor, digest=digest).digest, max_bytes=FILE_BYTES_MAX)


def evidence_of_trials(trial_ids: Collection[UUID]) -> Mapping[UUID, Sequence[EvidenceView]]:
    """All evidence of each trial, oldest first; no check, for rows the caller may already see."""
    at = now()
    found: dict[UUID, list[EvidenceView]] = {trial_id: [] for trial_id in trial_ids}
    for row in _rows().filter(trial_id__in=list(trial_ids)).order_by("issued_at", "pk"):
        view = _view(row, at)
        found[view.trial_id].append(view)
    return found


def evidence_of_versions(version_ids: Collection[UUID]) -> Mapping[UUID, Sequence[EvidenceView]]:
    """All evidence of each subject version, oldest first; no check, for rows the caller may already see."""
    at = now()
    found: dict[UUID, list[EvidenceView]] = {version_id: [] for version_id in version_ids}
    for row in _rows().filter(subject_version_id__in=list(version_ids)).order_by("issued_at", "pk"):
        view = _view(row, at)
        found[view.subject_version_id].append(view)
    return found


def project_evidence(*, actor: accounts.Actor, project_id: UUID, page: int = 1) -> Page[EvidenceView]:
    """A project's evidence, newest first; raises NotFound when ``actor`` may not see the project."""
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="trials.list_trials", thing=project.thing)
    at = now()
    rows = _rows().filter(project_id=project_id).order_by("-issued_at", "-pk")
    return page_of(rows, page).map(lambda row: _view(row, at))


def latest_public(limit: int = 5) -> Sequence[EvidenceView]:
    """The newest public evidence that is not invalidated, newest first; at most 50."""
    at = now()
    rows = _rows().filter(_public(at), invalidated_at=None).order_by("-issued_at", "-pk")
    return [_view(row, at) for row in rows[: max(0, min(limit, LATEST_MAX))]]


def latest_public_passes(limit: int) -> Sequence[PublicPass]:
    """The newest public evidence that a stage may rest on now, newest first, in one query; at most 50."""
    changes = EvidenceVisibility.objects.filter(evidence=OuterRef("pk")).order_by("-version")
    rows = (
        Evidence.objects.annotate(
            seen_by=Subquery(changes.values("visibility")[:1]),
            seen_from=Subquery(changes.values("embargo_until")[:1]),
        )
        .filter(_public(now()), ~Exists(EvidenceInvalidation.objects.filter(evidence=OuterRef("pk"))))
        .filter(outcome__in=sorted(STAGE_OUTCOMES))
        .order_by("-issued_at", "-pk")
        .values_list(
            "digest",
            "subject_version__subject_id",
            "subject_version_id",
            "subject_version__subject__name",
            "protocol_name",
            TITLE,
            "trial__parameters",
            "issued_at",
        )[: max(0, min(limit, LATEST_MAX))]
    )
    return [
        PublicPass(digest, subject, version, name, code, Text(title or code), parameters, issued_at)
        for digest, subject, version, name, code, title, parameters, issued_at in rows
    ]


def visibility_history(view: EvidenceView) -> Sequence[VisibilityChange]:
    """Who could see it when, newest first; the newest 100 changes."""
    rows = EvidenceVisibility.objects.filter(evidence_id=view.id).order_by("-version")[:CHANGES_SHOWN_MAX]
    return [
        VisibilityChange(
            version=row.version,
            visibility=Visibility(row.visibility),
            organisations=tuple(UUID(one) for one in row.organisations),
            embargo_until=row.embargo_until,
            actor=row.actor,
            at=row.at,
        )
        for row in rows
    ]


def log_length() -> int:
    """How many positions the log has now."""
    last = EvidenceLog.objects.order_by("-sequence").values_list(F("sequence"), flat=True).first()
    return int(last or 0)
