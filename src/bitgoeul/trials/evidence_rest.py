"""Evidence over REST: read it, its file, decide who sees it, invalidate it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from bitgoeul.accounts import facade as accounts

from . import evidence as services
from . import evidence_queries as queries
from .evidence_types import Audience, EvidenceView, Visibility

router = Router(tags=["evidence"])


def _anybody(request: HttpRequest) -> accounts.Actor:
    """Who reads without having signed in; what they may see, the evidence's visibility says."""
    return accounts.actor_of(request)


ANYBODY = [*accounts.session_or_token, _anybody]


class EvidenceOut(Schema):
    """One piece of evidence."""

    digest: str
    trial_id: UUID
    subject_version_id: UUID
    subject_name: str
    protocol_name: str
    protocol_version: str
    attempt: int
    verdict: str
    visibility: Visibility
    embargo_until: datetime | None
    public: bool
    organisations: list[UUID]
    visibility_version: int
    log_sequence: int
    log_previous: str
    log_hash: str
    keyid: str
    size: int
    issued_at: datetime
    invalidated_at: datetime | None
    invalidated_because: str

    @staticmethod
    def resolve_organisations(view: EvidenceView) -> list[UUID]:
        """Whom it names."""
        return list(view.organisations)


class EvidencePage(Schema):
    """A page of evidence."""

    items: list[EvidenceOut]
    page: int
    last: int
    total: int


class AudienceIn(Schema):
    """Who shall see it; ``seen_version`` guards against a change in between."""

    visibility: Visibility
    organisations: list[UUID] = []
    embargo_until: datetime | None = None
    seen_version: int | None = None


class InvalidationIn(Schema):
    """Why it must no longer be relied on."""

    reason: str


@router.get("/evidence", response=EvidencePage, summary="A project's evidence, newest first")
def list_evidence(request: HttpRequest, project_id: UUID, page: int = 1) -> EvidencePage:
    """The evidence of a project one may see."""
    found = queries.project_evidence(actor=accounts.actor_of(request), project_id=project_id, page=page)
    return EvidencePage(
        items=[EvidenceOut.from_orm(one) for one in found.items],
        page=found.number,
        last=found.last,
        total=found.total,
    )


@router.get("/evidence/{digest}", response=EvidenceOut, auth=ANYBODY, summary="One piece of evidence")
def get_evidence(request: HttpRequest, digest: str) -> EvidenceView:
    """Public evidence needs no sign-in; private and unknown answer alike. Whom it names, its own people see."""
    actor = accounts.actor_of(request)
    view = queries.evidence(actor=actor, digest=digest)
    return view if queries.belongs(actor, view) else replace(view, organisations=())


@router.get("/evidence/{digest}/file", auth=ANYBODY, summary="The evidence file", response={200: None})
def get_evidence_file(request: HttpRequest, digest: str) -> HttpResponse:
    """The file, byte for byte."""
    data = queries.evidence_file(actor=accounts.actor_of(request), digest=digest)
    return HttpResponse(data, content_type="application/json")


@router.post("/evidence/{digest}/visibility", response=EvidenceOut, summary="Decide who sees it")
def post_visibility(request: HttpRequest, digest: str, payload: AudienceIn) -> EvidenceView:
    """Publish, name organisations, set an embargo or withdraw; the same decision again changes nothing."""
    return services.change_visibility(
        actor=accounts.actor_of(request),
        digest=digest,
        audience=Audience(payload.visibility, tuple(payload.organisations), payload.embargo_until),
        seen_version=payload.seen_version,
    )


@router.post("/evidence/{digest}/invalidation", response=EvidenceOut, summary="Invalidate it")
def post_invalidation(request: HttpRequest, digest: str, payload: InvalidationIn) -> EvidenceView:
    """State that it must no longer be relied on; it stays."""
    return services.invalidate(actor=accounts.actor_of(request), digest=digest, reason=payload.reason)
