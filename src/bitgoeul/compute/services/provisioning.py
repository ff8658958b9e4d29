"""Accounts at a cluster's own scheduler, from what the ledger grants: the wishes, what differs, and mending it.

A cluster's ``config`` may say ``logins``, the name at the cluster for the e-mail of each person who has one, and
``login``, under which the platform itself submits there.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from ..engines import engine_of
from ..models import Cluster
from ..ports import AccountWish, Drift, Provisioner

PROJECTS_AT_ONCE = 500
# What one audit event says of them; the count is always whole.
SHOWN_MAX = 200
CORE, CORE_UNIT = "core", "core_ms"


def wishes(cluster: Cluster) -> list[AccountWish]:
    """What the cluster should let every project do that was ever granted something of it."""
    units = {CORE_UNIT: CORE, **{unit: device for device, unit in cluster.device_units.items()}}
    logins: Mapping[str, str] = cluster.config.get("logins", {})
    own = cluster.config.get("login") or getpass.getuser()
    found: list[AccountWish] = []
    for budgets in _budgets(list(units)):
        amounts: dict[UUID, dict[str, int]] = {}
        left: set[UUID] = set()
        for budget in budgets:
            amounts.setdefault(budget.project_id, {})[units[budget.unit]] = budget.whole
            if budget.left > 0:
                left.add(budget.project_id)
        projects = accounts.projects(amounts)
        people = accounts.emails_of_projects(left) if logins else {}
        for project_id, whole in amounts.items():
            names = {logins[email] for email in people.get(project_id, ()) if email in logins}
            users = tuple(sorted({own, *names}))
            found.append(AccountWish(projects[project_id].number, whole, users, project_id in left))
    return found


def _budgets(units: Sequence[str]) -> Iterator[list[resources.Budget]]:
    after: UUID | None = None
    while chunk := resources.budgets(units=units, after=after, limit=PROJECTS_AT_ONCE):
        yield chunk
        after = chunk[-1].project_id


def drift(code: str) -> list[Drift]:
    """What differs at the cluster from what it should let projects do; changes nothing. See ``provision``."""
    cluster, engine = _provisioned(code)
    return engine.drift(wishes(cluster))


def provision(code: str, *, actor: accounts.Actor) -> list[Drift]:
    """Mend what differs at the cluster; what was mended, and what only the site can mend. Again changes nothing.

    Raises NotFound for no such cluster, BadInput for one without accounts of its own, and EngineUnavailable when
    it cannot be asked.
    """
    cluster, engine = _provisioned(code)
    done = engine.mend(wishes(cluster))
    mended = [[each.account, each.what, each.found, each.wanted] for each in done if each.mendable]
    if mended:
        audit.record(
            verb="compute.provision",
            subject_kind="cluster",
            subject_id=code,
            actor=actor.id,
            after={"mended": mended[:SHOWN_MAX], "count": len(mended)},
        )
    return done


def _provisioned(code: str) -> tuple[Cluster, Provisioner]:
    cluster = Cluster.objects.filter(pk=code).first()
    if cluster is None:
        raise NotFound(N_("There is no cluster “{name}”."), field="cluster", name=code)
    engine = engine_of(cluster)
    if not isinstance(engine, Provisioner):
        raise BadInput(N_("The cluster “{name}” keeps no accounts of its own."), field="cluster", name=code)
    return cluster, engine
