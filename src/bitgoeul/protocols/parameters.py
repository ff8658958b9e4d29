"""A trial's parameters by their protocol's schema: whole numbers within bounds."""

from __future__ import annotations

from collections.abc import Mapping

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text
from bitgoeul.trials.ports import Json


def whole_numbers(definition: Json, raw: Json) -> Mapping[str, int]:
    """Whole numbers within the schema's bounds, defaults filled in; BadInput names the field."""
    schema = definition["parameters"]["properties"]
    for name in raw:
        if name not in schema:
            raise BadInput(
                N_("The protocol has no parameter “{name}”."), field=name, name=name,
                remedy=Text(N_("Use one of: {names}."), {"names": ", ".join(sorted(schema))}),
            )  # fmt: skip
    return {name: _whole(name, raw.get(name, rule["default"]), rule) for name, rule in schema.items()}


def _whole(name: str, value: object, rule: Json) -> int:
    low, high = rule["minimum"], rule["maximum"]
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(N_("Enter a whole number from {low} to {high}."), field=name, low=low, high=high)
    return value
