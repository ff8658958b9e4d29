"""The last time that each cluster's own sums were held against the books, as it was kept; no cluster is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import DomainError

from .engines import engine_of
from .metering import Cause, Line, Part, units
from .models import Cluster, Reconciliation
from .ports import UseReporter

CLUSTERS_MAX = 50


@dataclass(frozen=True)
class ReconciliationView:
    """What was found at a cluster: ``count`` lines, ``unexplained`` of them with a rest; the first in ``lines``.

    The days are ``since`` to ``last``, both included. ``made_at`` is None while nobody has compared. Amounts are
    thousandths of a core or device times seconds, those of no account by kind and resource in ``nobodys``.
    """

    cluster: str
    title: str
    made_at: datetime | None = None
    since: date | None = None
    last: date | None = None
    rolled_until: datetime | None = None
    read_until: datetime | None = None
    records: int = 0
    count: int = 0
    unexplained: int = 0
    lines: tuple[Line, ...] = ()
    nobodys: Mapping[str, Mapping[str, int]] | None = None
    left_out: Mapping[str, int] | None = None


def reconciliations(*, actor: accounts.Actor) -> list[ReconciliationView]:
    """Each cluster that sums up by itself, and what was last found there; for the operator's people."""
    accounts.require(actor=actor, verb="compute.view_fleet", thing=accounts.PORTAL)
    kept = Reconciliation.objects.in_bulk()
    rows = Cluster.objects.order_by("code")[:CLUSTERS_MAX]
    return [_view(row, kept.get(row.pk)) for row in rows if row.pk in kept or _sums_up(row)]


def _sums_up(row: Cluster) -> bool:
    try:
        return isinstance(engine_of(row), UseReporter)
    except DomainError:
        return False  # its own settings are wrong, which the page of the fleet says


def _view(row: Cluster, kept: Reconciliation | None) -> ReconciliationView:
    if kept is None:
        return ReconciliationView(row.code, row.title)
    return ReconciliationView(
        cluster=row.code,
        title=row.title,
        made_at=kept.made_at,
        since=kept.since,
        last=kept.until - timedelta(days=1),
        rolled_until=kept.rolled_until,
        read_until=kept.read_until,
        records=kept.records,
        count=kept.count,
        unexplained=kept.unexplained,
        lines=tuple(
            Line(account, resource, slurm, used, charged, _causes(causes), unexplained)
            for account, resource, slurm, used, charged, unexplained, causes in kept.lines
        ),
        nobodys=kept.nobodys,
        left_out=kept.left_out,
    )


def _causes(kept: list[tuple[str, int, int]]) -> dict[Cause, Part]:
    return {Cause(cause): Part(amount, records) for cause, amount, records in kept}


def unit_of(resource: str) -> str:
    """The ledger unit of a resource; where it has none, thousandths of a second under its own name."""
    return units().get(resource, f"{resource}·ms")
