"""Pages of subjects and trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.content import facade as content
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import DomainError, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import add_error, is_fragment, no_store, page_number

from . import board, present, present_compatibility, queries, services
from .errors import UnknownProtocol
from .forms import SubjectForm, TrialForm, VersionForm
from .statement import RECORD_BYTES_MAX
from .states import TRIAL, UNFINISHED, TrialState
from .subjects_rest import read_upload
from .types import KIND_LABELS, Estimate, ProtocolView, SubjectVersionView, TrialView

HIDDEN = frozenset({403, 404})


@login_required
@require_http_methods(["GET", "POST"])
def subject_new(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Bring a subject into a project, with its first version."""
    actor = accounts.actor_of(request)
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="trials.create_subject", thing=project.thing)
    form = SubjectForm(request.POST, request.FILES) if request.method == "POST" else SubjectForm()
    if request.method == "POST" and form.is_valid():
        made = _bring_in(actor, project_id, form)
        if made:
            messages.success(request, gettext("The subject is here. Ask for its trial next."))
            return redirect("trials:subject", id=form.cleaned_data["id"])
    context = {"form": form, "project": project}
    return no_store(render(request, "trials/subject_new.html", context, status=400 if form.errors else 200))


def _bring_in(actor: accounts.Actor, project_id: UUID, form: SubjectForm) -> bool:
    data = form.cleaned_data
    try:
        services.bring_in(
            actor=actor, id=data["id"], project_id=project_id, name=data["name"], kind=data["kind"],
            version_id=data["version_id"], filename=data["file"].name, data=read_upload(data["file"]),
            note=data["note"],
        )  # fmt: skip
    except DomainError as error:
        return _beside(form, error)
    return True


def _add(actor: accounts.Actor, subject_id: UUID, form: VersionForm) -> bool:
    data = form.cleaned_data
    services.add_version(
        actor=actor, id=data["version_id"], subject_id=subject_id,
        filename=data["file"].name, data=read_upload(data["file"]), note=data["note"],
    )  # fmt: skip
    return True


def _beside(form: Any, error: DomainError) -> bool:
    """Show a refusal beside its field; what one may not know or do is a page of its own."""
    if error.status in HIDDEN:
        raise error
    add_error(form, error)
    return False


@login_required
@require_GET
def subject(request: HttpRequest, id: UUID) -> HttpResponse:
    """A subject: where it stands, what the next stage lacks, its versions and trials."""
    return no_store(_subject_page(request, id, VersionForm()))


@login_required
@require_POST
def version_new(request: HttpRequest, id: UUID) -> HttpResponse:
    """Add a version to a subject."""
    actor = accounts.actor_of(request)
    accounts.require(actor=actor, verb="trials.add_version", thing=queries.subject_thing(id))
    form = VersionForm(request.POST, request.FILES)
    try:
        if form.is_valid() and _add(actor, id, form):
            messages.success(request, gettext("The version is here. Ask for its trial next."))
            return redirect("trials:subject", id=id)
    except DomainError as error:
        _beside(form, error)
    return no_store(_subject_page(request, id, form, status=400))


def _subject_page(request: HttpRequest, id: UUID, form: VersionForm, status: int = 200) -> HttpResponse:
    actor = accounts.actor_of(request)
    view = queries.subject(actor=actor, subject_id=id)
    context = {
        "subject": view,
        "kind": KIND_LABELS[view.kind],
        "project": accounts.projects([view.project_id])[view.project_id],
        "standing": board.subject_standing(actor=actor, subject_id=id),
        "versions": queries.versions(actor=actor, subject_id=id),
        "page": queries.trials_of_subject(actor=actor, subject_id=id, page=page_number(request)),
        "machine": TRIAL,
        "form": form,
        "may_add": accounts.may(actor=actor, verb="trials.add_version", thing=queries.subject_thing(id)),
    }
    return render(request, "trials/subject.html", context, status=status)


@login_required
@require_http_methods(["GET", "POST"])
def trial_new(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Ask for a trial; the form comes from the protocol's schema, ``?version=`` chooses what is tried."""
    actor = accounts.actor_of(request)
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="trials.request_trial", thing=project.thing)
    brought_in = queries.project_versions(actor=actor, project_id=project_id)
    protocols = queries.protocols()
    protocol = _chosen(request, protocols, brought_in)
    if protocol is None:
        context: dict[str, Any] = {"project": project, "protocols": protocols}
        return no_store(render(request, "trials/trial_none.html", context))
    versions = [one for one in brought_in if protocol.takes(one.kind)]
    form = TrialForm(
        request.POST if request.method == "POST" else None, protocol=protocol, versions=versions,
        initial={"version": request.GET.get("version", str(versions[0].id))},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid() and _ask(actor, form):
        return redirect("trials:trial", id=form.cleaned_data["id"])
    context = {
        "form": form,
        "project": project,
        "protocol": protocol,
        "others": [one for one in _possible(protocols, brought_in) if one.digest != protocol.digest],
        "estimate": _estimate(actor, form, protocol, versions),
    }
    return no_store(render(request, "trials/trial_new.html", context, status=400 if form.errors else 200))


def _possible(protocols: Sequence[ProtocolView], versions: Sequence[SubjectVersionView]) -> Sequence[ProtocolView]:
    """The protocols that take something of what was brought in."""
    kinds = {one.kind for one in versions}
    return [one for one in protocols if any(one.takes(kind) for kind in kinds)]


def _chosen(
    request: HttpRequest, protocols: Sequence[ProtocolView], versions: Sequence[SubjectVersionView]
) -> ProtocolView | None:
    """The protocol that address or form names, or the first that takes the chosen version; None without."""
    digest = request.POST.get("protocol") or request.GET.get("protocol")
    if digest and not any(one.digest == digest for one in protocols):
        raise UnknownProtocol(field="protocol")
    possible = _possible(protocols, versions)
    if digest:
        return next((one for one in possible if one.digest == digest), None)
    wanted = request.GET.get("version", "")
    version = next((one for one in versions if str(one.id) == wanted), versions[0] if versions else None)
    return next((one for one in possible if version and one.takes(version.kind)), None)


def _ask(actor: accounts.Actor, form: TrialForm) -> bool:
    try:
        services.request_trial(
            actor=actor,
            id=form.cleaned_data["id"],
            subject_version_id=form.version_id(),
            protocol_digest=form.cleaned_data["protocol"],
            parameters=form.parameters(),
            audience=form.audience(),
        )
    except DomainError as error:
        return _beside(form, error)
    return True


def _estimate(actor: accounts.Actor, form: TrialForm, protocol: ProtocolView, versions: Any) -> Estimate | None:
    """What the trial as filled in would hold; nothing while the form does not say."""
    chosen: SubjectVersionView = versions[0]
    try:
        parameters = form.parameters() if form.is_bound and form.is_valid() else {}
        return services.estimate(
            actor=actor, subject_version_id=chosen.id, protocol_digest=protocol.digest, parameters=parameters
        )
    except (DomainError, KeyError):
        return None


@login_required
@require_GET
def trial(request: HttpRequest, id: UUID) -> HttpResponse:
    """One trial: the verdict with its reasons, the gate, the measurements, the attempts, the record."""
    actor = accounts.actor_of(request)
    view = queries.trial(actor=actor, trial_id=id)
    thing = queries.trial_thing(view)
    judgement = view.judgements[-1] if view.judgements else None
    context = {
        **_status(view),
        "judgement": judgement,
        "failed": judgement.verdict.failed() if judgement else (),
        "gates": present.gates(view.reasons),
        "attempts": queries.attempts_of(view),
        "parameters": present.parameters(view.parameters, queries.protocol(view.protocol_digest).definition),
        "project": accounts.projects([view.project_id])[view.project_id],
        "requested_by": accounts.names([view.requested_by]).get(view.requested_by, view.requested_by),
        "may_judge": view.state in (TrialState.JUDGED, TrialState.SIGNED)
        and accounts.may(actor=actor, verb="trials.judge_again", thing=thing).allowed,
        "may_stop": view.state in UNFINISHED
        and accounts.may(actor=actor, verb="trials.stop_trial", thing=thing).allowed,
        **_measured(view),
    }
    return no_store(render(request, "trials/trial.html", context))


def _measured(view: TrialView) -> dict[str, Any]:
    record = queries.record_of(view)
    if record is None:
        return {"record": None}
    try:
        if record.get("schema") == present_compatibility.SCHEMA:
            return {"record": record, **present_compatibility.shown(record)}
        return {
            "record": record,
            "scenarios": present.scenarios(record),
            "chart": present.latency_chart(record),
            "reading": present.chart_reading(record),
            "environment": present.environment(record),
            "accuracy": present.accuracy(record),
            "statements": present.statements(record),
        }
    except (KeyError, TypeError, IndexError, AttributeError):
        # A record that was judged damaged is offered for download, never drawn.
        return {"record": record, "scenarios": [], "environment": []}


def _status(view: TrialView) -> dict[str, Any]:
    """What the polled part shows; the same values on the whole page."""
    job = compute.job_views([view.job_id]).get(view.job_id)
    started = job.started_at if job else None
    elapsed = int((now() - started).total_seconds()) if started and view.state in UNFINISHED else 0
    return {
        "trial": view,
        "machine": TRIAL,
        "job": job,
        "job_machine": compute.JOB,
        "unfinished": view.state in UNFINISHED,
        "elapsed": min(elapsed, view.expected_seconds),
        "late": elapsed > view.expected_seconds,
        "moves": audit.moves_of(TRIAL.name, [view.id])[str(view.id)],
    }


@login_required
@require_GET
def trial_status(request: HttpRequest, id: UUID) -> HttpResponse:
    """The part of the trial page that is asked for every two seconds while it is measured."""
    view = queries.trial(actor=accounts.actor_of(request), trial_id=id)
    if not is_fragment(request):
        return redirect("trials:trial", id=id)
    if view.state not in UNFINISHED:
        return no_store(HttpResponseClientRefresh())
    return no_store(render(request, "trials/parts/status.html", _status(view)))


@login_required
@require_POST
def trial_stop(request: HttpRequest, id: UUID) -> HttpResponse:
    """Ask that a measurement ends."""
    services.stop_trial(actor=accounts.actor_of(request), trial_id=id)
    messages.success(request, gettext("The measurement is being stopped."))
    return redirect("trials:trial", id=id)


@login_required
@require_POST
def trial_judge(request: HttpRequest, id: UUID) -> HttpResponse:
    """Judge the kept record once more."""
    services.judge_again(actor=accounts.actor_of(request), trial_id=id, id=new_id())
    messages.success(
        request, gettext("The record was judged again; the new judgement stands beside the earlier ones.")
    )
    return redirect("trials:trial", id=id)


@login_required
@require_GET
def trial_record(request: HttpRequest, id: UUID) -> HttpResponse:
    """The record, byte for byte."""
    view = queries.trial(actor=accounts.actor_of(request), trial_id=id)
    if not view.record_digest:
        raise NotFound
    response = HttpResponse(
        content.read(view.record_digest, max_bytes=RECORD_BYTES_MAX), content_type="application/json"
    )
    response["Content-Disposition"] = f'attachment; filename="record-{view.id}.json"'
    return no_store(response)


@login_required
@require_GET
def trial_logs(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """LoadGen's own files."""
    view = queries.trial(actor=accounts.actor_of(request), trial_id=id)
    if not view.logs_digest:
        raise NotFound
    stream = content.open_blob(view.logs_digest)
    return no_store(FileResponse(stream, as_attachment=True, filename=f"logs-{view.id}.tar"))


def trial_address(trial_id: str) -> str:
    """The page of a trial, for whoever only knows its id."""
    return reverse("trials:trial", args=[trial_id])
