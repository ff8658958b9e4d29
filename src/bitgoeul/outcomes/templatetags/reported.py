"""``{{ figure.reported|reported }}``: a reported value in the reader's language."""

from __future__ import annotations

from django import template

from bitgoeul.outcomes import words

register = template.Library()
register.filter("reported", words.reported)
