"""Writes docs/reference/states.md and openapi.json from the code; tests compare.

python tools/reference.py
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
PAGE = REFERENCE / "states.md"
OPENAPI = REFERENCE / "openapi.json"
HEAD = """# States

What can move and how, drawn from the state tables in the code (`make reference` writes this page). A move is
decided by one conditional UPDATE on state and version; every move leaves a row, an event and a message.
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


def openapi() -> str:
    """The OpenAPI document as the code publishes it, one key a line so that a change can be read."""
    from bitgoeul.site.rest import api

    return json.dumps(api.get_openapi_schema(), indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def main() -> None:
    """Write both."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bitgoeul.site.settings"
    with tempfile.TemporaryDirectory() as home:
        os.environ["BITGOEUL_HOME"] = home
        import django

        django.setup()
        PAGE.write_text(page(), encoding="utf-8")
        OPENAPI.write_text(openapi(), encoding="utf-8")


if __name__ == "__main__":
    main()
