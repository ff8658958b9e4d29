"""What signing up asks besides e-mail and password."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from bitgoeul.audit import facade as audit

from .models import User


class SignUpForm(forms.Form):
    """The name others see; django-allauth adds its own fields to this form."""

    display_name = forms.CharField(label=_("Your name"), max_length=80)
    field_order = ("display_name", "email", "password1", "password2")

    def signup(self, _request: HttpRequest, user: User) -> None:
        """Keep the name and the language, and write down that an account was made."""
        user.display_name = self.cleaned_data["display_name"]
        user.locale = (get_language() or "ko")[:2]
        user.save(update_fields=["display_name", "locale"])
        audit.record(
            verb="accounts.sign_up",
            subject_kind="user",
            subject_id=str(user.pk),
            actor=user.actor_id,
            personal={"email": user.email, "display_name": user.display_name},
        )
