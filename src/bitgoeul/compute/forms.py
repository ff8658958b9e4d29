"""The form of a new job."""

from __future__ import annotations

import shlex
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import PortalForm

from .ports import Limits
from .rules import NAME_MAX, RANGES
from .types import JobRequest
from .words import plain_word

SCRIPT_NAME = "job.sh"
LIMIT_LABELS = {
    "cores": _("Processor cores"),
    "wall_seconds": _("Time limit (seconds)"),
    "memory_mib": _("Memory (MiB)"),
    "processes": _("Processes"),
    "file_mib": _("Largest file (MiB)"),
    "work_mib": _("Working directory (MiB)"),
}
FIRST = {"cores": 1, "wall_seconds": 60, "memory_mib": 512, "processes": 32, "file_mib": 64, "work_mib": 2048}


class JobForm(PortalForm):
    """Command, limits and devices; ``id`` is made with the empty form, so that sending it twice is one job."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), max_length=NAME_MAX)
    command = forms.CharField(
        label=_("Command"),
        required=False,
        max_length=8000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("Program first, words in quotes where they hold spaces; no shell reads it."),
    )
    script = forms.CharField(
        label=_("Or a shell script"),
        required=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text=_("Runs as “sh job.sh” when no command is given."),
    )
    outputs = forms.CharField(
        label=_("Files to keep"),
        required=False,
        max_length=4000,
        help_text=_("Names separated by spaces; a missing one makes the job fail."),
    )

    def __init__(self, *args: object, devices: list[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for name, label in LIMIT_LABELS.items():
            low, high = RANGES[name]
            self.fields[name] = forms.IntegerField(label=label, min_value=low, max_value=high, initial=FIRST[name])
        self.devices = devices
        for name in devices:
            self.fields[f"device_{name}"] = forms.IntegerField(
                label=_("Devices of kind “%(name)s”") % {"name": plain_word(name)},
                min_value=0,
                max_value=1024,
                initial=0,
                required=False,
            )

    def main_fields(self) -> list[forms.BoundField]:
        """What everybody fills in."""
        return [self[n] for n in ("name", "command", "script", "cores", "wall_seconds", *self._device_fields())]

    def advanced_fields(self) -> list[forms.BoundField]:
        """What has a good first value."""
        return [self[name] for name in ("memory_mib", "processes", "file_mib", "work_mib", "outputs")]

    def advanced_open(self) -> bool:
        """Whether an advanced field has something to say."""
        return any(field.errors for field in self.advanced_fields())

    def _device_fields(self) -> list[str]:
        return [f"device_{name}" for name in self.devices]

    def numbers(self) -> dict[str, int] | None:
        """Cores, time, memory and devices as typed, or first values; None while one of them is no number."""
        if self.is_bound:
            self.is_valid()
        found: dict[str, int] = {}
        for name in ("cores", "wall_seconds", "memory_mib", *self._device_fields()):
            first = self.get_initial_for_field(self.fields[name], name)
            value = self.cleaned_data.get(name) if self.is_bound else first
            if value is None and not name.startswith("device_"):
                return None
            found[name] = int(value or 0)
        return found

    def limits(self) -> Limits:
        """The limits of a valid form."""
        return Limits(**{name: self.cleaned_data[name] for name in LIMIT_LABELS})

    def chosen_devices(self) -> dict[str, int]:
        """Devices by name, those asked for."""
        chosen = {name: self.cleaned_data.get(f"device_{name}") or 0 for name in self.devices}
        return {name: count for name, count in chosen.items() if count}

    def job_id(self) -> UUID:
        """The id the page made."""
        found: UUID = self.cleaned_data["id"]
        return found

    def given_files(self) -> dict[str, bytes]:
        """The script, as a file given with the job."""
        script = self.cleaned_data["script"].replace("\r\n", "\n")
        return {SCRIPT_NAME: script.encode()} if script.strip() else {}

    def as_request(self) -> JobRequest:
        """The request of a valid form; raises BadInput for a command that cannot be read."""
        return JobRequest(
            argv=self._argv(),
            limits=self.limits(),
            outputs=tuple(self.cleaned_data["outputs"].replace(",", " ").split()),
            devices=self.chosen_devices(),
        )

    def _argv(self) -> tuple[str, ...]:
        try:
            words = tuple(shlex.split(self.cleaned_data["command"]))
        except ValueError as error:
            raise BadInput(N_("A quotation in the command is not closed."), field="command") from error
        if not words and self.given_files():
            return ("sh", SCRIPT_NAME)
        if not words:
            raise BadInput(N_("Give a command or a script."), field="command")
        return words
