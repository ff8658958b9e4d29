"""A project: how much is left, and everything that runs on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from bitgoeul.accounts import facade as accounts
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.text import N_, Text
from bitgoeul.ledger.facade import UNITS
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials
from bitgoeul.trials.types import KIND_LABELS
from bitgoeul.web.facade import no_store

from .. import formats
from .outlooks import shown as outlook_shown
from .rows import Action, LinkRow

ACTIONS = (
    (Text(N_("Ask for a trial")), "trials:trial_new", "trials.request_trial"),
    (Text(N_("Submit a subject")), "trials:subject_new", "trials.create_subject"),
    (Text(N_("New job")), "compute:job_new", "compute.submit_job"),
    (Text(N_("New sweep")), "compute:sweep_new", "compute.submit_job"),
)


@login_required
def project(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """GET /projects/<id>/"""
    actor = accounts.actor_of(request)
    view = accounts.project(actor=actor, project_id=project_id)
    allocations = resources.allocations(project_ids=[project_id]).get(project_id, [])
    context = {
        "project": view,
        "allocations": allocation_cards(allocations),
        "allocation_machine": resources.ALLOCATION,
        "members_url": link("accounts:members", project_id),
        **seen_trials(actor, view),
        "trial_machine": trials.TRIAL,
        "jobs": seen_jobs(actor, view),
        "job_machine": compute.JOB,
        "members": seen_members(actor, view),
        "actions": actions(actor, view),
        "subject_new_url": link("trials:subject_new", project_id),
        "job_new_url": link("compute:job_new", project_id),
        "jobs_url": link("compute:jobs", project_id),
        "sweeps_url": link("compute:sweeps", project_id),
    }
    return no_store(render(request, "site/pages/project.html", context))


def seen_trials(actor: accounts.Actor, view: accounts.ProjectView) -> dict[str, list[LinkRow]]:
    """The newest trials and subjects, for those who may list them."""
    if not accounts.may(actor=actor, verb="trials.list_trials", thing=view.thing):
        return {"trials": [], "subjects": []}
    return {
        "trials": [trial_row(one) for one in trials.trials(actor=actor, project_id=view.id).items],
        "subjects": [subject_row(one) for one in trials.subjects(actor=actor, project_id=view.id).items],
    }


def seen_jobs(actor: accounts.Actor, view: accounts.ProjectView) -> list[LinkRow]:
    """The newest jobs, for those who may see them."""
    if not accounts.may(actor=actor, verb="compute.view_project", thing=view.thing):
        return []
    return [job_row(one) for one in compute.jobs(actor=actor, project_id=view.id).items]


def seen_members(actor: accounts.Actor, view: accounts.ProjectView) -> list[dict[str, object]]:
    """The project's people, for those who may see them."""
    if not accounts.may(actor=actor, verb="accounts.view_members", thing=view.thing):
        return []
    return [
        {"name": one.name, "role": one.role_label} for one in accounts.members(actor=actor, project_id=view.id)
    ]


def link(name: str, *ids: UUID) -> str:
    """The address of a page of the project; empty when the room has no such page."""
    try:
        return reverse(name, args=ids)
    except NoReverseMatch:
        return ""


def actions(actor: accounts.Actor, view: accounts.ProjectView) -> list[Action]:
    """What can be done on the project now; what cannot stays visible with its reason."""
    found = []
    for label, name, verb in ACTIONS:
        decision = accounts.may(actor=actor, verb=verb, thing=view.thing)
        url = link(name, view.id) if decision.allowed else ""
        found.append(Action(label, url, None if decision.allowed else decision.reason))
    return found


def allocation_cards(views: Sequence[resources.AllocationView]) -> list[dict[str, object]]:
    """The allocations with their words, and of computing what comes of it."""
    seen = resources.outlooks(one for one in views if UNITS[one.unit].scale > 1)
    ahead = {pk: outlook_shown(one) for pk, one in seen.items()}
    return [allocation_card(one, ahead.get(one.id)) for one in views]


def allocation_card(one: resources.AllocationView, ahead: Mapping[str, object] | None) -> dict[str, object]:
    """An allocation with the words that its numbers need."""
    return {
        "ahead": ahead,
        "view": one,
        "overrun_words": formats.human_amount(one.overrun, one.unit),
        "granted_words": formats.human_amount(one.granted, one.unit),
        "url": f"{link('resources:statement', one.project_id)}?allocation={one.id}",
    }


def trial_row(one: trials.TrialView) -> LinkRow:
    """A trial as a row."""
    return LinkRow(
        title=f"{one.subject_name} v{one.version_number}",
        note=one.protocol_title,
        url=reverse("trials:trial", args=[one.id]),
        when=one.requested_at,
        state=str(one.state),
        verdict=str(one.outcome) if one.outcome else None,
    )


def subject_row(one: trials.SubjectView) -> LinkRow:
    """A subject as a row."""
    return LinkRow(
        title=one.name,
        note=KIND_LABELS[one.kind],
        url=reverse("trials:subject", args=[one.id]),
        when=one.created_at,
    )


def job_row(one: compute.JobView) -> LinkRow:
    """A job as a row, with what it was charged."""
    charged = [formats.human_amount(amount, unit) for unit, amount in one.charged.items() if amount]
    return LinkRow(
        title=one.name,
        note="",
        url=reverse("compute:job", args=[one.id]),
        when=one.submitted_at,
        state=str(one.state),
        charged=charged,
    )
