"""What a cluster's settings may say about who measures the devices of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .reading import Reader
from .source import Source

FIELD = "telemetry"
# Furiosa's library is no choice: its calls may keep a job's supervisor from running, an exporter's cannot.
READERS = ("prometheus", "nvml")
FIELDS = ("reader", "url", "ca_file", "credentials_file", "models", "shared")


@dataclass(frozen=True)
class TelemetrySettings:
    """Who measures the devices of a cluster's jobs, on the node where they run.

    ``models`` maps a device's name in the cluster to a text that its model's name has in it, where a node has
    devices of several kinds under the same numbers. ``shared`` names devices that are parts of a card: no figure
    of the card is one job's own.
    """

    reader: str
    source: Source | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: object) -> TelemetrySettings | None:
        """Check the JSON object; None where there is none. Raises BadInput that names what is wrong."""
        if data is None:
            return None
        if not isinstance(data, Mapping):
            raise BadInput(N_("“{name}” must be a JSON object."), field=FIELD, name=FIELD)
        unknown = sorted(str(name) for name in data if name not in FIELDS)
        if unknown:
            raise BadInput(
                N_("“{setting}” has no “{name}”. It knows: {names}."),
                field=FIELD,
                setting=FIELD,
                name=unknown[0],
                names=", ".join(FIELDS),
            )
        reader = data.get("reader")
        if reader not in READERS:
            raise BadInput(
                N_("“{name}” must be one of: {names}."), field=FIELD, name="reader", names=", ".join(READERS)
            )
        models, shared = data.get("models", {}), data.get("shared", [])
        if not _texts(models.items() if isinstance(models, Mapping) else None):
            raise BadInput(N_("“{name}” must map names to texts."), field=FIELD, name="models")
        if not _texts([shared] if isinstance(shared, list | tuple) else None):
            raise BadInput(N_("“{name}” must be a list of names."), field=FIELD, name="shared")
        return cls(str(reader), _source(data), dict(models), tuple(shared))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``read`` reads them back."""
        told: dict[str, Any] = {"reader": self.reader}
        if self.source is not None:
            told |= {name: value for name, value in vars(self.source).items() if value}
        if self.models:
            told["models"] = dict(self.models)
        if self.shared:
            told["shared"] = list(self.shared)
        return told

    def make_reader(self) -> Reader:
        """The reader that these settings name."""
        # Only a supervisor whose job has devices needs them, and it starts the faster without.
        from .nvml import NvmlReader
        from .prometheus import PrometheusReader

        return PrometheusReader(self.source) if self.source is not None else NvmlReader()


def _texts(groups: Any) -> bool:
    return groups is not None and all(isinstance(each, str) and each for group in groups for each in group)


def _source(data: Mapping[str, Any]) -> Source | None:
    given = {name: data[name] for name in ("url", "ca_file", "credentials_file") if name in data}
    if data["reader"] != "prometheus":
        if given:
            raise BadInput(N_("Only the reader “prometheus” has an address."), field=FIELD)
        return None
    if not _texts([given.values()]) or "url" not in given:
        raise BadInput(N_("“{name}” must be a text."), field=FIELD, name="url")
    try:
        return Source(**given)
    except BadInput as error:
        raise BadInput(error.text, field=FIELD) from error
