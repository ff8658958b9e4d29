"""The example's catalogue, loaded from data; again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.text import Label

from .services import define_resource
from .types import Category


def load_example(actor: Actor, directory: Path) -> Mapping[str, int]:
    """Load resources.json from ``directory``; returns what the catalogue then has of it."""
    entries = json.loads((directory / "resources.json").read_text(encoding="utf-8"))
    for entry in entries:
        define_resource(
            actor=actor,
            code=entry["code"],
            category=Category(entry["category"]),
            unit=entry["unit"],
            label=Label(**entry["label"]),
            provider=Label(**entry["provider"]),
            location=Label(**entry["location"]),
            is_example=True,
        )
    return {"resources": len(entries)}
