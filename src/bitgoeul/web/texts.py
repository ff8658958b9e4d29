"""Kernel texts in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from bitgoeul.kernel.text import Text, fill


def render_text(text: Text | str) -> str:
    """The text in the active language; a plain string is returned as it is."""
    if isinstance(text, Text):
        return fill(gettext(text.msgid), text.params)
    return text
