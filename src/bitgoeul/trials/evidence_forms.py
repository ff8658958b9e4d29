"""Forms about evidence: who sees it, and its invalidation."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.errors import DomainError
from bitgoeul.web.facade import PortalForm, render_text

from .evidence import REASON_MAX
from .evidence_types import Audience, EvidenceView, Visibility


class AudienceForm(PortalForm):
    """Who sees a piece of evidence from now on."""

    visibility = forms.ChoiceField(
        label=_("Who sees it"),
        choices=[
            (str(Visibility.PRIVATE), _("Only the project and the operator")),
            (str(Visibility.NAMED), _("The organisations named below, too")),
            (str(Visibility.PUBLIC), _("Everybody")),
        ],
        widget=forms.RadioSelect,
    )
    numbers = forms.CharField(
        label=_("Business registration numbers"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Of the organisations that may see it, one a line, as 000-00-00000. Counts only with the second."
        ),
    )
    embargo_until = forms.DateTimeField(
        label=_("Embargo until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("Before that time (Korean time) nobody new sees it. Empty: at once."),
    )
    seen_version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    @classmethod
    def initial_of(cls, view: EvidenceView) -> dict[str, object]:
        """The form's start: what holds now."""
        named = accounts.organisations(view.organisations).values()
        return {
            "visibility": str(view.visibility),
            "numbers": "\n".join(
                accounts.show_registration_number(one.registration_number)
                for one in named
                if one.registration_number
            ),
            "embargo_until": view.embargo_until,
            "seen_version": view.visibility_version,
        }

    def clean_numbers(self) -> tuple[UUID, ...]:
        """The organisations with these numbers; every line must name one that is known here."""
        lines = [line for line in str(self.cleaned_data["numbers"]).splitlines() if line.strip()]
        try:
            numbers = {line: accounts.clean_registration_number(line) for line in lines}
        except DomainError as error:
            raise forms.ValidationError(render_text(error.text)) from error
        found = accounts.organisations_by_number(numbers.values())
        unknown = [line.strip() for line, number in numbers.items() if number not in found]
        if unknown:
            raise forms.ValidationError(
                _("No organisation here has the number %(number)s. Ask it to sign up first."),
                params={"number": unknown[0]},
            )
        return tuple(one.id for one in found.values())

    def audience(self) -> Audience:
        """What the person decided; only after ``is_valid``."""
        data = self.cleaned_data
        return Audience(Visibility(data["visibility"]), data["numbers"], data["embargo_until"])


class InvalidationForm(forms.Form):
    """The reason why evidence must no longer be relied on."""

    reason = forms.CharField(
        label=_("Why must it no longer be relied on?"),
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Everybody who may see the evidence reads this. It cannot be undone."),
    )
