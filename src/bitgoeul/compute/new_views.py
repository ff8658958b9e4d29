"""Pages of what shall run: the form of a job and of a sweep, each with its price as it is filled in.

Every POST works without a script; one with ``show`` only prices.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import add_error, no_store

from . import facade, offers, rules, sweeps
from .forms import JobForm, SweepForm, devices_of
from .job_templates import SWEEPS, TEMPLATES, first_values
from .queries import enabled_clusters

FORM_FIELDS = {
    "argv": "command",
    "env": "command",
    "files": "script",
    "inputs": "script",
    "limits": "wall_seconds",
}
SHOWN_COMMANDS = 3
F = TypeVar("F", bound=JobForm)


@require_http_methods(["GET", "POST"])
@login_required
def job_new(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """GET and POST /projects/<id>/jobs/new/"""
    actor, project = _submitting(request, project_id)
    form = _form(request, JobForm)

    def submit() -> HttpResponse:
        view = facade.submit_job(
            actor=actor,
            id=form.job_id(),
            project_id=project_id,
            name=form.cleaned_data["name"],
            request=form.as_request(),
            files=form.given_files(),
            cluster=form.cluster_named(),
        )
        return redirect("compute:job", job_id=view.id)

    sent, answer = _answer(request, form, submit)
    if answer is not None:
        return answer
    context = {"project": project, "form": form, "templates": TEMPLATES, "sweeps": SWEEPS}
    context |= _offer(form, project_id)
    return no_store(render(request, "compute/job_new.html", context, status=400 if sent else 200))


@require_http_methods(["GET", "POST"])
@login_required
def sweep_new(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """GET and POST /projects/<id>/sweeps/new/"""
    actor, project = _submitting(request, project_id)
    form = _form(request, SweepForm)

    def submit() -> HttpResponse:
        view = facade.submit_sweep(
            actor=actor,
            id=form.job_id(),
            project_id=project_id,
            name=form.cleaned_data["name"],
            request=form.as_request(),
            points=form.points() or sweeps.Points((), ()),
            files=form.given_files(),
            cluster=form.cluster_named(),
        )
        return redirect("compute:sweep", sweep_id=view.id)

    sent, answer = _answer(request, form, submit)
    if answer is not None:
        return answer
    context = {"project": project, "form": form, "templates": SWEEPS, **_sweep_offer(form, project_id)}
    return no_store(render(request, "compute/sweep_new.html", context, status=400 if sent else 200))


@require_POST
@login_required
def job_price(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """POST /projects/<id>/jobs/price/ — price and place of the form as typed so far, as a fragment."""
    _submitting(request, project_id)
    context = _offer(_form(request, JobForm), project_id)
    return no_store(render(request, "compute/parts/offer.html", context))


@require_POST
@login_required
def sweep_price(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """POST /projects/<id>/sweeps/price/ — the same of a sweep, with how many jobs it is and the first of them."""
    _submitting(request, project_id)
    context = _sweep_offer(_form(request, SweepForm), project_id)
    return no_store(render(request, "compute/parts/offer.html", context))


def _submitting(request: HttpRequest, project_id: UUID) -> tuple[accounts.Actor, accounts.ProjectView]:
    actor = accounts.actor_of(request)
    project = accounts.project(actor=actor, project_id=project_id)
    accounts.require(actor=actor, verb="compute.submit_job", thing=project.thing)
    return actor, project


def _form(request: HttpRequest, kind: type[F]) -> F:
    clusters = enabled_clusters()
    if request.method == "POST":
        return kind(request.POST, clusters=clusters)
    first = first_values(request.GET.get("template", ""), devices_of(clusters[:1]))
    return kind(initial={**first, "id": new_id()}, clusters=clusters)


def _answer(
    request: HttpRequest, form: JobForm, submit: Callable[[], HttpResponse]
) -> tuple[bool, HttpResponse | None]:
    """Whether the form was sent to be submitted, and the answer when it was; a refusal stands in the form."""
    sent = request.method == "POST" and "show" not in request.POST
    if not sent or not form.is_valid():
        return sent, None
    try:
        return True, submit()
    except DomainError as error:
        error.field = _beside(error, form)
        add_error(form, error)
        return True, None


def _beside(error: DomainError, form: JobForm) -> str | None:
    """The field of the form that a refusal is about."""
    device = f"device_{error.text.params.get('name', '')}"
    if error.field == "devices" and device in form.fields:
        return device
    return FORM_FIELDS.get(error.field or "", error.field)


# --- what it would cost


def _offer(form: JobForm, project_id: UUID, jobs: int = 1) -> dict[str, object]:
    """Price and place of a form, of its first values when it is new; nothing while its numbers are not valid."""
    values = form.numbers()
    if values is None:
        return {}
    cluster = form.cluster()
    devices = {name: values[f"device_{name}"] for name in form.devices}
    offered = {name: count for name, count in devices.items() if name in cluster.device_units}
    needs = rules.needs_of(values["cores"], values["wall_seconds"], offered, cluster.device_units)
    return {
        "price": offers.price(project_id, needs, jobs),
        "room": offers.room(cluster, values["cores"], values["memory_mib"], devices),
    }


@dataclass(frozen=True)
class Preview:
    """What a sweep would be: how many jobs, the first command lines as they will run, or what is wrong."""

    jobs: int = 0
    commands: tuple[str, ...] = ()
    problem: Text | None = None

    @property
    def more(self) -> int:
        """How many jobs there are beyond those shown."""
        return self.jobs - len(self.commands) if self.commands else 0


def preview(form: SweepForm) -> Preview:
    """What a form as typed so far would make."""
    try:
        points = form.points()
    except BadInput as error:
        return Preview(problem=error.text)
    if points is None:
        return Preview()
    try:
        argv = form.argv()
    except BadInput:  # said beside the field once it is sent; a command is not typed in one go
        return Preview(len(points))
    shown = (points.at(index) for index in range(min(SHOWN_COMMANDS, len(points))))
    return Preview(len(points), tuple(_command_line(argv, values) for values in shown))


def _command_line(argv: tuple[str, ...], values: Mapping[str, str]) -> str:
    """A job's variables and command as a shell would be told them."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return " ".join([*variables, shlex.join(sweeps.words_at(argv, values))])


def _sweep_offer(form: SweepForm, project_id: UUID) -> dict[str, object]:
    seen = preview(form)
    offer = _offer(form, project_id, seen.jobs) if seen.jobs else {}
    return {"preview": seen, **offer}
