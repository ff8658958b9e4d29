"""Writes docs/reference/states.md, rights.md and openapi.json from the code; tests compare.

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
RIGHTS = REFERENCE / "rights.md"
RIGHTS_HEAD = """# Rights

Who may do what, drawn from the verbs in the code (`make reference` writes this page). One function decides,
`may()`; a test asks every address as every kind of person and compares. The platform itself may do everything.

- Who may not even see a thing gets the answer of a thing that does not exist; who may see it gets the reason.
- **elevated**: a person at the operator asks for a time to do it in, with a reason.
- **scope**: what a token needs for it; a token is never stronger than its owner.
- An operator's role rests until a second factor proves the person.
"""
COLUMNS = (("owner", "manager", "member", "viewer"), ("owner", "member"), ("staff", "engineer", "auditor"))
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


def rights() -> str:
    """The page of rights: for each room its verbs and who may do them."""
    from bitgoeul.accounts.facade import verbs
    from bitgoeul.site import urls  # noqa: F401 - every room registers its verbs

    rooms = sorted({verb.name.split(".")[0] for verb in verbs()})
    return RIGHTS_HEAD + "".join(
        _room_rights(room, [v for v in verbs() if v.name.startswith(f"{room}.")]) for room in rooms
    )


def _room_rights(room: str, verbs) -> str:  # noqa: ANN001
    head = (
        f"\n## {room.capitalize()}\n\n| what | on | in the project | in the organisation | at the operator "
        "| anybody | scope |\n|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_right(verb) for verb in verbs)


def _right(verb) -> str:  # noqa: ANN001
    sides = (verb.project_roles, verb.organisation_roles, verb.operator_roles)
    cells = [
        ", ".join(role for role in order if role.upper() in {str(one) for one in roles}) or "–"
        for order, roles in zip(COLUMNS, sides, strict=True)
    ]
    anybody = "signed in" if verb.signed_in else "when it is public" if verb.public else "–"
    elevated = " (**elevated**)" if verb.elevated else ""
    scope = "none" if verb.any_token else f"`{verb.scope}`"
    return (
        f"| {verb.label}{elevated}<br>`{verb.name}` | {verb.kind} | {' | '.join(cells)} | {anybody} | {scope} |\n"
    )


def main() -> None:
    """Write all three."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bitgoeul.site.settings"
    with tempfile.TemporaryDirectory() as home:
        os.environ["BITGOEUL_HOME"] = home
        import django

        django.setup()
        PAGE.write_text(page(), encoding="utf-8")
        RIGHTS.write_text(rights(), encoding="utf-8")
        OPENAPI.write_text(openapi(), encoding="utf-8")


if __name__ == "__main__":
    main()
