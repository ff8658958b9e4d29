"""A refusal of ours as an error of a form that is not ours."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from bitgoeul.kernel.errors import DomainError
from bitgoeul.web.facade import render_text


def as_form_error(error: DomainError) -> ValidationError:
    """Its text and remedy, in the reader's language."""
    parts = [render_text(error.text), render_text(error.remedy) if error.remedy else ""]
    return ValidationError(" ".join(filter(None, parts)), code=error.code)
