"""Writes docs/reference/states.md from the state tables; a test compares.

python tools/reference.py
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "states.md"
HEAD = """# States

What can move and how, drawn from the state tables in the code (`make states` writes this page). A move is decided
by one conditional UPDATE on state and version; every move leaves a row, an event and a message.
"""


def page() -> str:
    """The page as the code has it now."""
    return HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    from bitgoeul.compute.facade import JOB
    from bitgoeul.programmes.facade import APPLICATION
    from bitgoeul.resources.facade import ALLOCATION
    from bitgoeul.trials.facade import TRIAL

    for machine in (APPLICATION, ALLOCATION, JOB, TRIAL):
        rows = "".join(
            f"| `{state}` | {machine.label(state)} | {_way_on(machine, state)} |\n" for state in machine.states
        )
        yield (
            f"\n## {machine.name.capitalize()}\n\n```mermaid\n{machine.mermaid()}\n```\n\n"
            f"| state | word | what can be done |\n|---|---|---|\n{rows}"
        )


def _way_on(machine, state) -> str:  # noqa: ANN001
    return ", ".join(f"{action}" for action in machine.actions(state)) or "nothing; it stays"


def main() -> None:
    """Write the page."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bitgoeul.site.settings"
    with tempfile.TemporaryDirectory() as home:
        os.environ["BITGOEUL_HOME"] = home
        import django

        django.setup()
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
