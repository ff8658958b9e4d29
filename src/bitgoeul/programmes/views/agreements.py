"""Reading and signing agreements."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_GET, require_POST

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import no_store, page_number

from .. import queries, services
from ..agreements import SIDE_LABELS, Side
from ..services.signing import VERBS
from ..states import APPLICATION, ApplicationState
from ..types import AgreementView, ApplicationView

STATEMENT = N_(
    "I have read this text and sign it for my side; our signatures bind by agreement between the parties."
)


@login_required
@require_GET
def agreements(request: HttpRequest) -> HttpResponse:
    """What waits for a signature: of the operator with ``?waiting``, else of the reader's organisations."""
    actor = accounts.actor_of(request)
    staff = "waiting" in request.GET
    found = queries.waiting if staff else queries.to_sign
    page = found(actor=actor, number=page_number(request))
    return no_store(render(request, "programmes/agreements.html", {"page": page, "staff": staff}))


@login_required
@require_GET
def agreement(request: HttpRequest, id: UUID) -> HttpResponse:
    """The frozen text, its digest, who signed, and the button."""
    actor = accounts.actor_of(request)
    view = queries.agreement(actor=actor, agreement_id=id)
    application = queries.application(actor=actor, application_id=view.application_id)
    sides = _sides(actor, view, application)
    context = {
        "agreement": view,
        "application": application,
        "sides": sides,
        "signable": next((side for side in sides if side["may"]), None),
        "statement": STATEMENT,
        "open": application.state is ApplicationState.SELECTED,
        "machine": APPLICATION,
    }
    return no_store(render(request, "programmes/agreement.html", context))


def _sides(actor: accounts.Actor, view: AgreementView, application: ApplicationView) -> list[dict[str, object]]:
    thing = accounts.Thing("application", str(application.id), organisation_id=application.organisation_id)
    rows: list[dict[str, object]] = []
    for side in Side:
        decision = accounts.may(actor=actor, verb=VERBS[side], thing=thing)
        signed = view.signatures.get(side.value)
        rows.append(
            {
                "side": side,
                "label": SIDE_LABELS[side],
                "signature": signed,
                "may": decision.allowed and signed is None and application.state is ApplicationState.SELECTED,
                "reason": decision.reason,
            }
        )
    return rows


@login_required
@require_POST
def sign(request: HttpRequest, id: UUID) -> HttpResponse:
    """Sign for one side; the second signature allocates at once."""
    try:
        side = Side(request.POST.get("side", ""))
    except ValueError as error:
        raise BadInput(N_("A signature is for the applicant or for the operator."), field="side") from error
    if request.POST.get("agree") != "yes":
        raise BadInput(
            N_("Confirm that you have read the text before you sign it."),
            field="agree",
            remedy=Text(N_("Go back, tick the box and sign.")),
        )
    shown = {"language": get_language() or "", "statement": gettext(STATEMENT)}
    view = services.sign(
        actor=accounts.actor_of(request),
        agreement_id=id,
        side=side,
        digest=request.POST.get("digest", ""),
        shown=shown,
    )
    if view.complete:
        messages.success(
            request, gettext("Both sides have signed. The allocation is granted and can be used now.")
        )
        return redirect("programmes:application", id=view.application_id)
    messages.success(request, gettext("Signed. The other side's signature is still missing."))
    return redirect("programmes:agreement", id=id)


@login_required
@require_GET
def text(request: HttpRequest, id: UUID) -> HttpResponse:
    """The text as a file: its SHA-256 is the digest that was signed."""
    view = queries.agreement(actor=accounts.actor_of(request), agreement_id=id)
    response = HttpResponse(view.text.encode(), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="agreement-{view.digest[:12]}.txt"'
    return no_store(response)
