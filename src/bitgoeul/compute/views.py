"""Pages of jobs: a list, one job with its live log."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput, WrongState
from bitgoeul.kernel.text import Text
from bitgoeul.ledger.facade import UNITS
from bitgoeul.web.facade import is_fragment, no_store, page_number, render_text

from . import facade
from .downloads import download
from .origins import origin_address
from .ports import STREAMS
from .queries import artefact, artefacts, job_lines, thing_of
from .states import MACHINE
from .sweep_queries import parameters_of
from .types import JobView, LogChunk
from .use import charts
from .words import environment_rows, isolation_view, plain_word

LOG_PIECE = 128 * 1024
SEARCH_BYTES = 1024 * 1024
MATCHES_MAX = 200
QUERY_MAX = 200


@require_GET
@login_required
def job_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """GET /projects/<id>/jobs/"""
    actor = accounts.actor_of(request)
    project = accounts.project(actor=actor, project_id=project_id)
    page = job_lines(actor=actor, project=project, page=page_number(request))
    may_submit = accounts.may(actor=actor, verb="compute.submit_job", thing=project.thing)
    context = {"project": project, "page": page, "machine": MACHINE, "may_submit": may_submit}
    return no_store(render(request, "compute/jobs.html", context))


# --- one job


@require_GET
@login_required
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """GET /jobs/<id>/"""
    actor = accounts.actor_of(request)
    view = facade.job(actor=actor, job_id=job_id)
    stream = _stream(request)
    context = {
        **_state_context(actor, view),
        "project": accounts.project(actor=actor, project_id=view.project_id),
        "submitter": accounts.names([view.submitted_by]).get(view.submitted_by, view.submitted_by),
        "origin_url": origin_address(view.origin),
        "files": artefacts(actor=actor, job_id=job_id),
        "usage": usage_lines(view.held, view.charged),
        "command": shlex.join(view.request.argv),
        "variables": _values(view),
        "devices": [(plain_word(name), count) for name, count in view.request.devices.items()],
        "environment": environment_rows(view.environment),
        "isolation": isolation_view(view.environment),
        "limits": view.request.limits,
        **_use_context(actor, view),
        **_log_context(request, actor, view, stream),
    }
    return no_store(render(request, "compute/job.html", context))


@require_GET
@login_required
def job_state(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """GET /jobs/<id>/state/ — the state line; a whole page again once the job has ended."""
    actor = accounts.actor_of(request)
    view = facade.job(actor=actor, job_id=job_id)
    if not is_fragment(request):
        return redirect("compute:job", job_id=job_id)
    answer = render(request, "compute/parts/state.html", _state_context(actor, view))
    if view.finished:
        answer["HX-Refresh"] = "true"
    return no_store(answer)


@require_GET
@login_required
def job_use(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """GET /jobs/<id>/use/ — what the job makes of what it has, as a fragment of its page."""
    actor = accounts.actor_of(request)
    view = facade.job(actor=actor, job_id=job_id)
    if not is_fragment(request):
        return redirect("compute:job", job_id=job_id)
    return no_store(render(request, "compute/parts/use.html", {"job": view, **_use_context(actor, view)}))


@require_GET
@login_required
def job_log(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """GET /jobs/<id>/log/?stream=&offset= — what came since ``offset``; as a page the log alone, as plain text."""
    actor = accounts.actor_of(request)
    view = facade.job(actor=actor, job_id=job_id)
    stream = _stream(request)
    offset = _offset(request)
    chunk = facade.read_log(actor=actor, job_id=job_id, stream=stream, offset=offset, limit=LOG_PIECE)
    if not is_fragment(request):
        return no_store(HttpResponse(chunk.text, content_type="text/plain; charset=utf-8"))
    context = {"job": view, "stream": stream, "chunk": chunk}
    # Without the file's own last newline, which would stand in the log.
    piece = render_to_string("compute/parts/log_piece.html", context, request).removesuffix("\n")
    return no_store(HttpResponse(piece))


@require_POST
@login_required
def job_cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """POST /jobs/<id>/cancel/"""
    try:
        view = facade.cancel_job(actor=accounts.actor_of(request), job_id=job_id)
    except WrongState as error:
        messages.warning(request, render_text(error.text))
    else:
        messages.info(request, _("The job ends now.") if view.stopping else _("The job was cancelled."))
    return redirect("compute:job", job_id=job_id)


@require_POST
@login_required
def job_write_off(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """POST /jobs/<id>/write-off/"""
    try:
        facade.write_off_job(
            actor=accounts.actor_of(request), job_id=job_id, reason=request.POST.get("reason", "")
        )
    except (WrongState, BadInput) as error:
        messages.warning(request, render_text(error.text))
    return redirect("compute:job", job_id=job_id)


@require_GET
@login_required
def job_file(request: HttpRequest, job_id: UUID, role: str, name: str) -> HttpResponseBase:
    """GET /jobs/<id>/files/<role>/<name>"""
    found = artefact(actor=accounts.actor_of(request), job_id=job_id, role=role, name=name)
    answer: FileResponse = download(found)
    return answer


def _values(view: JobView) -> str:
    """The values of its sweep that a job has; its other variables may hold what only its program should read."""
    names = parameters_of(view.sweep_id) if view.sweep_id else ()
    return " ".join(f"{name}={shlex.quote(view.request.env[name])}" for name in names)


def _state_context(actor: accounts.Actor, view: JobView) -> dict[str, object]:
    thing = thing_of(view)
    return {
        "job": view,
        "machine": MACHINE,
        "may_cancel": accounts.may(actor=actor, verb="compute.cancel_job", thing=thing),
        "may_write_off": accounts.may(actor=actor, verb="compute.write_off_job", thing=thing),
    }


def _use_context(actor: accounts.Actor, view: JobView) -> dict[str, object]:
    use = facade.job_use(actor=actor, job_id=view.id)
    return {"use": use, "charts": charts(use, view.request.limits)}


def _stream(request: HttpRequest) -> str:
    asked = request.GET.get("stream", STREAMS[0])
    return asked if asked in STREAMS else STREAMS[0]


def _offset(request: HttpRequest) -> int:
    text = request.GET.get("offset", "0")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


@dataclass(frozen=True)
class UsageLine:
    """One unit on a job's page: what is set aside, and what was charged once it is known."""

    unit: str
    held: int | None
    charged: int | None

    @property
    def label(self) -> Text:
        """The word for the unit."""
        known = UNITS.get(self.unit)
        return known.label if known else Text("{unit}", {"unit": self.unit})


def usage_lines(held: Mapping[str, int], charged: Mapping[str, int]) -> list[UsageLine]:
    """A line for each unit that is set aside or was charged."""
    return [UsageLine(unit, held.get(unit), charged.get(unit)) for unit in sorted({*held, *charged})]


@dataclass(frozen=True)
class Match:
    """A line of a log that holds what was searched for."""

    number: int
    text: str


def _log_context(request: HttpRequest, actor: accounts.Actor, view: JobView, stream: str) -> dict[str, object]:
    query = request.GET.get("q", "").strip()[:QUERY_MAX]
    limit = SEARCH_BYTES if query else LOG_PIECE
    chunk = facade.read_log(actor=actor, job_id=view.id, stream=stream, limit=limit)
    matches = search(chunk, query) if query else []
    return {
        "chunk": chunk,
        "stream": stream,
        "streams": STREAMS,
        "query": query,
        "matches": matches[:MATCHES_MAX],
        "match_count": len(matches),
    }


def search(chunk: LogChunk, query: str) -> list[Match]:
    """Lines that hold ``query``, letter case aside, with their numbers from 1."""
    wanted = query.casefold()
    lines = enumerate(chunk.text.splitlines(), start=1)
    return [Match(number, line) for number, line in lines if wanted in line.casefold()]
