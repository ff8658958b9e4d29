"""Registering many organisations and projects at once, for the platform itself: an import, an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .models import Organisation, Project, ProjectCounter, ProjectMembership
from .rules import clean_registration_number
from .types import Actor, OrganisationKind, ProjectRole

AT_ONCE_MAX = 3_000
CHUNK = 500


@dataclass(frozen=True)
class NewOrganisation:
    """An organisation to register without an owner."""

    id: UUID
    name: str
    kind: OrganisationKind
    registration_number: str
    is_example: bool = False


@dataclass(frozen=True)
class NewProject:
    """A project to make, with its owner."""

    id: UUID
    organisation_id: UUID
    title: str
    owner_user_id: UUID


def _check(actor: Actor, lines: Sequence[NewOrganisation] | Sequence[NewProject]) -> None:
    if not actor.is_system:
        raise BadInput(N_("Only the platform itself registers many at once."))
    if len(lines) > AT_ONCE_MAX:
        raise BadInput(N_("At most {limit} entries at once."), field="lines", limit=AT_ONCE_MAX)


@transaction.atomic
def create_organisations(*, actor: Actor, lines: Sequence[NewOrganisation]) -> int:
    """Register organisations, all or nothing; ids that are there already stay. Returns how many are new.

    Raises BadInput for a number that cannot be one; a number registered before breaks the database's own check.
    """
    _check(actor, lines)
    known = set(Organisation.objects.filter(pk__in=[line.id for line in lines]).values_list("pk", flat=True))
    rows = [
        Organisation(
            pk=line.id,
            name=line.name,
            kind=OrganisationKind(line.kind),
            registration_number=clean_registration_number(line.registration_number),
            is_example=line.is_example,
        )
        for line in lines
        if line.id not in known
    ]
    Organisation.objects.bulk_create(rows, batch_size=CHUNK)
    audit.record_many(
        [
            audit.EventDraft(
                verb="accounts.create_organisation",
                subject_kind="organisation",
                subject_id=str(row.pk),
                actor=actor.id,
                after={"name": row.name, "kind": row.kind, "registration_number": row.registration_number},
            )
            for row in rows
        ]
    )
    return len(rows)


@transaction.atomic
def create_projects(*, actor: Actor, lines: Sequence[NewProject]) -> int:
    """Make projects with their owners, all or nothing; ids that are there stay. Returns how many are new."""
    _check(actor, lines)
    known = set(Project.objects.filter(pk__in=[line.id for line in lines]).values_list("pk", flat=True))
    fresh = [line for line in lines if line.id not in known]
    if not fresh:
        return 0
    numbers = _numbers(len(fresh))
    rows = [
        Project(pk=line.id, number=number, title=line.title, organisation_id=line.organisation_id)
        for line, number in zip(fresh, numbers, strict=True)
    ]
    Project.objects.bulk_create(rows, batch_size=CHUNK)
    ProjectMembership.objects.bulk_create(
        [
            ProjectMembership(project_id=line.id, user_id=line.owner_user_id, role=ProjectRole.OWNER)
            for line in fresh
        ],
        batch_size=CHUNK,
    )
    audit.record_many(
        [
            audit.EventDraft(
                verb="accounts.create_project",
                subject_kind="project",
                subject_id=str(row.pk),
                actor=actor.id,
                after={
                    "number": row.number,
                    "title": row.title,
                    "organisation": row.organisation_id,
                    "owner": line.owner_user_id,
                },
            )
            for row, line in zip(rows, fresh, strict=True)
        ]
    )
    return len(rows)


def _numbers(count: int) -> list[str]:
    year = now().year
    ProjectCounter.objects.get_or_create(year=year)
    # One UPDATE takes all of them, and locks the row: no two callers share a number.
    ProjectCounter.objects.filter(year=year).update(last=F("last") + count)
    last = ProjectCounter.objects.get(year=year).last
    return [f"PRJ-{year}-{number:05d}" for number in range(last - count + 1, last + 1)]
