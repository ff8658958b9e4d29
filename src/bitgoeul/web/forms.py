"""A refusal shown where the person can see it."""

from __future__ import annotations

from typing import Any

from django.forms import BaseForm, Form
from django.utils.translation import gettext_lazy as _

from bitgoeul.kernel.errors import DomainError

from .texts import render_text


class PortalForm(Form):
    """A form that tells of a fault in a hidden field above itself, for beside the field nobody would see it."""

    def add_error(self, field: str | None, error: Any) -> None:
        """Django's own, except for hidden fields."""
        if field in self.fields and self.fields[field].widget.is_hidden:
            field, error = None, _("The form was damaged on its way. Reload the page and fill it in again.")
        super().add_error(field, error)


def add_error(form: BaseForm, error: DomainError) -> None:
    """Add ``error`` to its field, or to the form when the form has no such field; the remedy follows the text."""
    message = render_text(error.text)
    if error.remedy:
        message = f"{message} {render_text(error.remedy)}"
    form.add_error(error.field if error.field in form.fields else None, message)
