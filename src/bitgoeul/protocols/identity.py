"""What every judge asks of a record first: is it of this protocol, and was the engine the one it names? Pure."""

from __future__ import annotations

from bitgoeul.kernel.text import N_, Text
from bitgoeul.protocols.reading import get
from bitgoeul.trials.ports import Json, Reason


def identity(record: Json, definition: Json, schema: str) -> Reason:
    """Whether the record is one of this protocol and version; raises Damaged."""
    protocol = get(record, "protocol", dict)
    fits = (
        get(record, "schema", str) == schema
        and protocol.get("code") == definition["code"]
        and protocol.get("version") == definition["version"]
    )
    return Reason("protocol", fits, Text(
        N_("The record is one of this protocol.") if fits else N_("The record is not one of this protocol.")
    ))  # fmt: skip


def engine(record: Json, definition: Json) -> Reason:
    """Whether the packages that took part have the exact versions that the protocol names; raises Damaged."""
    told = {p["name"]: p["version"] for p in get(record, "environment.packages", list) if isinstance(p, dict)}
    wanted = definition["engine"]["packages"]
    wrong = sorted(f"{name} {told.get(name, '—')}" for name in wanted if told.get(name) != wanted[name])
    text = (
        Text(N_("The engine has other versions than the protocol names: {found}."), {"found": ", ".join(wrong)})
        if wrong
        else Text(N_("The engine has the versions the protocol names."))
    )
    limit = ", ".join(f"{name} {version}" for name, version in sorted(wanted.items()))
    return Reason("engine", not wrong, text, ", ".join(wrong) or None, limit)
