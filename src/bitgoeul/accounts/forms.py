"""Forms of the accounts room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bitgoeul.web.facade import PortalForm, render_text

from .authority import scopes
from .elevation import MINUTES_MAX, REASON_LENGTH_MAX
from .tokens import DAYS_MAX, EVERY_READ, EVERY_WRITE
from .types import (
    KIND_LABELS,
    OPERATOR_ROLE_LABELS,
    ORGANISATION_ROLE_LABELS,
    PROJECT_ROLE_LABELS,
    OperatorRole,
    OrganisationKind,
    OrganisationRole,
    ProjectRole,
    Verb,
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
    scopes = forms.MultipleChoiceField(
        label=_("What it may do at most"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose as little as the program needs. Nothing chosen means everything that you may do."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].choices = scope_choices()  # type: ignore[attr-defined]


def scope_choices() -> list[tuple[str, str]]:
    """Every scope with its words, the wide ones first."""
    wide = [(EVERY_READ, scope_words(EVERY_READ)), (EVERY_WRITE, scope_words(EVERY_WRITE))]
    return wide + [(scope, scope_words(scope)) for scope in scopes()]


ROOMS = {
    "*": _("everything"),
    "accounts": _("account, organisation and project"),
    "compute": _("jobs"),
    "outcomes": _("outcomes and figures"),
    "programmes": _("calls, applications and agreements"),
    "resources": _("resources and allocations"),
    "trials": _("trials and evidence"),
}


def scope_words(scope: str) -> str:
    """A scope in words, with its name: ``jobs: read (compute:read)``; a room without words keeps its name."""
    room, _colon, mode = scope.partition(":")
    does = _("read") if mode == "read" else _("read and write")
    return f"{ROOMS.get(room, room)}: {does} ({scope})"


class ElevationForm(PortalForm):
    """A time in which to do dangerous things, and why."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    verbs = forms.MultipleChoiceField(label=_("What for"), widget=forms.CheckboxSelectMultiple)
    reason = forms.CharField(
        label=_("Why"),
        max_length=REASON_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Name the case or the person who asked; auditors read it."),
    )
    minutes = forms.TypedChoiceField(label=_("How long"), coerce=int, initial=15)
    with_tokens = forms.BooleanField(label=_("Also for my API tokens during this time"), required=False)

    def __init__(self, *args: Any, choices: Sequence[Verb], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["verbs"].choices = [(verb.name, render_text(verb.label)) for verb in choices]  # type: ignore[attr-defined]
        times = [(n, _("%(n)s minutes") % {"n": n}) for n in (15, 30, MINUTES_MAX)]
        self.fields["minutes"].choices = times  # type: ignore[attr-defined]


class OperatorForm(forms.Form):
    """A person to give a role at the operator."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), initial=OperatorRole.ENGINEER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(role.value, render_text(OPERATOR_ROLE_LABELS[role])) for role in OperatorRole]
        self.fields["role"].choices = choices  # type: ignore[attr-defined]


class PersonForm(forms.Form):
    """Somebody by e-mail, for staff to do something about."""

    email = forms.EmailField(label=_("E-mail"))
    act = forms.ChoiceField(label=_("What to do"))
    reason = forms.CharField(
        label=_("Why"), max_length=500, required=False, help_text=_("Needed to close an account.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["act"].choices = [  # type: ignore[attr-defined]
            ("lift", _("Let them try to sign in again")),
            ("end", _("Sign them out everywhere and end their tokens")),
            ("close", _("Close their account")),
            ("reopen", _("Open their account again")),
            ("erase", _("Erase the personal values that events keep")),
        ]
