"""The seven answers kept in the reader's session, so that going back and coming back loses nothing."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

from .errors import BadAnswer
from .questions import BY_CODE, check_answer
from .types import Scalar

KEY = "programmes.answers"


def answers_in(request: HttpRequest) -> dict[str, Scalar]:
    """The answers given so far; one that is no choice any more is left out."""
    kept = request.session.get(KEY, {})
    found: dict[str, Scalar] = {}
    for code in BY_CODE:
        if code in kept:
            try:
                found[code] = check_answer(code, kept[code])
            except BadAnswer:
                continue
    return found


def keep(request: HttpRequest, answers: Mapping[str, Scalar]) -> None:
    """Add answers to those kept."""
    request.session[KEY] = {**request.session.get(KEY, {}), **answers}


def forget(request: HttpRequest) -> None:
    """Start again with no answers."""
    request.session.pop(KEY, None)
