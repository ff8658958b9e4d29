"""Pages for engineers: the fleet, its nodes, and the queue."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.documents import Column, xlsx
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import attachment, no_store, page_number, page_of_items, render_text

from . import fleet
from .metering import CAUSE_TEXTS, Line
from .ports import NodeState
from .reconciliations import ReconciliationView, reconciliations, unit_of
from .services import ask_to_look
from .squares import MARKS, draw
from .states import MACHINE
from .types import NodeTypeView, PartitionView, QueueRow, petaflops
from .words import NODE_STATES, NODE_TONES

CODE_MAX = 48


@require_safe
@login_required
def fleet_page(request: HttpRequest) -> HttpResponse:
    """GET /fleet/?order=&page="""
    actor = accounts.actor_of(request)
    found = fleet.fleet(actor=actor)
    order = request.GET.get("order", "")
    queue = fleet.queue(actor=actor, order=order, page=page_number(request))
    totals = fleet.queue_totals(actor=actor)
    context = {
        "fleet": found,
        "partitions": [_partition(one) for one in found.partitions],
        "totals": [(precision, petaflops(peak)) for precision, peak in found.total_gflops.items()],
        "example": any(one.is_example for one in found.partitions),
        "page": queue,
        "rows": _with_projects(queue.items),
        "queue_totals": totals,
        "moment": now(),
        "order": order,
        "orders": [(key, label) for key, (label, _keys) in fleet.QUEUE_ORDERS.items()],
        "unknown": fleet.unknown_jobs(actor=actor),
        "engines": fleet.engine_health(actor=actor),
        "machine": MACHINE,
    }
    return no_store(render(request, "compute/fleet.html", context))


def _with_projects(rows: Sequence[QueueRow]) -> list[tuple[QueueRow, accounts.ProjectView]]:
    found = accounts.projects(row.project_id for row in rows)
    return [(row, found[row.project_id]) for row in rows]


def _partition(one: PartitionView) -> dict[str, object]:
    return {
        "view": one,
        "peaks": [(precision, petaflops(peak)) for precision, peak in one.total_gflops.items()],
        "types": [_type(kind) for kind in one.types],
    }


def _type(one: NodeTypeView) -> dict[str, object]:
    drawing = draw({mark: getattr(one, mark) for mark in MARKS})
    return {
        "view": one,
        "drawing": drawing,
        "peak": petaflops(one.total_gflops),
        "device_tflops": f"{one.peak_gflops / 1_000:,.1f}",
    }


def _filters(request: HttpRequest) -> tuple[str, str]:
    partition = request.GET.get("partition", "").replace("\0", "")[:CODE_MAX]
    state = request.GET.get("state", "")
    return partition, state if state in list(NodeState) else ""


@require_safe
@login_required
def nodes_page(request: HttpRequest) -> HttpResponse:
    """GET /fleet/nodes/?partition=&state=&page="""
    actor = accounts.actor_of(request)
    partition, state = _filters(request)
    page = fleet.nodes(actor=actor, partition=partition, state=state, page=page_number(request))
    context = {
        "page": page,
        "rows": [(one, _word(one.state), NODE_TONES[NodeState(one.state)]) for one in page.items],
        "partition": partition,
        "state": state,
        "states": [(str(one), label) for one, label in NODE_STATES.items()],
        "partitions": fleet.fleet(actor=actor).partitions,
        "query": request.GET.urlencode(),
    }
    return no_store(render(request, "compute/nodes.html", context))


@require_safe
@login_required
def nodes_xlsx(request: HttpRequest) -> HttpResponse:
    """GET /fleet/nodes.xlsx with the filters of the list."""
    partition, state = _filters(request)
    language = getattr(request, "LANGUAGE_CODE", None)
    headings = ((_("Node"), 24), (_("Partition"), 32), (_("Device"), 28), (_("Devices"), 10), (_("used"), 10),
                (_("State"), 12), (_("Reason"), 32))  # fmt: skip
    rows = (
        (one.code, one.partition.in_language(language), one.device, one.devices, one.used,
         render_text(_word(one.state)), one.reason)
        for one in fleet.nodes_to_export(actor=accounts.actor_of(request), partition=partition, state=state)
    )  # fmt: skip
    return attachment(xlsx(_("Nodes"), [Column(*each) for each in headings], rows), "nodes.xlsx")


def _word(state: str) -> Text:
    return NODE_STATES[NodeState(state)]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def accounts_page(request: HttpRequest) -> HttpResponse:
    """GET /fleet/accounts/?cluster=&page= shows the last look; POST with ``cluster`` asks for another."""
    actor = accounts.actor_of(request)
    if request.method == "POST":
        code = request.POST.get("cluster", "").replace("\0", "")[:CODE_MAX]
        ask_to_look(code, actor=actor)
        return redirect(f"{reverse('compute:accounts')}?{urlencode({'cluster': code})}")
    looks = fleet.drift_looks(actor=actor)
    wanted = request.GET.get("cluster", "")
    chosen = next((one for one in looks if one.cluster == wanted), looks[0] if looks else None)
    context = {
        "looks": looks,
        "chosen": chosen,
        "page": page_of_items(chosen.found if chosen else (), page_number(request)),
        "kept_all": chosen is None or len(chosen.found) == chosen.count,
        "unknown": fleet.queue_totals(actor=actor).unknown,
        "may_look": accounts.may(actor=actor, verb="compute.look_for_drift", thing=accounts.PORTAL).allowed,
        "by_hand": any(not each.mendable for each in chosen.found) if chosen else False,
    }
    return no_store(render(request, "compute/accounts.html", context))


@require_safe
@login_required
def reconciliation_page(request: HttpRequest) -> HttpResponse:
    """GET /fleet/reconciliation/?cluster=&page= shows the last comparison with a cluster's own sums."""
    found = reconciliations(actor=accounts.actor_of(request))
    wanted = request.GET.get("cluster", "")
    chosen = next((one for one in found if one.cluster == wanted), found[0] if found else None)
    page = page_of_items(chosen.lines if chosen else (), page_number(request))
    context = {
        "found": found,
        "chosen": chosen,
        "page": page,
        "rows": [_compared(line) for line in page.items],
        "nobodys": _nobodys(chosen) if chosen else [],
        "kept_all": chosen is None or len(chosen.lines) == chosen.count,
    }
    return no_store(render(request, "compute/reconciliation.html", context))


def _compared(line: Line) -> dict[str, object]:
    causes = [(CAUSE_TEXTS[cause], told) for cause, told in line.causes.items()]
    return {"line": line, "unit": unit_of(line.resource), "causes": causes}


NOBODYS = {
    "idle": Text(N_("Idle")),
    "down": Text(N_("Down")),
    "planned_down": Text(N_("Down as planned")),
}


def _nobodys(chosen: ReconciliationView) -> list[tuple[Text, list[tuple[str, int]]]]:
    """What the cluster had and is no account's, by kind: amounts with their units."""
    told = chosen.nobodys or {}
    return [
        (label, [(unit_of(resource), amount) for resource, amount in told[kind].items()])
        for kind, label in NOBODYS.items()
        if told.get(kind)
    ]
