"""Pages of sweeps: a project's list, one sweep with how far its jobs are, its workbook."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Column, xlsx
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import attachment, is_fragment, no_store, page_number, render_text

from . import facade
from .squares import draw_each
from .states import MACHINE, JobState
from .sweep_queries import sweep_jobs, sweep_lines, sweep_look, sweep_thing
from .sweep_queries import sweeps as sweeps_of
from .types import SweepJob, SweepView
from .views import usage_lines
from .words import SQUARE_LABELS, SQUARE_MARKS, plain_word, sweep_word

# Broad enough for a grid to be seen, narrow enough for a phone.
SQUARE_COLUMNS = 40


@require_GET
@login_required
def sweep_list(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """GET /projects/<id>/sweeps/"""
    actor = accounts.actor_of(request)
    project = accounts.project(actor=actor, project_id=project_id)
    page = sweeps_of(actor=actor, project_id=project_id, page=page_number(request))
    context = {
        "project": project,
        "page": page,
        "rows": [(view, *sweep_word(view)) for view in page.items],
        "may_submit": accounts.may(actor=actor, verb="compute.submit_job", thing=project.thing),
    }
    return no_store(render(request, "compute/sweeps.html", context))


@require_GET
@login_required
def sweep_page(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    """GET /sweeps/<id>/?state=&page="""
    actor = accounts.actor_of(request)
    live = _live_context(request, actor, sweep_id)
    view: SweepView = live["sweep"]
    asked = view.request
    context = {
        **live,
        "project": accounts.project(actor=actor, project_id=view.project_id),
        "submitter": accounts.names([view.submitted_by]).get(view.submitted_by, view.submitted_by),
        "may_cancel": accounts.may(actor=actor, verb="compute.cancel_job", thing=sweep_thing(view)),
        "command": shlex.join(asked.argv),
        "devices": [(plain_word(name), count) for name, count in asked.devices.items()],
        "limits": asked.limits,
        "states": [(str(each), MACHINE.label(each)) for each in view.states],
    }
    return no_store(render(request, "compute/sweep.html", context))


@require_GET
@login_required
def sweep_state(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    """GET /sweeps/<id>/state/?state=&page= — how far it is; a whole page again once all jobs have ended."""
    actor = accounts.actor_of(request)
    live = _live_context(request, actor, sweep_id)
    if not is_fragment(request):
        return redirect("compute:sweep", sweep_id=sweep_id)
    answer = render(request, "compute/parts/sweep_live.html", live)
    if live["sweep"].finished:
        answer["HX-Refresh"] = "true"
    return no_store(answer)


@require_POST
@login_required
def sweep_cancel(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    """POST /sweeps/<id>/cancel/"""
    view = facade.cancel_sweep(actor=accounts.actor_of(request), sweep_id=sweep_id)
    ended = _("The rest of the sweep was cancelled.") if view.finished else _("The jobs that run end now.")
    messages.info(request, ended)
    return redirect("compute:sweep", sweep_id=sweep_id)


@require_GET
@login_required
def sweep_xlsx(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    """GET /sweeps/<id>/jobs.xlsx — every job, whatever the page shows."""
    actor = accounts.actor_of(request)
    view = facade.sweep(actor=actor, sweep_id=sweep_id)
    units = sorted(view.charged or {})
    headings = [
        (_("Number"), 10), *((name, 16) for name in view.parameters), (_("State"), 14), (_("Exit status"), 12),
        (_("Started"), 20), (_("Ended"), 20), (_("Time from start to end (ms)"), 24),
        *((_("Charged (%(unit)s)") % {"unit": unit}, 20) for unit in units), (_("Job"), 38),
    ]  # fmt: skip
    rows = (
        (one.index + 1, *one.values, render_text(MACHINE.label(one.state)), one.exit_code, one.started_at,
         one.ended_at, one.wall_ms, *(one.charged.get(unit) for unit in units), str(one.id))
        for one in sweep_lines(actor=actor, sweep_id=sweep_id)
    )  # fmt: skip
    return attachment(xlsx(view.name, [Column(*each) for each in headings], rows), f"sweep-{sweep_id}.xlsx")


def _live_context(request: HttpRequest, actor: accounts.Actor, sweep_id: UUID) -> dict[str, Any]:
    """What renews itself while the sweep runs: counts, squares, usage, and the page of its jobs that is shown."""
    view, states, held = sweep_look(actor=actor, sweep_id=sweep_id)
    chosen = request.GET.get("state", "")
    chosen = chosen if chosen in set(JobState) else ""
    page = sweep_jobs(actor=actor, sweep_id=sweep_id, page=page_number(request), state=chosen)
    word, tone = sweep_word(view)
    return {
        "sweep": view,
        "word": word,
        "tone": tone,
        "machine": MACHINE,
        "counts": [(state, count) for state, count in view.states.items()],
        "drawing": draw_each([SQUARE_MARKS[state] for state in states], SQUARE_COLUMNS),
        "key": _key(states),
        "usage": usage_lines(held, view.charged or {}),
        "page": page,
        "rows": [(one, list(zip(view.parameters, one.values, strict=True)), _took(one)) for one in page.items],
        "chosen": chosen,
        "query": request.GET.urlencode(),
    }


def _key(states: Sequence[JobState]) -> list[tuple[str, Text, object]]:
    """The shapes that the picture has, each with its word and a drawing of one."""
    there = {SQUARE_MARKS[state] for state in states}
    return [(mark, label, draw_each([mark])) for mark, label in SQUARE_LABELS.items() if mark in there]


def _took(one: SweepJob) -> int | None:
    """The whole seconds a job took, or has run; None for one that has not started or left no trace of it."""
    if one.wall_ms is not None:
        return (one.wall_ms + 500) // 1000
    if one.started_at is None or one.ended_at is not None:
        return None
    return (now() - one.started_at) // timedelta(seconds=1)
