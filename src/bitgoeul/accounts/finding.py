"""Finding organisations and projects, and how far a reader's rights reach, as a filter for the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from bitgoeul.web.facade import Found, Sought, beginning, part_of, with_id

from .authority import may
from .models import Organisation, Project
from .types import Actor, Thing


@dataclass(frozen=True)
class Reach:
    """Which things of a kind a verb is allowed on: all of them, or those of some projects and organisations."""

    everything: bool
    projects: frozenset[UUID]
    organisations: frozenset[UUID]

    def in_projects(self, rows: QuerySet[Any, Any], field: str = "project") -> QuerySet[Any, Any]:
        """The rows whose project, named by ``field``, is within reach."""
        return self._within(rows, field, self.projects)

    def in_organisations(self, rows: QuerySet[Any, Any], field: str = "organisation") -> QuerySet[Any, Any]:
        """The rows whose organisation, named by ``field``, is within reach."""
        return self._within(rows, field, self.organisations)

    def _within(self, rows: QuerySet[Any, Any], field: str, ids: Iterable[UUID]) -> QuerySet[Any, Any]:
        ids = list(ids)
        if self.everything:
            return rows
        return rows.filter(**{f"{field}__in": ids}) if ids else rows.none()


def reach(*, actor: Actor, verb: str, kind: str) -> Reach:
    """How far ``verb`` on things of ``kind`` reaches, asked of ``may`` itself, so that lists and pages agree."""

    def allowed(thing: Thing) -> bool:
        return may(actor=actor, verb=verb, thing=thing).allowed

    return Reach(
        everything=allowed(Thing(kind, "")),
        projects=frozenset(id for id in actor.project_roles if allowed(Thing(kind, "", project_id=id))),
        organisations=frozenset(
            id for id in actor.organisation_roles if allowed(Thing(kind, "", organisation_id=id))
        ),
    )


def find_organisations(*, actor: Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By the whole registration number, by id, and by the beginning of the name."""
    within = reach(actor=actor, verb="accounts.view_organisation", kind="organisation")
    rows = within.in_organisations(Organisation.objects.all(), "pk")
    digits = wanted.text.replace("-", "")
    registered = rows.filter(registration_number=digits) if len(digits) == 10 else rows.none()
    choices = (registered.order_by("pk"), with_id(rows, wanted), beginning(rows, "name", wanted.text))
    return [Found(str(row.pk), row.name) for row in part_of(choices, start, count)]


def find_projects(*, actor: Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By the beginning of the number, by id, and by the beginning of the title."""
    within = reach(actor=actor, verb="accounts.view_project", kind="project")
    rows = within.in_projects(Project.objects.select_related("organisation"), "pk")
    numbered = beginning(rows, "number", wanted.text)
    choices = (numbered, with_id(rows, wanted), beginning(rows, "title", wanted.text))
    return [
        Found(str(row.pk), row.title, f"{row.number} · {row.organisation.name}")
        for row in part_of(choices, start, count)
    ]
