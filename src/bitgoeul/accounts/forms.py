"""Forms of the accounts room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bitgoeul.web.facade import PortalForm, render_text

from .tokens import DAYS_MAX
from .types import (
    KIND_LABELS,
    ORGANISATION_ROLE_LABELS,
    PROJECT_ROLE_LABELS,
    OrganisationKind,
    OrganisationRole,
    ProjectRole,
)


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
    role = forms.ChoiceField(label=_("Role"), initial=ProjectRole.MEMBER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in ProjectRole if role is not ProjectRole.OWNER]
        self.fields["role"].choices = [(role.value, render_text(PROJECT_ROLE_LABELS[role])) for role in roles]  # type: ignore[attr-defined]


class OrganisationMemberForm(forms.Form):
    """Somebody to add to an organisation."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), initial=OrganisationRole.MEMBER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(role.value, render_text(ORGANISATION_ROLE_LABELS[role])) for role in OrganisationRole]
        self.fields["role"].choices = choices  # type: ignore[attr-defined]


class AccountForm(forms.Form):
    """What people may change of their own account."""

    display_name = forms.CharField(label=_("Your name"), max_length=80)
    locale = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)


class TokenForm(PortalForm):
    """A token to make."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("What is it for?"),
        max_length=80,
        help_text=_("For example the computer it is kept on."),
    )
    days = forms.IntegerField(label=_("Days it lives"), min_value=1, max_value=DAYS_MAX, initial=30)
    read_only = forms.BooleanField(label=_("It may only read"), required=False)
