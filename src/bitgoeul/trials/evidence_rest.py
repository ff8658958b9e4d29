"""Evidence over REST: read it, its file and its history, decide who sees it, invalidate it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from pydantic import AwareDatetime

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import WHOLE_MAX, Paged, PageNumber, page_of_items, paged, refusals, render_text

from . import evidence as services
from . import evidence_queries as queries
from . import evidence_tree
from .evidence_types import Audience, EvidenceView, Visibility, VisibilityChange
from .evidence_words import centre_public_key
from .ports import Outcome
from .verify import verify_evidence

router = Router(tags=["evidence"])
LATEST_SHOWN = 20


def _anybody(request: HttpRequest) -> accounts.Actor:
    """Who reads without having signed in; what they may see, the evidence's visibility says."""
    return accounts.actor_of(request)


ANYBODY = [*accounts.session_or_token, _anybody]
# In the document: one may sign in and need not.
OPTIONAL: dict[str, Any] = {"security": [{}]}
JSON_FILE = {**OPTIONAL, "responses": {200: {"content": {"application/json": {"schema": {}}}}}}


class EvidenceOut(Schema):
    """One piece of evidence; ``organisations``, whom it names, only for its own people and the operator."""

    digest: str
    trial_id: UUID
    subject_version_id: UUID
    subject_name: str
    protocol_name: str
    protocol_version: str
    attempt: int
    verdict: Outcome
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


class EvidenceList(Paged):
    """One page of evidence, newest first."""

    items: list[EvidenceOut]


class ChangeOut(Schema):
    """One decision about who sees it: what, by whom, when."""

    version: int
    visibility: Visibility
    organisations: list[UUID]
    embargo_until: datetime | None
    decided_by: str
    at: datetime


class ChangeList(Paged):
    """One page of decisions, the newest first."""

    items: list[ChangeOut]


class VerificationCheck(Schema):
    """One check of an evidence file, in its order; the first that fails is the last."""

    name: str
    passed: bool
    text: str


class VerificationOut(Schema):
    """What the checks of the kept file say against the centre's present key."""

    valid: bool
    keyid: str
    checks: list[VerificationCheck]


class HeadOut(Schema):
    """A signed head of the log's tree: how many positions it has, and the root over them."""

    chain: str
    sequence: int
    hash: str
    at: str
    keyid: str
    signature: str


class ProofOut(Schema):
    """A proof as a file has it; ``schema`` names its kind, hashes are hex."""

    kind: str = Field(alias="schema")
    path: list[str]
    head: HeadOut


class InclusionOut(ProofOut):
    """That a piece of evidence is in the log under a signed head."""

    evidence: str
    sequence: int
    previous: str


class ConsistencyOut(ProofOut):
    """That the tree of a signed head begins with the tree of ``first`` positions."""

    first: int
    first_root: str


class AudienceOf(Schema):
    """Who shall see it; organisations are named by id or by business registration number."""

    visibility: Visibility
    organisations: list[UUID] = Field(default_factory=list, max_length=200)
    registration_numbers: list[Annotated[str, Field(max_length=40)]] = Field(default_factory=list, max_length=200)
    embargo_until: AwareDatetime | None = None

    def audience(self) -> Audience:
        """The same in the room's words; BadInput for a number that no organisation here has."""
        named = (*self.organisations, *_by_number(self.registration_numbers))
        return Audience(self.visibility, named, self.embargo_until)


class AudienceIn(AudienceOf):
    """Who shall see it from now on; ``seen_version`` guards against a change in between."""

    seen_version: Annotated[int, Field(ge=0, le=WHOLE_MAX)] | None = None


class InvalidationIn(Schema):
    """Why it must no longer be relied on; everybody who sees the evidence reads it."""

    reason: Annotated[str, Field(max_length=2000)]


def _by_number(texts: list[str]) -> list[UUID]:
    numbers = {text: accounts.clean_registration_number(text) for text in texts}
    found = accounts.organisations_by_number(numbers.values())
    unknown = next((text for text, number in numbers.items() if number not in found), None)
    if unknown is not None:
        raise BadInput(
            N_("No organisation here has the number {number}. Ask it to sign up first."),
            field="registration_numbers",
            number=unknown,
        )
    return [one.id for one in found.values()]


def _evidence(view: EvidenceView) -> EvidenceOut:
    values = {name: getattr(view, name) for name in EvidenceOut.model_fields if name != "organisations"}
    return EvidenceOut(**values, organisations=list(view.organisations))


def _change(view: VisibilityChange) -> ChangeOut:
    return ChangeOut(
        version=view.version,
        visibility=view.visibility,
        organisations=list(view.organisations),
        embargo_until=view.embargo_until,
        decided_by=view.actor,
        at=view.at,
    )


@router.get("/evidence", response={200: EvidenceList, **refusals(403, 404)}, summary="A project's evidence")
def list_evidence(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> EvidenceList:
    """Newest first. The project's people and the operator may."""
    found = queries.project_evidence(actor=accounts.actor_of(request), project_id=project_id, page=page)
    return paged(EvidenceList, found, _evidence)


@router.get("/evidence/latest", response=EvidenceList, auth=None, summary="The newest public evidence")
def list_latest_evidence(request: HttpRequest, page: PageNumber = 1) -> EvidenceList:
    """The newest 20 that anybody may see and that are not invalidated. Open to everybody."""
    found = [replace(view, organisations=()) for view in queries.latest_public(LATEST_SHOWN)]
    return paged(EvidenceList, page_of_items(found, page), _evidence)


@router.get(
    "/evidence/{digest}",
    response={200: EvidenceOut, **refusals(404)},
    auth=ANYBODY,
    summary="One piece of evidence",
    openapi_extra=OPTIONAL,
)
def get_evidence(request: HttpRequest, digest: str) -> EvidenceOut:
    """Public evidence needs no sign-in, named evidence its readers'; private and unknown answer alike."""
    actor = accounts.actor_of(request)
    view = queries.evidence(actor=actor, digest=digest)
    return _evidence(view if queries.belongs(actor, view) else replace(view, organisations=()))


@router.get(
    "/evidence/{digest}/file",
    response={200: None, **refusals(404)},
    auth=ANYBODY,
    summary="The evidence file",
    openapi_extra=JSON_FILE,
)
def get_evidence_file(request: HttpRequest, digest: str) -> HttpResponse:
    """The file, byte for byte. Who may see the evidence may."""
    data = queries.evidence_file(actor=accounts.actor_of(request), digest=digest)
    return HttpResponse(data, content_type="application/json")


@router.get(
    "/evidence/{digest}/verification",
    response={200: VerificationOut, **refusals(404)},
    auth=ANYBODY,
    summary="Check the kept file",
    openapi_extra=OPTIONAL,
)
def verify_kept_evidence(request: HttpRequest, digest: str) -> VerificationOut:
    """Every check of the file kept here against the centre's key. Who doubts the centre checks the file offline.

    Who may see the evidence may.
    """
    data = queries.evidence_file(actor=accounts.actor_of(request), digest=digest)
    key = centre_public_key()
    done = verify_evidence(data, [key])
    checks = [
        VerificationCheck(name=one.name, passed=one.passed, text=render_text(one.text)) for one in done.checks
    ]
    return VerificationOut(valid=done.valid, keyid=key.keyid, checks=checks)


@router.get(
    "/evidence/{digest}/inclusion",
    response={200: InclusionOut, **refusals(404, 409)},
    auth=ANYBODY,
    by_alias=True,
    summary="Proof that it is in the log",
    openapi_extra=OPTIONAL,
)
def get_evidence_inclusion(request: HttpRequest, digest: str) -> dict[str, Any]:
    """An inclusion proof (RFC 6962) under the newest signed head. Who may see the evidence may."""
    view = queries.evidence(actor=accounts.actor_of(request), digest=digest)
    return evidence_tree.inclusion(view.log_sequence, view.log_previous, view.digest).to_json()


@router.get(
    "/evidence-log/head",
    response={200: HeadOut, **refusals(404, 409)},
    auth=None,
    summary="The newest signed head of the evidence log",
)
def get_evidence_log_head(request: HttpRequest) -> dict[str, object]:
    """Keep it: a later proof shows that the log has only grown since. Open to everybody."""
    return evidence_tree.signed_head().to_json()


@router.get(
    "/evidence-log/consistency",
    response={200: ConsistencyOut, **refusals(400, 404, 409)},
    auth=None,
    by_alias=True,
    summary="Proof that the evidence log has only grown",
)
def get_evidence_log_consistency(
    request: HttpRequest, first: Annotated[int, Field(ge=1, le=WHOLE_MAX)]
) -> dict[str, Any]:
    """From the tree of ``first`` positions to the newest signed head (RFC 6962). Open to everybody."""
    return evidence_tree.consistency(first).to_json()


@router.get(
    "/evidence/{digest}/history",
    response={200: ChangeList, **refusals(403, 404)},
    summary="Who decided about who sees it",
)
def list_visibility_changes(request: HttpRequest, digest: str, page: PageNumber = 1) -> ChangeList:
    """The newest 100 decisions. The project's people and the operator may, not its other readers."""
    view = queries.own_evidence(actor=accounts.actor_of(request), digest=digest)
    return paged(ChangeList, page_of_items(queries.visibility_history(view), page), _change)


@router.post(
    "/evidence/{digest}/visibility",
    response={200: EvidenceOut, **refusals(404, 409)},
    summary="Decide who sees it",
)
def change_visibility(request: HttpRequest, digest: str, body: AudienceIn) -> EvidenceOut:
    """Publish, name organisations, set an embargo or withdraw; the same decision again changes nothing.

    The project's owner and managers may. 409 when somebody decided after ``seen_version``.
    """
    view = services.change_visibility(
        actor=accounts.actor_of(request),
        digest=digest,
        audience=body.audience(),
        seen_version=body.seen_version,
    )
    return _evidence(view)


@router.post(
    "/evidence/{digest}/invalidation",
    response={200: EvidenceOut, **refusals(404, 409)},
    summary="Invalidate it",
)
def invalidate_evidence(request: HttpRequest, digest: str, body: InvalidationIn) -> EvidenceOut:
    """State that it must no longer be relied on; it stays. Staff and engineers may. Again changes nothing."""
    return _evidence(services.invalidate(actor=accounts.actor_of(request), digest=digest, reason=body.reason))
