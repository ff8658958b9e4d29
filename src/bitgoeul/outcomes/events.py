"""The room's news."""

from __future__ import annotations

from typing import Final

FIGURE_CHANGED: Final = "figure.changed"
"""A claim began or ceased to count: ``{"figure", "counted"}``."""
