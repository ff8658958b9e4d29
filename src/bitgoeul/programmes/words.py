"""Texts of both kinds in the reader's language: translated messages and bilingual data."""

from __future__ import annotations

from typing import Protocol

from django.utils.translation import get_language, override

from bitgoeul.kernel.text import Text
from bitgoeul.web.facade import render_text

from .types import Said, Words


class Bilingual(Protocol):
    """Anything that data brings in both languages."""

    def in_language(self, code: str | None, /) -> str:
        """The text for a reader of ``code``."""


def say(text: Text | Bilingual | str | None) -> str:
    """The text in the active language; nothing is empty, a plain string is returned as it is."""
    if text is not None and not isinstance(text, Text | str):
        return text.in_language(get_language())
    return "" if text is None else render_text(text)


def said_json(text: Said) -> dict[str, object]:
    """The stored form: ``{"ko", "en"}`` of data, ``{"msgid", "params"}`` of a message."""
    return text.model_dump() if isinstance(text, Words) else text.to_json()


def said_from(data: dict[str, object]) -> Said:
    """Read what ``said_json`` wrote."""
    return Words.model_validate(data) if "ko" in data else Text.from_json(data)


def both(text: Said | None) -> dict[str, str]:
    """The text in both languages, for REST; nothing is an empty object."""
    if text is None:
        return {}
    if isinstance(text, Words):
        return text.model_dump()
    with override("ko"):
        korean = render_text(text)
    return {"ko": korean, "en": str(text)}
