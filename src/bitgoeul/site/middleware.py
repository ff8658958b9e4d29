"""Around every request: who asks through which proxy, its id, its line in the log, and refusals in one place."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header

from bitgoeul.accounts import facade as accounts
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import refusal_json

from . import metrics
from .pages import errors
from .peers import within

Handler = Callable[[HttpRequest], HttpResponse]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
FORWARDED_MAX = 10
# Asked for so often, and saying so little, that their lines would only push the others out.
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics", "/static/"})

log = logging.getLogger("bitgoeul.request")


class ProxyMiddleware:
    """Believe what a proxy says of its visitor, but only a proxy that the settings name.

    A forwarded scheme from anybody else is emptied, so that nobody can claim to have come by TLS; it stays
    present, because a request that was passed on must never count as one from this very machine.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set the visitor's address, then answer."""
        if within(request.META.get("REMOTE_ADDR", ""), settings.TRUSTED_PROXIES):
            request.META["REMOTE_ADDR"] = self._visitor(request)
        elif "HTTP_X_FORWARDED_PROTO" in request.META:
            request.META["HTTP_X_FORWARDED_PROTO"] = ""
        return self.get_response(request)

    def _visitor(self, request: HttpRequest) -> str:
        """The last address that no trusted proxy has; whatever stands before it the visitor may have made up."""
        forwarded: list[str] = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-FORWARDED_MAX:]
        for address in reversed([each.strip() for each in forwarded if each.strip()]):
            if not within(address, settings.TRUSTED_PROXIES):
                return address[:45]
        return str(request.META["REMOTE_ADDR"])


class RequestIdMiddleware:
    """Give each request an id, the caller's own when it is well formed, and one line in the log."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request under its id."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(new_id())
        began = time.monotonic()
        with audit.request_context(request_id, request.META.get("REMOTE_ADDR", "")):
            response = self.get_response(request)
            self._tell(request, response.status_code, time.monotonic() - began)
        response["X-Request-Id"] = request_id
        return response

    def _tell(self, request: HttpRequest, status: int, seconds: float) -> None:
        """Neither the address nor the query: both can hold a secret; the route and the id say enough."""
        route = metrics.route_of(request)
        metrics.observe(request, status, seconds)
        level = logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
        log.log(
            logging.DEBUG if route in QUIET_ROUTES and level == logging.INFO else level,
            "request",
            extra={
                "method": request.method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "user": accounts.actor_seen(request),
            },
        )


class InterfaceLanguageMiddleware:
    """Below /api/ the caller's Accept-Language alone decides; English without one.

    A program that says nothing must get the same words whatever language the portal's pages start in.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in that language."""
        if request.path.startswith("/api/v"):
            request.LANGUAGE_CODE = _asked_language(request)
            translation.activate(request.LANGUAGE_CODE)
        return self.get_response(request)


def _asked_language(request: HttpRequest) -> str:
    for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return "en"


class DomainErrorMiddleware:
    """Turn a refusal that no view has caught into the error page, or into JSON below /api/."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; a method that an address does not take is refused with a page that says so."""
        response = self.get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return response
        told = errors.page(request, HTTPStatus.METHOD_NOT_ALLOWED)
        told["Allow"] = response.get("Allow", "")
        return told

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a DomainError; anything else is a fault and goes on."""
        if not isinstance(error, DomainError):
            return None
        if request.path.startswith("/api/"):
            return JsonResponse(refusal_json(error), status=error.status)
        return render(request, "site/error.html", {"error": error}, status=error.status)
