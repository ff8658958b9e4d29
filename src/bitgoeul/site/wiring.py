"""Which news goes where: outbox topic → facade call, and nothing else."""

from __future__ import annotations


def connect() -> None:
    """Subscribe every handler; called once when Django is ready."""
