"""The REST root: every room's router under /api/v1/, one error shape, OpenAPI published."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.rest import router as accounts_router
from bitgoeul.compute.rest import router as compute_router
from bitgoeul.kernel.canonical import loads_strict
from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.outcomes.rest import router as outcomes_router
from bitgoeul.programmes.rest import router as programmes_router
from bitgoeul.resources.rest import router as resources_router
from bitgoeul.trials.rest import router as trials_router


class UnstorableText(BadInput):
    """A text in the input holds a NUL character, which no text may."""

    code = "unstorable_text"


class NoObject(BadInput):
    """The input is JSON, but not an object with named fields."""

    code = "no_object"


class StrictParser(Parser):
    """JSON that two readers cannot understand differently, and only text that every database can keep."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The body's value; raises DomainError, which ``plain`` turns into the answer."""
        value = loads_strict(request.body)
        if not isinstance(value, dict):
            raise NoObject
        if _holds_nul(value):
            raise UnstorableText
        return value


def _holds_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


api = NinjaAPI(
    title="bitgoeul",
    version="1",
    description="Runs a public AI cluster, from a company's application to signed evidence and a public figure.",
    auth=accounts.session_or_token,
    urls_namespace="api",
    docs_url=None,
    parser=StrictParser(),
)
for room_router in (
    accounts_router,
    compute_router,
    outcomes_router,
    programmes_router,
    resources_router,
    trials_router,
):
    api.add_router("", room_router)


def _answer(request: HttpRequest, status: int, code: str, message: str, detail: object) -> HttpResponse:
    return api.create_response(request, {"code": code, "message": message, "detail": detail}, status=status)


@api.exception_handler(DomainError)
def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A refusal by a rule."""
    return api.create_response(request, error.to_json(), status=error.status)


@api.exception_handler(ValidationError)
def malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Input that does not have the documented form; each fault names its field."""
    faults = [{"field": ".".join(map(str, e["loc"])), "message": str(e["msg"])} for e in error.errors]
    return _answer(request, 422, "malformed", "The input does not have the documented form.", {"faults": faults})


@api.exception_handler(AuthenticationError)
def unknown(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    """Nobody is signed in."""
    remedy = "Sign in, or send a valid token as 'Authorization: Bearer …'; `bitgoeul sign-in` gets one."
    return _answer(request, 401, "sign_in_needed", "Sign in first.", {"remedy": remedy})


@api.exception_handler(HttpError)
def plain(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What the framework refuses, and what cannot be read as JSON."""
    if isinstance(error.__cause__, DomainError):
        return refused(request, error.__cause__)
    return _answer(request, error.status_code, "refused", str(error), {})
