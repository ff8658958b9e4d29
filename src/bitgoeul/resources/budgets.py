"""What projects may use of a unit in all, as a cluster's scheduler keeps it: a lifetime sum, not a balance."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Case, F, Q, QuerySet, Sum, When
from django.db.models.functions import Greatest

from bitgoeul.kernel.clock import now

from .models import Allocation
from .states import AllocationState
from .types import Budget


def budgets(*, units: Collection[str], after: UUID | None = None, limit: int = 1_000) -> list[Budget]:
    """What each project has used of each unit and has left, by project; at most ``limit`` projects a call.

    What is left counts only in allocations that are active now; ``after`` goes on behind a project. Two queries.
    """
    rows: QuerySet[Allocation] = Allocation.objects.filter(account__unit_id__in=units)
    ids = rows.filter(project_id__gt=after) if after else rows
    chosen = list(ids.order_by("project_id").values_list("project_id", flat=True).distinct()[:limit])
    moment = now()
    active = Q(state=AllocationState.ACTIVE, starts_at__lte=moment, ends_at__gt=moment)
    left = Greatest(F("account__credits") - F("account__debits"), 0)
    found = (
        rows.filter(project_id__in=chosen)
        .values("project_id", "account__unit_id")
        .annotate(
            used=Sum(F("used_account__credits") - F("used_account__debits")),
            left=Sum(Case(When(active, then=left), default=0)),
        )
        .order_by("project_id", "account__unit_id")
    )
    return [Budget(row["project_id"], row["account__unit_id"], row["used"], row["left"]) for row in found]
