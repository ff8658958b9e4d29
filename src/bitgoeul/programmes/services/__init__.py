"""Every write of the programmes room."""

from __future__ import annotations

from .applications import apply, withdraw
from .calls import load_call, load_example
from .deciding import decide
from .signing import sign

__all__ = ["apply", "decide", "load_call", "load_example", "sign", "withdraw"]
