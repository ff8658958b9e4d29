"""The forms of a new job and of a new sweep."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import PortalForm

from . import sweeps
from .models import Cluster
from .ports import Limits
from .rules import NAME_MAX, RANGES
from .types import JobRequest
from .words import plain_word

SCRIPT_NAME = "job.sh"
PARAMETERS_TEXT_MAX = 400_000
LIMIT_LABELS = {
    "cores": _("Processor cores"),
    "wall_seconds": _("Time limit (seconds)"),
    "memory_mib": _("Memory (MiB)"),
    "processes": _("Processes"),
    "file_mib": _("Largest file (MiB)"),
    "work_mib": _("Working directory (MiB)"),
}
FIRST = {"cores": 1, "wall_seconds": 60, "memory_mib": 512, "processes": 32, "file_mib": 64, "work_mib": 2048}


def devices_of(clusters: Sequence[Cluster]) -> list[str]:
    """The kinds of device that any of the clusters offers, in order."""
    return sorted({name for each in clusters for name in each.device_units})


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

    what: tuple[str, ...] = ("name", "command", "script")

    def __init__(self, *args: object, clusters: Sequence[Cluster], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.clusters = clusters
        for name, label in LIMIT_LABELS.items():
            low, high = RANGES[name]
            self.fields[name] = forms.IntegerField(label=label, min_value=low, max_value=high, initial=FIRST[name])
        if len(clusters) > 1:
            self.fields["cluster"] = forms.ChoiceField(
                label=_("Cluster"),
                choices=[(each.code, each.title) for each in clusters],
                initial=clusters[0].code,
                required=False,
            )
        self.devices = devices_of(clusters)
        for name in self.devices:
            self.fields[f"device_{name}"] = self._device_field(name)

    def _device_field(self, name: str) -> forms.IntegerField:
        having = [each.title for each in self.clusters if name in each.device_units]
        return forms.IntegerField(
            label=_("Devices of kind “%(name)s”") % {"name": plain_word(name)},
            min_value=0,
            max_value=1024,
            initial=0,
            required=False,
            help_text=_("Only at: %(names)s") % {"names": ", ".join(having)}
            if len(having) < len(self.clusters)
            else "",
        )

    def full_clean(self) -> None:
        """Keep what was typed: a refusal of the whole takes its field out of ``cleaned_data``."""
        super().full_clean()
        self.typed = dict(self.cleaned_data) if self.is_bound else {}

    def main_fields(self) -> list[forms.BoundField]:
        """What everybody fills in."""
        place = ("cluster",) if "cluster" in self.fields else ()
        return [self[n] for n in (*self.what, *place, "cores", "wall_seconds", *self._device_fields())]

    def cluster(self) -> Cluster:
        """The cluster chosen, also while the rest is not valid; the default one where nothing was chosen."""
        code = self.so_far("cluster")
        return next((each for each in self.clusters if each.code == code), self.clusters[0])

    def cluster_named(self) -> str:
        """The code that was chosen; empty where there is no choice."""
        return str(self.typed.get("cluster") or "")

    def so_far(self, name: str) -> str:
        """The valid text of a field as typed, or its first value; empty where there is none."""
        if name not in self.fields:
            return ""
        if not self.is_bound:
            return str(self.get_initial_for_field(self.fields[name], name) or "")
        self.is_valid()
        return str(self.typed.get(name) or "")

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
            value = self.typed.get(name) if self.is_bound else first
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
        script = self.so_far("script").replace("\r\n", "\n")
        return {SCRIPT_NAME: script.encode()} if script.strip() else {}

    def as_request(self) -> JobRequest:
        """The request of a valid form; raises BadInput for a command that cannot be read."""
        return JobRequest(
            argv=self.argv(),
            limits=self.limits(),
            outputs=tuple(self.cleaned_data["outputs"].replace(",", " ").split()),
            devices=self.chosen_devices(),
        )

    def argv(self) -> tuple[str, ...]:
        """The command as words, as far as it is typed; raises BadInput for one that cannot be read."""
        try:
            words = tuple(shlex.split(self.so_far("command")))
        except ValueError as error:
            raise BadInput(N_("A quotation in the command is not closed."), field="command") from error
        if not words and self.given_files():
            return ("sh", SCRIPT_NAME)
        if not words:
            raise BadInput(N_("Give a command or a script."), field="command")
        return words


class SweepForm(JobForm):
    """The same with parameters: a job for each of their points."""

    what = ("name", "command", "script", "way", "parameters")
    way = forms.ChoiceField(
        label=_("How the values are given"),
        choices=(("grid", _("Every combination of the values")), ("table", _("A table, a job for each line"))),
        initial="grid",
        widget=forms.RadioSelect,
    )
    parameters = forms.CharField(
        label=_("Values"),
        max_length=PARAMETERS_TEXT_MAX,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_(
            "Combinations: a line for each parameter, “lr = 0.1, 0.01”. Table: the names in the first line and "
            "the values of a job in each line below, apart by commas or copied from a spreadsheet. A job has "
            "each value as a variable ($lr), and in the command {lr} stands for it."
        ),
    )

    def points(self) -> sweeps.Points | None:
        """The points as typed so far; None for no text yet. Raises BadInput for what cannot be read."""
        text = self.so_far("parameters")
        if not text.strip():
            return None
        return sweeps.read_table(text) if self.so_far("way") == "table" else sweeps.read_lines(text)
