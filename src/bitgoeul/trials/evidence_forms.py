"""Forms about evidence: who sees it, and its invalidation."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from bitgoeul.accounts import facade as accounts

from .evidence import REASON_MAX
from .evidence_types import Audience, EvidenceView, Visibility


class AudienceForm(forms.Form):
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
    organisations = forms.MultipleChoiceField(
        label=_("Organisations"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Counts only with “The organisations named below, too”."),
    )
    embargo_until = forms.DateTimeField(
        label=_("Embargo until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("Before that time (Korean time) nobody new sees it. Empty: at once."),
    )
    seen_version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(
        self, *args: object, organisations: Sequence[accounts.OrganisationView] = (), **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["organisations"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(str(one.id), one.name) for one in organisations]

    @classmethod
    def initial_of(cls, view: EvidenceView) -> dict[str, object]:
        """The form's start: what holds now."""
        return {
            "visibility": str(view.visibility),
            "organisations": [str(one) for one in view.organisations],
            "embargo_until": view.embargo_until,
            "seen_version": view.visibility_version,
        }

    def audience(self) -> Audience:
        """What the person decided; only after ``is_valid``."""
        data = self.cleaned_data
        return Audience(
            Visibility(data["visibility"]),
            tuple(UUID(one) for one in data["organisations"]),
            data["embargo_until"],
        )


class InvalidationForm(forms.Form):
    """The reason why evidence must no longer be relied on."""

    reason = forms.CharField(
        label=_("Why must it no longer be relied on?"),
        max_length=REASON_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Everybody who may see the evidence reads this. It cannot be undone."),
    )
