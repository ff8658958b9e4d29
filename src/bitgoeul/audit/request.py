"""The request that is being answered: its id and where it came from, carried in context variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_origin: ContextVar[str] = ContextVar("origin", default="")


def request_id() -> str:
    """The id of the request being answered; empty outside a request."""
    return _request_id.get()


def origin() -> str:
    """The address the request came from; empty outside a request."""
    return _origin.get()


@contextmanager
def request_context(id: str, address: str = "") -> Iterator[None]:
    """Everything inside belongs to request ``id`` from ``address``."""
    id_token, origin_token = _request_id.set(id), _origin.set(address)
    try:
        yield
    finally:
        _request_id.reset(id_token)
        _origin.reset(origin_token)
