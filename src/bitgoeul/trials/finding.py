"""Finding subjects, trials and evidence."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.web.facade import Found, Sought, beginning, part_of, with_id

from .evidence_types import Visibility
from .models import Evidence, EvidenceVisibility, Subject, Trial


def find_subjects(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By the beginning of the id, and by the beginning of the name."""
    within = accounts.reach(actor=actor, verb="trials.view_subject", kind="subject")
    rows = within.in_projects(Subject.objects.all())
    found = part_of((with_id(rows, wanted), beginning(rows, "name", wanted.text)), start, count)
    projects = accounts.projects(row.project_id for row in found)
    return [Found(str(row.pk), row.name, projects[row.project_id].number) for row in found]


def find_trials(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By the beginning of the id, and by the beginning of the subject's name."""
    within = accounts.reach(actor=actor, verb="trials.view_trial", kind="trial")
    rows = within.in_projects(Trial.objects.annotate(name=F("subject_version__subject__name")))
    named = beginning(rows, "subject_version__subject__name", wanted.text)
    found = part_of((with_id(rows, wanted), named), start, count)
    projects = accounts.projects(row.project_id for row in found)
    return [Found(str(row.pk), row.name, f"{projects[row.project_id].number} · {row.pk}") for row in found]


def find_evidence(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By the beginning of the digest, at least 8 digits of it."""
    if not wanted.hex:
        return []
    first, last = (wanted.hex.ljust(64, digit) for digit in "0f")
    rows = _readable(actor).filter(digest__gte=first, digest__lte=last).order_by("digest")
    return [Found(row.digest, row.subject_name, row.digest) for row in rows[start : start + count]]


def _readable(actor: accounts.Actor) -> QuerySet[Any, Any]:
    """What ``evidence_queries.may_see`` says of each row, said to the database."""
    within = accounts.reach(actor=actor, verb="trials.view_evidence", kind="evidence")
    if within.everything:
        return Evidence.objects.all()
    changes = EvidenceVisibility.objects.filter(evidence=OuterRef("pk")).order_by("-version")
    readers = changes.annotate(listed=Cast("organisations", TextField()))
    rows = Evidence.objects.annotate(
        seen_by=Subquery(changes.values("visibility")[:1]),
        seen_from=Subquery(changes.values("embargo_until")[:1]),
        readers=Subquery(readers.values("listed")[:1]),
    )
    open_now = Q(seen_from=None) | Q(seen_from__lte=now())
    mine = (Q(readers__contains=f'"{one}"') for one in actor.organisation_roles)
    named = reduce(or_, mine, Q(pk__in=[])) & Q(seen_by=str(Visibility.NAMED))
    public = Q(seen_by=str(Visibility.PUBLIC))
    return rows.filter(Q(project__in=list(within.projects)) | ((public | named) & open_now))
