"""Forms of the accounts room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from bitgoeul.web.facade import PortalForm, render_text

from .types import KIND_LABELS, PROJECT_ROLE_LABELS, OrganisationKind, ProjectRole


class OrganisationForm(PortalForm):
    """An organisation to register."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name of the organisation"), max_length=120)
    kind = forms.ChoiceField(label=_("Kind"))
    registration_number = forms.CharField(
        label=_("Business registration number"),
        required=False,
        max_length=14,
        help_text=_("Ten digits, as 000-00-00000. You may leave it empty before you are founded."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [kind for kind in OrganisationKind if kind is not OrganisationKind.OPERATOR]
        self.fields["kind"].choices = [(kind.value, render_text(KIND_LABELS[kind])) for kind in kinds]  # type: ignore[attr-defined]


class MemberForm(forms.Form):
    """Somebody to add to a project, or whose role to change."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in ProjectRole if role is not ProjectRole.OWNER]
        self.fields["role"].choices = [(role.value, render_text(PROJECT_ROLE_LABELS[role])) for role in roles]  # type: ignore[attr-defined]
