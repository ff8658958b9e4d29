"""Finding jobs."""

from __future__ import annotations

from bitgoeul.accounts import facade as accounts
from bitgoeul.web.facade import Found, Sought, beginning, part_of, with_id

from .models import Job


def find_jobs(*, actor: accounts.Actor, wanted: Sought, start: int, count: int) -> list[Found]:
    """By the beginning of the id, and by the beginning of the name."""
    within = accounts.reach(actor=actor, verb="compute.view_job", kind="job")
    rows = within.in_projects(Job.objects.only("name", "project_id", "submitted_at"))
    found = part_of((with_id(rows, wanted), beginning(rows, "name", wanted.text)), start, count)
    projects = accounts.projects(row.project_id for row in found)
    return [Found(str(row.pk), row.name, f"{projects[row.project_id].number} · {row.pk}") for row in found]
