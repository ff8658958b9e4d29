"""Accounts at a cluster's own scheduler, from what the ledger grants: the wishes, what differs, and mending it.

A cluster's ``config`` may say ``logins``, the name at the cluster for the e-mail of each person who has one, and
``login``, under which the platform itself submits there.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, DomainError, NotFound
from bitgoeul.kernel.text import N_
from bitgoeul.resources import facade as resources

from ..engines import engine_of
from ..models import Cluster, DriftLook
from ..ports import AccountWish, Drift, Engine, Provisioner

PROJECTS_AT_ONCE = 500
# What one audit event says of them; the count is always whole.
SHOWN_MAX = 200
# What is kept of a look: enough to see what is wrong; the count is always whole.
KEPT_MAX = 500
LOOK_EVERY = timedelta(hours=1)
CORE, CORE_UNIT = "core", "core_ms"

log = logging.getLogger(__name__)


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
    """What differs at the cluster from what it should let projects do; mends nothing. See ``provision``."""
    cluster, engine = _provisioned(code)
    found = engine.drift(wishes(cluster))
    _keep(code, found)
    return found


def provision(code: str, *, actor: accounts.Actor) -> list[Drift]:
    """Mend what differs at the cluster; what was mended, and what only the site can mend. Again changes nothing.

    Raises NotFound for no such cluster, BadInput for one without accounts of its own, and EngineUnavailable when
    it cannot be asked.
    """
    cluster, engine = _provisioned(code)
    done = engine.mend(wishes(cluster))
    _keep(code, [each for each in done if not each.mendable])
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


def ask_to_look(code: str, *, actor: accounts.Actor) -> None:
    """Ask for a look at the cluster's accounts; the follower takes it within seconds, so nobody waits for Slurm.

    Asked again before that changes nothing. Raises NotFound for a cluster without accounts of its own.
    """
    accounts.require(actor=actor, verb="compute.look_for_drift", thing=accounts.PORTAL)
    try:
        _provisioned(code)
    except BadInput:
        raise NotFound() from None
    DriftLook.objects.get_or_create(pk=code)
    DriftLook.objects.filter(pk=code, asked_at=None).update(asked_at=now())


def look_when_due(engine: Engine, cluster: Cluster) -> None:
    """A follower's step: look if somebody asked, or the last try is LOOK_EVERY ago."""
    if not isinstance(engine, Provisioner):
        return
    row = DriftLook.objects.filter(pk=cluster.pk).first()
    if row and row.asked_at is None and row.tried_at and now() - row.tried_at < LOOK_EVERY:
        return
    try:
        _keep(cluster.pk, engine.drift(wishes(cluster)))
    except DomainError as error:
        tried = {"problem": error.text.to_json(), "tried_at": now(), "asked_at": None}
        DriftLook.objects.update_or_create(pk=cluster.pk, defaults=tried)
        log.warning("cluster %s: its accounts cannot be looked at: %s", cluster.pk, error)


def _keep(code: str, found: Sequence[Drift]) -> None:
    shown = [
        [each.account, each.what, each.wanted, each.found, each.advice.to_json(), each.mendable]
        for each in found[:KEPT_MAX]
    ]
    moment = now()
    seen = {"found": shown, "count": len(found), "looked_at": moment, "tried_at": moment, "asked_at": None}
    DriftLook.objects.update_or_create(pk=code, defaults={**seen, "problem": None})


def _provisioned(code: str) -> tuple[Cluster, Provisioner]:
    cluster = Cluster.objects.filter(pk=code).first()
    if cluster is None:
        raise NotFound(N_("There is no cluster “{name}”."), field="cluster", name=code)
    engine = engine_of(cluster)
    if not isinstance(engine, Provisioner):
        raise BadInput(N_("The cluster “{name}” keeps no accounts of its own."), field="cluster", name=code)
    return cluster, engine
