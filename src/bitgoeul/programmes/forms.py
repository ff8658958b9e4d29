"""The application form: made from a call's data, prefilled from the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from bitgoeul.accounts.types import OrganisationView
from bitgoeul.web.facade import PortalForm

from . import rules
from .questions import QUESTIONS
from .types import CallBody, CallField, Scalar, Tier
from .words import say

YES, NO = "yes", "no"


class ApplicationForm(PortalForm):
    """One application to one tier; amounts are asked in the size people use and kept in ledger amounts.

    Without ``complete`` (a draft) only organisation and title are required.
    """

    id = forms.UUIDField(widget=forms.HiddenInput)
    organisation = forms.ChoiceField(label=_("Organisation"))
    title = forms.CharField(
        label=_("Project title"), max_length=120, help_text=_("What you will read on every page of the project.")
    )

    def __init__(
        self,
        *args: Any,
        body: CallBody,
        tier: Tier,
        organisations: Sequence[OrganisationView],
        complete: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.body, self.tier = body, tier
        choices = [(str(one.id), one.name) for one in organisations]
        self.fields["organisation"].choices = choices  # type: ignore[attr-defined]
        for question in QUESTIONS:
            options = [(str(option.value), say(option.label)) for option in question.options]
            self.fields[question.code] = forms.ChoiceField(
                label=say(question.text), choices=[("", gettext("Choose")), *options]
            )
        for line in tier.resources:
            unit = say(line.shown.label)
            self.fields[f"requested_{line.resource}"] = forms.IntegerField(
                label=f"{say(line.label)} ({unit})",
                min_value=1,
                help_text=gettext("At most {limit} {unit}.").format(limit=line.shown.count(line.cap), unit=unit),
            )
        for field in body.fields:
            self.fields[field.code] = _field(field)
        if not complete:
            for name in set(self.fields) - {"id", "organisation", "title"}:
                self.fields[name].required = False

    @property
    def answer_fields(self) -> list[forms.BoundField]:
        """The seven questions."""
        return [self[question.code] for question in QUESTIONS]

    @property
    def resource_fields(self) -> list[forms.BoundField]:
        """One amount for each resource of the tier."""
        return [self[f"requested_{line.resource}"] for line in self.tier.resources]

    @property
    def call_fields(self) -> list[forms.BoundField]:
        """The call's own fields."""
        return [self[field.code] for field in self.body.fields]

    def content(self) -> dict[str, Any]:
        """The cleaned values as ``services.apply`` takes them."""
        data = self.cleaned_data
        return {
            "id": data["id"],
            "organisation_id": UUID(data["organisation"]),
            "title": data["title"],
            "answers": {question.code: data[question.code] for question in QUESTIONS if data[question.code]},
            "fields": {
                field.code: _stored(field, data[field.code]) for field in self.body.fields if data[field.code]
            },
            "requested": {
                line.resource: data[f"requested_{line.resource}"] * line.shown.scale
                for line in self.tier.resources
            },
        }


def _field(field: CallField) -> forms.Field:
    settings: dict[str, Any] = {
        "label": say(field.label),
        "help_text": say(field.hint),
        "required": field.required,
    }
    if field.kind == "yes_no":
        choices = [("", gettext("Choose")), (YES, gettext("Yes")), (NO, gettext("No"))]
        return forms.ChoiceField(choices=choices, **settings)
    if field.kind == "choice":
        choices = [("", gettext("Choose")), *((one.value, say(one.label)) for one in field.choices)]
        return forms.ChoiceField(choices=choices, **settings)
    widget = forms.Textarea(attrs={"rows": 5}) if field.kind == "text" else forms.TextInput()
    return forms.CharField(max_length=field.length_max, widget=widget, **settings)


def _stored(field: CallField, value: str) -> Scalar:
    return value == YES if field.kind == "yes_no" else value


def initial_of(
    tier: Tier,
    answers: Mapping[str, Scalar],
    fields: Mapping[str, Scalar] | None = None,
    requested: Mapping[str, int] | None = None,
) -> dict[str, object]:
    """What the form starts with: the answers, the suggested (or drafted) amounts, the drafted fields."""
    amounts = requested or {one.resource: one.amount for one in rules.suggest(tier, answers)}
    shown = {line.resource: line.shown.scale for line in tier.resources}
    filled = {
        code: (YES if value else NO) if isinstance(value, bool) else value
        for code, value in (fields or {}).items()
    }
    return {
        **answers,
        **{f"requested_{code}": amount // shown[code] for code, amount in amounts.items() if code in shown},
        **filled,
    }
