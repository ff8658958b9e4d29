"""Pages about evidence: check it, take it along, decide who sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from bitgoeul.accounts import facade as accounts
from bitgoeul.content import facade as content
from bitgoeul.kernel.canonical import loads_strict
from bitgoeul.kernel.clock import parse_rfc3339
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.signing import Envelope
from bitgoeul.kernel.text import Label, Text
from bitgoeul.web.facade import add_error

from . import evidence as services
from . import evidence_queries as queries
from . import present
from .evidence_forms import AudienceForm, InvalidationForm
from .evidence_types import EvidenceView
from .evidence_words import centre_public_key, messages_of, one_file_verifier, script_words, words
from .ports import Reason
from .statement import FILE_BYTES_MAX

LATEST_SHOWN = 5


@require_GET
@never_cache
def verify(request: HttpRequest) -> HttpResponse:
    """The page that checks a chosen file, or looks a digest up."""
    asked = request.GET.get("digest", "").strip().lower()[:80]
    if queries.is_digest(asked):
        return redirect("trials:verify_result", asked)
    return _verify_page(request, asked=asked, malformed=bool(asked), status=400 if asked else 200)


def _verify_page(request: HttpRequest, *, status: int, **context: object) -> HttpResponse:
    shown = {
        "words": words(),
        "script_words": script_words([_language()]),
        "latest": queries.latest_public(LATEST_SHOWN),
    }
    return render(request, "trials/verify.html", {**shown, **context}, status=status)


def _language() -> str:
    return (get_language() or "ko").split("-")[0]


@require_GET
@never_cache
def verify_result(request: HttpRequest, digest: str) -> HttpResponse:
    """The public page of one piece of evidence; unknown and not visible give the same answer."""
    actor = accounts.actor_of(request)
    view = queries.visible_evidence(actor=actor, digest=digest)
    if view is None:
        return _verify_page(request, unknown=True, status=404)
    statement = _statement(content.read(view.digest, max_bytes=FILE_BYTES_MAX))
    context = {
        "evidence": view,
        "own": queries.belongs(actor, view),
        "statement": statement,
        "notes": [Label(**note).in_language(_language()) for note in statement["predicate"]["notes"]],
        "reasons": [present.Gate(present.check_title(one.check), one) for one in _reasons(statement)],
        "started_at": parse_rfc3339(statement["predicate"]["started_at"]),
        "ended_at": parse_rfc3339(statement["predicate"]["ended_at"]),
        "words": words(),
        "script_words": script_words([_language()], messages_of(statement)),
    }
    return render(request, "trials/verify_result.html", context)


def _statement(data: bytes) -> dict[str, Any]:
    statement: dict[str, Any] = loads_strict(Envelope.from_json(loads_strict(data)["envelope"]).payload)
    return statement


def _reasons(statement: Mapping[str, Any]) -> list[Reason]:
    return [
        Reason(one["check"], one["passed"], Text.from_json(one["text"]), one["value"], one["limit"])
        for one in statement["predicate"]["verdict"]["reasons"]
    ]


@require_GET
@never_cache
def evidence_file(request: HttpRequest, digest: str) -> HttpResponse:
    """The evidence file, byte for byte."""
    data = queries.evidence_file(actor=accounts.actor_of(request), digest=digest)
    response = HttpResponse(data, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{digest}.json"'
    return response


@require_GET
@never_cache
def verifier_file(request: HttpRequest, digest: str) -> HttpResponse:
    """The one-file verifier as a download: its inline script must never run on this site."""
    data = queries.evidence_file(actor=accounts.actor_of(request), digest=digest)
    html = one_file_verifier(data, digest, centre_public_key())
    response = HttpResponse(html, content_type="text/html; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="evidence-{digest[:12]}.html"'
    return response


@require_GET
def centre_key(_request: HttpRequest) -> HttpResponse:
    """The centre's public key in PEM."""
    services.centre_key()  # made on first use, so that the address always answers
    data = (Path(settings.KEYS) / "centre.pub").read_bytes()
    return HttpResponse(data, content_type="application/x-pem-file")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def evidence(request: HttpRequest, digest: str) -> HttpResponse:
    """A piece of evidence for those it belongs to: its place in the log, who sees it, its end."""
    actor = accounts.actor_of(request)
    view = queries.evidence(actor=actor, digest=digest)
    if not queries.belongs(actor, view):
        if request.method == "POST":
            accounts.require(actor=actor, verb="trials.publish_evidence", thing=queries.thing(view))
        return redirect("trials:verify_result", digest)
    audience = AudienceForm(initial=AudienceForm.initial_of(view))
    invalidation = InvalidationForm()
    if request.method == "POST":
        verb = "invalidate_evidence" if "reason" in request.POST else "publish_evidence"
        accounts.require(actor=actor, verb=f"trials.{verb}", thing=queries.thing(view))
        if "reason" in request.POST:
            invalidation = InvalidationForm(request.POST)
            done = _invalidate(actor, view, invalidation)
        else:
            audience = AudienceForm(request.POST)
            done = _change(actor, view, audience)
        if done:
            messages.success(request, done)
            return redirect("trials:evidence", digest)
    return _evidence_page(request, actor, view, audience, invalidation)


def _change(actor: accounts.Actor, view: EvidenceView, form: AudienceForm) -> str | None:
    if not form.is_valid():
        return None
    try:
        services.change_visibility(
            actor=actor,
            digest=view.digest,
            audience=form.audience(),
            seen_version=form.cleaned_data["seen_version"],
        )
    except DomainError as error:
        add_error(form, error)
        return None
    return gettext("Who sees the evidence is decided.")


def _invalidate(actor: accounts.Actor, view: EvidenceView, form: InvalidationForm) -> str | None:
    if not form.is_valid():
        return None
    try:
        services.invalidate(actor=actor, digest=view.digest, reason=form.cleaned_data["reason"])
    except DomainError as error:
        add_error(form, error)
        return None
    return gettext("The evidence is invalidated.")


def _evidence_page(
    request: HttpRequest,
    actor: accounts.Actor,
    view: EvidenceView,
    audience: AudienceForm,
    invalidation: InvalidationForm,
) -> HttpResponse:
    thing = queries.thing(view)
    context = {
        "evidence": view,
        "may_publish": accounts.may(actor=actor, verb="trials.publish_evidence", thing=thing),
        "may_invalidate": accounts.may(actor=actor, verb="trials.invalidate_evidence", thing=thing),
        "audience": audience,
        "invalidation": invalidation,
        **_history(view),
        "log_length": queries.log_length(),
        "words": words(),
    }
    bad = audience.errors or invalidation.errors
    return render(request, "trials/evidence.html", context, status=400 if bad else 200)


def _history(view: EvidenceView) -> dict[str, object]:
    """The visibility changes with the names of people and organisations, in two more queries."""
    changes = queries.visibility_history(view)
    names = accounts.names([change.actor for change in changes])
    wanted = {one for change in changes for one in change.organisations}
    known = accounts.organisations(wanted | set(view.organisations))
    return {
        "named": [known[one] for one in view.organisations],
        "history": [
            {"change": change, "name": names[change.actor], "named": [known[one] for one in change.organisations]}
            for change in changes
        ],
    }
