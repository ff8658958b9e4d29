"""One's home: what needs me, my projects, my applications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import SEOUL, now
from bitgoeul.kernel.text import N_, Text
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials
from bitgoeul.web.facade import no_store, page_number

from .. import formats
from .rows import Balance, ProjectRow, Todo

HURRY_DAYS = 3
ROWS_KEPT = 1_024


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """GET /home/"""
    actor = accounts.actor_of(request)
    page = accounts.my_projects(actor, page_number(request))
    context = {
        "todo": todo(actor),
        "page": page,
        "projects": [drawn(row, get_language()) for row in project_rows(page.items)],
        "applications": application_rows(actor),
        "application_machine": programmes.APPLICATION,
        "start_url": reverse("programmes:start"),
    }
    return no_store(render(request, "site/pages/home.html", context))


def todo(actor: accounts.Actor) -> list[Todo]:
    """The agreements that wait for this person's signature, the oldest deadline first."""
    own = programmes.to_sign(actor=actor).items
    waiting = programmes.waiting(actor=actor).items if accounts.OperatorRole.STAFF in actor.operator_roles else []
    seen = {agreement.id: (agreement, application) for agreement, application in [*own, *waiting]}
    today = now().astimezone(SEOUL).date()
    found = [sign_todo(agreement, application, today) for agreement, application in seen.values()]
    return sorted(found, key=lambda item: item.due or date.max)


def sign_todo(agreement: programmes.AgreementView, application: programmes.ApplicationView, today: date) -> Todo:
    """An agreement to sign as a thing to do."""
    days = (agreement.sign_by - today).days
    return Todo(
        title=Text(
            N_("Sign the agreement of “{title}”"),
            {"title": application.title},
        ),
        note=Text(
            N_("{organisation}, application {reference}"),
            {"organisation": application.organisation_name, "reference": application.reference},
        ),
        url=reverse("programmes:agreement", args=[agreement.id]),
        due=agreement.sign_by,
        due_words=formats.days_left(days),
        tone="bad" if days < 0 else "warning" if days <= HURRY_DAYS else "progress",
    )


def application_rows(actor: accounts.Actor) -> list[dict[str, object]]:
    """The newest applications of the actor's organisations."""
    return [
        {
            "title": view.title,
            "call": view.call.body.title,
            "reference": view.reference,
            "state": view.state,
            "url": reverse("programmes:application", args=[view.id]),
        }
        for view in programmes.applications(actor=actor).items
    ]


def project_rows(projects: Sequence[accounts.ProjectView]) -> list[ProjectRow]:
    """Projects with their balances and last trials, in a fixed number of queries."""
    ids = [project.id for project in projects]
    allocations = resources.allocations(project_ids=ids)
    last = trials.last_trials(project_ids=ids)
    return [project_row(one, allocations.get(one.id, []), last.get(one.id)) for one in projects]


def project_row(
    project: accounts.ProjectView,
    allocations: Sequence[resources.AllocationView],
    trial: trials.LastTrial | None,
) -> ProjectRow:
    """One project as a row."""
    active = [one for one in allocations if one.ends_at > now()]
    return ProjectRow(
        id=project.id,
        title=project.title,
        number=project.number,
        organisation=project.organisation_name,
        url=reverse("site:project", args=[project.id]),
        balances=tuple(Balance(one.label, one.unit, one.used, one.held, one.available) for one in active),
        deadline=min((one.ends_at for one in active), default=None),
        trial_name=trial.subject_name if trial else "",
        trial_url=reverse("trials:trial", args=[trial.id]) if trial else "",
        trial_state=str(trial.state) if trial else "",
        verdict=str(trial.outcome) if trial and trial.outcome else None,
    )


@lru_cache(maxsize=ROWS_KEPT)
def drawn(row: ProjectRow, language: str | None) -> SafeString:
    """A project's row in the active language, which is named to find it again: most have not changed since."""
    return render_to_string("site/pages/home_project.html", {"row": row, "trial_machine": trials.TRIAL})
