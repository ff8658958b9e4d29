"""A refusal shown beside the field it concerns."""

from __future__ import annotations

from django.forms import BaseForm

from bitgoeul.kernel.errors import DomainError

from .texts import render_text


def add_error(form: BaseForm, error: DomainError) -> None:
    """Add ``error`` to its field, or to the form when the form has no such field; the remedy follows the text."""
    message = render_text(error.text)
    if error.remedy:
        message = f"{message} {render_text(error.remedy)}"
    form.add_error(error.field if error.field in form.fields else None, message)
