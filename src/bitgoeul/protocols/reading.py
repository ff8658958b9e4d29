"""Reading a record that may be damaged. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bitgoeul.trials.ports import Json


class Damaged(Exception):
    """The record lacks something or has it in another form; ``where`` is its path."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def get(data: Json, where: str, kind: type, *, optional: bool = False) -> Any:
    """The value at a dotted path, of exactly this kind; raises Damaged with the path."""
    value: Any = data
    for part in where.split("."):
        if not isinstance(value, Mapping) or part not in value:
            if optional:
                return None
            raise Damaged(where)
        value = value[part]
    if value is None and optional:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Damaged(where)
    return value
