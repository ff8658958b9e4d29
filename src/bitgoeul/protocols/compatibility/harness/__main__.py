"""``python -m bitgoeul.protocols.compatibility.harness trial.json``."""

from __future__ import annotations

import sys
from pathlib import Path

from bitgoeul.protocols.compatibility.harness.referee import conduct


def main(arguments: list[str]) -> int:
    """Run the ordered trial in the current directory; 0 when a record was written, 2 for bad input."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m bitgoeul.protocols.compatibility.harness trial.json\n")
        return 2
    return conduct(Path(arguments[0]), Path.cwd())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
