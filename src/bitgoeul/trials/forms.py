"""Forms of the trials room: a subject with its file, a further version, a trial made from a protocol's schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from bitgoeul.kernel.ids import new_id
from bitgoeul.web.facade import PortalForm, render_text

from .evidence_types import Audience, Visibility
from .types import KIND_LABELS, ProtocolView, SubjectVersionView


class VersionForm(PortalForm):
    """One more version of a subject."""

    version_id = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    file = forms.FileField(
        label=_("File"),
        max_length=200,
        allow_empty_file=True,
        help_text=_(
            "A model: ONNX with standard operators. A stack: the file that “bitgoeul target stack” writes. "
            "At most 64 MiB; it is opened only inside the trial, apart from here."
        ),
    )
    note = forms.CharField(
        label=_("What is new in it"), required=False, max_length=400, widget=forms.Textarea(attrs={"rows": 2})
    )


class SubjectForm(VersionForm):
    """A new subject with its first version."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What the evidence will call it, for example a product name.")
    )
    kind = forms.ChoiceField(label=_("Kind"))
    field_order = ("id", "version_id", "name", "kind", "file", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(kind), render_text(label)) for kind, label in KIND_LABELS.items()]
        self.fields["kind"].choices = choices  # type: ignore[attr-defined]


class TrialForm(PortalForm):
    """A trial: what is tried, the protocol's own parameters from its schema, and who will see the result."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    version = forms.ChoiceField(label=_("What is tried"))
    protocol = forms.CharField(widget=forms.HiddenInput)
    visibility = forms.ChoiceField(
        label=_("Who will see the result"),
        widget=forms.RadioSelect,
        initial=str(Visibility.PRIVATE),
        choices=[
            (str(Visibility.PRIVATE), _("Only the project and the operator")),
            (str(Visibility.PUBLIC), _("Everybody")),
        ],
    )
    embargo_until = forms.DateTimeField(
        label=_("Public from"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("Only for a public result (Korean time). Empty: as soon as it is signed."),
    )

    def __init__(
        self, *args: Any, protocol: ProtocolView, versions: Sequence[SubjectVersionView], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.names = list(protocol.definition["parameters"]["properties"])
        choices = [(str(one.id), f"{one.subject_name} v{one.number} · {one.filename}") for one in versions]
        self.fields["version"].choices = choices  # type: ignore[attr-defined]
        self.fields["protocol"].initial = protocol.digest
        for name, rule in protocol.definition["parameters"]["properties"].items():
            bounds = gettext("From {low} to {high}.").format(low=rule["minimum"], high=rule["maximum"])
            title, description = rule["title"], rule["description"]
            self.fields[name] = forms.IntegerField(
                label=gettext(title),
                help_text=f"{gettext(description)} {bounds}",
                initial=rule["default"],
                min_value=rule["minimum"],
                max_value=rule["maximum"],
            )

    def parameter_fields(self) -> list[forms.BoundField]:
        """The fields that come from the protocol's schema."""
        return [self[name] for name in self.names]

    def parameters(self) -> dict[str, int]:
        """The protocol's parameters; only after ``is_valid``."""
        return {name: self.cleaned_data[name] for name in self.names}

    def version_id(self) -> UUID:
        """The chosen version; only after ``is_valid``."""
        return UUID(self.cleaned_data["version"])

    def audience(self) -> Audience:
        """Who will see the result; only after ``is_valid``."""
        visibility = Visibility(self.cleaned_data["visibility"])
        embargo = self.cleaned_data["embargo_until"] if visibility is Visibility.PUBLIC else None
        return Audience(visibility, (), embargo)
