"""Error pages: what happened, why, and what to do now."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.text import N_

# Away, restarting, or busy for longer than a request may wait: another moment it will do.
AWAY = (OperationalError, InterfaceError)
RETRY_SECONDS = 5
TOO_LARGE = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


@dataclass(frozen=True)
class Words:
    """The heading, the reason and the way on of one status, as msgids."""

    heading: str
    reason: str
    remedy: str


WORDS = {
    400: Words(
        N_("The request cannot be read"),
        N_("Something in the address or the form does not fit."),
        N_("Go back, reload the page and send it again."),
    ),
    403: Words(
        N_("You may not do this"),
        N_("The form is too old, or your role does not allow it."),
        N_("Reload the page before you send the form again, or sign in as somebody with the role."),
    ),
    404: Words(
        N_("There is nothing at this address"),
        N_("The address is wrong, or what stood here is not open to you."),
        N_("Check the address. A private thing looks the same as one that does not exist."),
    ),
    405: Words(
        N_("This address is not made to be opened"),
        N_("It only takes what a button or a form of the portal sends to it."),
        N_("Go back to the page with the button and press it again."),
    ),
    409: Words(
        N_("This does not fit the present state"),
        N_("Somebody may have acted meanwhile."),
        N_("Go back, reload the page and look at the present state."),
    ),
    413: Words(
        N_("The request is too large"),
        N_("A file may have at most {file} MiB, and text 2 MiB in at most 500 fields and 20 files."),
        N_("Go back, send less at once, and put large content into a file."),
    ),
    429: Words(
        N_("Too many requests in a short time"),
        N_("The portal limits how often one address may try."),
        N_("Wait a few minutes and try again."),
    ),
    503: Words(
        N_("The portal is not ready"),
        N_("It is starting, or a part of it is being worked on."),
        N_("Wait a minute and try again; nothing was lost."),
    ),
}


DATABASE_AWAY = Words(
    N_("The database does not answer at the moment."),
    "",
    N_("Send the same request with the same id again in a few seconds; it is done once."),
)
BROKEN = Words(
    N_("The portal made a mistake"),
    N_("A fault of ours ended this request."),
    N_("Try again in a minute; tell us the request id if it goes on."),
)


def page(request: HttpRequest, status: int) -> HttpResponse:
    """The error page of one status; JSON for a caller below /api/."""
    words = WORDS[status]
    if request.path.startswith("/api/"):
        limits = {"limit_mib": settings.UPLOAD_LIMIT_BYTES // 2**20} if status == 413 else {}
        return _refusal(status, gettext(words.heading), gettext(words.remedy), limits=limits)
    context = {
        "heading": gettext(words.heading),
        "reason": gettext(words.reason).format(file=settings.UPLOAD_LIMIT_BYTES // 2**20),
        "remedy": gettext(words.remedy),
        "request_id": audit.request_id(),
    }
    return render(request, "site/error.html", context, status=status)


def _refusal(
    status: int, message: str, remedy: str, *, code: str = "", limits: Mapping[str, int] | None = None
) -> HttpResponse:
    told = {"remedy": remedy, **(limits or {})}
    body = {"code": code or f"http_{status}", "message": message, "detail": told}
    return HttpResponse(json.dumps(body), content_type="application/json", status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400; what is too large says so."""
    return page(request, 413 if isinstance(exception, TOO_LARGE) else 400)


def forbidden(request: HttpRequest, exception: Exception | None = None, reason: str = "") -> HttpResponse:
    """403, also for a failed CSRF check."""
    return page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return page(request, 404)


def too_many(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """429, called by the sign-in's rate limits."""
    return page(request, 429)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 while the database is away: neither page needs it, nor a session; JSON below /api/."""
    if isinstance(sys.exc_info()[1], AWAY):
        return _database_away(request)
    if request.path.startswith("/api/"):
        return _refusal(500, gettext(BROKEN.heading), gettext(BROKEN.remedy))
    html = render_to_string("site/500.html", {"request_id": audit.request_id()})
    return HttpResponse(html, status=500)


def _database_away(request: HttpRequest) -> HttpResponse:
    """What was under way has been undone; a request that is sent again under its own id is done once."""
    if request.path.startswith("/api/"):
        answer = _refusal(503, gettext(DATABASE_AWAY.heading), gettext(DATABASE_AWAY.remedy), code="database_away")
    else:
        answer = HttpResponse(render_to_string("site/503.html", {"request_id": audit.request_id()}), status=503)
    answer["Retry-After"] = str(RETRY_SECONDS)
    return answer
