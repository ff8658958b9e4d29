"""Refusals with a stable code, the field they concern and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .text import N_, Param, Text


class DomainError(Exception):
    """The request was refused."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400

    def __init__(
        self,
        text: Text | str | None = None,
        *,
        field: str | None = None,
        remedy: Text | None = None,
        detail: Mapping[str, object] | None = None,
        **params: Param,
    ) -> None:
        """Take a text, a message id with ``params``, or nothing (the docstring's first line then speaks)."""
        self.text = text if isinstance(text, Text) else Text(text or self._default(), params)
        self.field = field
        self.remedy = remedy
        self.detail = dict(detail or {})
        super().__init__(str(self.text))

    @classmethod
    def _default(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    def to_json(self) -> dict[str, object]:
        """The one error shape: ``{code, message, detail}``, in English."""
        detail: dict[str, object] = dict(self.detail)
        if self.field:
            detail["field"] = self.field
        if self.remedy:
            detail["remedy"] = str(self.remedy)
        return {"code": self.code, "message": str(self.text), "detail": detail}


class BadInput(DomainError):
    """The input cannot be used."""

    code = "bad_input"


class NotAllowed(DomainError):
    """You are not allowed to do this."""

    code = "not_allowed"
    status = 403


class NotFound(DomainError):
    """There is nothing here that you may see."""

    code = "not_found"
    status = 404


class WrongState(DomainError):
    """This cannot be done in the present state."""

    code = "wrong_state"
    status = 409


class Conflict(DomainError):
    """The same id was used before with other content."""

    code = "conflict"
    status = 409


class LimitReached(DomainError):
    """A limit does not allow this."""

    code = "limit_reached"
    status = 409


class Unavailable(DomainError):
    """This is not available at the moment."""

    code = "unavailable"
    status = 503


# The default texts above, marked for translation.
DEFAULT_TEXTS = (
    N_("The request was refused."),
    N_("The input cannot be used."),
    N_("You are not allowed to do this."),
    N_("There is nothing here that you may see."),
    N_("This cannot be done in the present state."),
    N_("The same id was used before with other content."),
    N_("A limit does not allow this."),
    N_("This is not available at the moment."),
)
