"""The rules of the rooms that an import linter cannot see, as functions over models and source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.apps import apps
from django.db import models

ORDER = (
    "kernel", "web", "documents", "audit", "content", "accounts", "ledger", "resources", "compute",
    "trials", "programmes", "outcomes", "site",
)  # fmt: skip
HEIGHT = {room: height for height, room in enumerate(ORDER)} | {"programmes": ORDER.index("trials")}


def room_of(model: type[models.Model]) -> str | None:
    """The room a model lives in; None for a library's model."""
    parts = model.__module__.split(".")
    return parts[1] if parts[0] == "bitgoeul" else None


def our_models() -> list[type[models.Model]]:
    """Every model of every room."""
    return [model for model in apps.get_models() if room_of(model)]


def foreign_key_faults(chosen: Iterable[type[models.Model]]) -> Iterator[str]:
    """Foreign keys that point up or sideways, can lose rows, or open a way back up."""
    for model in chosen:
        room = room_of(model)
        for field in model._meta.local_fields:
            if not isinstance(field, models.ForeignKey):
                continue
            where = f"{model._meta.label}.{field.name}"
            target = room_of(field.related_model)
            if target and room and target != room and HEIGHT[target] >= HEIGHT[room]:
                yield f"{where} points up to {target}"
            if field.remote_field.on_delete is not models.PROTECT:
                yield f"{where} must be on_delete=PROTECT"
            if target != room and not (field.remote_field.related_name or "").endswith("+"):
                yield f"{where} must have related_name='+'"


def float_faults(chosen: Iterable[type[models.Model]]) -> Iterator[str]:
    """Columns that round: amounts are whole numbers."""
    for model in chosen:
        for field in model._meta.local_fields:
            if isinstance(field, models.FloatField | models.DecimalField):
                yield f"{model._meta.label}.{field.name} is not a whole number"


def save_faults(chosen: Iterable[type[models.Model]]) -> Iterator[str]:
    """Models that hide logic in save() or delete()."""
    for model in chosen:
        for name in ("save", "delete"):
            if name in vars(model):
                yield f"{model._meta.label}.{name} is overridden"
