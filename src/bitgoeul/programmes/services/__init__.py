"""Every write of the programmes room."""

from __future__ import annotations

from .applications import apply, withdraw
from .calls import load_call, load_example
from .signing import sign

__all__ = ["apply", "load_call", "load_example", "sign", "withdraw"]
