"""Reported values in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language

from bitgoeul.web.facade import render_text

from .types import Report


def reported(report: Report | None) -> str:
    """The value with its unit and how exactly it was reported; an en dash for none."""
    return "–" if report is None else render_text(report.shown(get_language()))
