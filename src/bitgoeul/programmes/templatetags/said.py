"""``{{ call.title|say }}``: bilingual data and messages in the reader's language."""

from __future__ import annotations

from django import template

from bitgoeul.programmes import words

register = template.Library()
register.filter("say", words.say)
