"""The REST root: every room's router under /api/v1/, one error shape, OpenAPI published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.rest import router as accounts_router
from bitgoeul.compute.rest import router as compute_router
from bitgoeul.kernel.canonical import CanonicalError, UnreadableJson, loads_strict
from bitgoeul.kernel.errors import BadInput, DomainError
from bitgoeul.outcomes.rest import router as outcomes_router
from bitgoeul.programmes.rest import router as programmes_router
from bitgoeul.resources.rest import router as resources_router
from bitgoeul.trials.rest import router as trials_router
from bitgoeul.web.facade import refusal_json

from .pages import errors
from .pages.rest import router as pages_router
from .pages.use_rest import router as use_router

TOO_LARGE = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
ABOUT = """Runs a public AI cluster, from a company's application to signed evidence and a public figure.

Sign in with the portal's session or with `Authorization: Bearer …`. Every refusal has the shape `RefusalOut`:
a stable `code`, a `message` in the language of `Accept-Language` (English without one) and a `detail` that may
hold `field`, `remedy` and `faults`. What one may not see answers like what does not exist: 404. Lists come in
pages of at most 100 with `page`, `last` and `total`. Where a body takes an `id`, the caller makes it (UUIDv7), and
the same request again changes nothing. Any operation may also answer 405, 429, 500 or 503 in that shape."""


class UnstorableText(BadInput):
    """A text in the input holds a NUL character, which no text may."""

    code = "unstorable_text"
    status = 422


class NoObject(BadInput):
    """The input is JSON, but not an object with named fields."""

    code = "no_object"
    status = 422


class LooseJson(BadInput):
    """The input is JSON that two readers may understand differently."""

    code = "not_canonical"
    status = 422


class StrictParser(Parser):
    """JSON that two readers cannot understand differently, and only text that every database can keep."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The body's value; raises DomainError, which ``plain`` turns into the answer."""
        try:
            value = loads_strict(request.body)
        except UnreadableJson:
            raise
        except CanonicalError as error:
            raise LooseJson(error.text, field=error.field) from error
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


class Interface(NinjaAPI):
    """The API with readable operation ids and every refusal in its document."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function: unique over all rooms, and a promise to programs."""
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """The document; what follows from authentication and input is added to each operation here."""
        document = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        for item in document["paths"].values():
            for operation in item.values():
                _add_refusals(operation)
        return document


def _add_refusals(operation: dict[str, Any]) -> None:
    told = operation["responses"]
    for status in _implied(operation):
        told.setdefault(
            status,
            {
                "description": MEANINGS[status],
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RefusalOut"}}},
            },
        )
    for status, one in told.items():
        one["description"] = MEANINGS.get(int(status), one["description"])
    operation["responses"] = dict(sorted(told.items(), key=lambda pair: int(pair[0])))


def _implied(operation: Mapping[str, Any]) -> set[int]:
    """The refusals that follow from how an operation is asked."""
    security, body = operation.get("security", []), operation.get("requestBody")
    found = {401, 403} if security and {} not in security else set()
    found |= {400, 413, 422} if body else set()
    places = {one["in"] for one in operation["parameters"]}
    return found | ({422} if "query" in places else set()) | ({404} if "path" in places else set())


MEANINGS = {
    200: "Done.",
    201: "Made.",
    204: "Done; there is nothing to say.",
    400: "A rule refuses the input, or the body cannot be read.",
    401: "Nobody is signed in, or the token is not valid.",
    403: "Your role, the token or the missing form key does not allow it; the message says why.",
    404: "There is nothing here that you may see.",
    409: "It does not fit the present state, a limit, or what was sent under this id before.",
    413: "The body is larger than is taken.",
    422: "The input does not have the documented form; each fault names its field.",
    503: "Not available at the moment; try again.",
}

api = Interface(
    title="bitgoeul",
    version="1",
    description=ABOUT,
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
    pages_router,
    use_router,
):
    api.add_router("", room_router)


def _answer(request: HttpRequest, status: int, code: str, message: str, detail: object) -> HttpResponse:
    return api.create_response(request, {"code": code, "message": message, "detail": detail}, status=status)


@api.exception_handler(DomainError)
def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A refusal by a rule."""
    return api.create_response(request, refusal_json(error), status=error.status)


@api.exception_handler(ValidationError)
def malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Input that does not have the documented form; each fault names its field."""
    faults = [{"field": ".".join(map(str, e["loc"])), "message": str(e["msg"])} for e in error.errors]
    text = gettext("The input does not have the documented form.")
    return _answer(request, 422, "malformed", text, {"faults": faults})


@api.exception_handler(AuthenticationError)
def unknown(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    """Nobody is signed in."""
    remedy = gettext("Sign in, or send a valid token as 'Authorization: Bearer …'; `bitgoeul sign-in` gets one.")
    return _answer(request, 401, "sign_in_needed", gettext("Sign in first."), {"remedy": remedy})


@api.exception_handler(Http404)
def absent(request: HttpRequest, _error: Http404) -> HttpResponse:
    """What the framework itself does not find."""
    return errors.page(request, 404)


@api.exception_handler(HttpError)
def plain(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What the framework refuses, and what cannot be read as JSON."""
    if isinstance(error.__cause__, DomainError):
        return refused(request, error.__cause__)
    if isinstance(error.__cause__, TOO_LARGE):
        return errors.page(request, 413)
    if error.status_code in errors.WORDS:
        return errors.page(request, error.status_code)
    return _answer(request, error.status_code, f"http_{error.status_code}", str(error), {})
