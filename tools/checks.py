"""What a commit must pass besides the tests, one command a check; `make <check>` and `./test` run the same.

python tools/checks.py [check …]     all of them without a name; exit 1 names what failed
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
CODE = [name for name in ("src", "tests", "tools", "bench") if (ROOT / name).exists()]
DJANGO = ["--settings", "bitgoeul.site.settings"]


def commands() -> dict[str, list[str]]:
    """Every check by name, as the command that exits 0 when it holds."""
    templates = sorted(str(path) for path in ROOT.glob("src/**/templates/**/*.html"))
    django = [f"{BIN}/python", "-m", "django"]
    return {
        "format": [f"{BIN}/ruff", "format", "--check", *CODE],
        "lint": [f"{BIN}/ruff", "check", *CODE],
        "types": [f"{BIN}/mypy", "src"],
        "imports": [f"{BIN}/lint-imports"],
        "migrations": [*django, "makemigrations", "--check", "--dry-run", *DJANGO],
        "templates": [f"{BIN}/djade", "--target-version", "5.2", "--check", *templates],
        "messages": [f"{BIN}/python", "tools/messages.py", "check"],
    }


def holds(name: str) -> bool:
    """Run one check with its own output, on a home of its own; tells whether it holds."""
    print(f"\n== {name}", flush=True)
    environ = os.environ | {"BITGOEUL_HOME": str(ROOT / "build" / "check")}
    command = commands()[name]
    return subprocess.run(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, check=False).returncode == 0


def main() -> int:
    """Run the checks named, or all; 1 when one does not hold, 2 for an unknown name."""
    known = commands()
    chosen = sys.argv[1:] or list(known)
    if unknown := [name for name in chosen if name not in known]:
        print(f"Unknown: {', '.join(unknown)}. There are: {', '.join(known)}.", file=sys.stderr)
        return 2
    failed = [name for name in chosen if not holds(name)]
    if failed:
        print(f"\nFailed: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
