"""A class of our own that answers at once: it measures what reaching a target's own process costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bitgoeul.trials.ports import Value

COLUMNS_OUT = 10


class Null:
    """Takes any file and answers zeros."""

    def __init__(self, options: Mapping[str, str]) -> None:
        """Has no options."""

    def describe(self) -> Mapping[str, str]:
        """Knows nothing of itself."""
        return {}

    def load(self, model: Path) -> Null:
        """Takes any file."""
        return self

    def infer(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """Zeros, one row for each row."""
        return [np.zeros((len(inputs[0]), COLUMNS_OUT), dtype=np.float32)]

    def close(self) -> None:
        """Nothing to let go."""
