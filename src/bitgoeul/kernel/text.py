"""Text that knows its translation key: English message ids with named parameters, rendered at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Param = str | int


def N_(message: str) -> str:
    """Mark an English message id for extraction and return it unchanged."""
    return message


@dataclass(frozen=True)
class Text:
    """A message id and its parameters.

    ``msgid`` is an English sentence with ``{name}`` places (``str.format`` without format specs);
    ``params`` fills them. ``str(text)`` is English; pages render it in the reader's language.
    """

    msgid: str
    params: Mapping[str, Param] = field(default_factory=dict)

    def __str__(self) -> str:
        return fill(self.msgid, self.params)

    def to_json(self) -> dict[str, object]:
        """The JSON form: ``{"msgid", "params"}``, kept in records and rows so that a reader's language decides."""
        return {"msgid": self.msgid, "params": dict(self.params)}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Text:
        """Read what ``to_json`` wrote."""
        params = data.get("params") or {}
        if not isinstance(params, Mapping):
            raise TypeError("params of a text must be a mapping")
        return cls(str(data["msgid"]), {str(k): v if isinstance(v, int) else str(v) for k, v in params.items()})


@dataclass(frozen=True)
class Label:
    """A name or sentence that data brings in both languages."""

    ko: str
    en: str

    def in_language(self, language: str | None) -> str:
        """The words for a reader of ``language``; Korean unless it is English."""
        return self.en if (language or "").startswith("en") else self.ko


def fill(template: str, params: Mapping[str, Param]) -> str:
    """Fill ``{name}`` places; a template and parameters that do not fit show both instead of failing.

    An error message must never raise while it explains another error.
    """
    try:
        return template.format_map(dict(params))
    except (KeyError, IndexError, ValueError):
        return f"{template} {dict(params)}"
