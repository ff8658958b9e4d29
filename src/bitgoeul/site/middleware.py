"""Around every request: its id, and refusals turned into pages or JSON in one place."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.errors import DomainError
from bitgoeul.kernel.ids import new_id

from .pages import errors

Handler = Callable[[HttpRequest], HttpResponse]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Give each request an id: the caller's own when it is well formed, else a new one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request under its id."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(new_id())
        with audit.request_context(request_id, request.META.get("REMOTE_ADDR", "")):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


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
            return JsonResponse(error.to_json(), status=error.status)
        return render(request, "site/error.html", {"error": error}, status=error.status)
