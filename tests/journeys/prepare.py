"""Gives the named founder of a home a project with resources: `python prepare.py`, prints the project's id."""

from __future__ import annotations

from datetime import timedelta

import django

django.setup()

from bitgoeul.accounts import facade as accounts  # noqa: E402
from bitgoeul.kernel.clock import now  # noqa: E402
from bitgoeul.kernel.ids import new_id  # noqa: E402
from bitgoeul.resources import facade as resources  # noqa: E402

AMOUNTS = {"cpu-core": 500 * 3_600_000, "software-target": 100 * 3_600_000}


def main() -> None:
    """Make the project and grant it more than any test uses."""
    system = accounts.Actor.system("test")
    user_id = accounts.user_id_by_email("gaon@backpack.example")
    founder = accounts.actor_for(user_id=user_id)
    organisation = accounts.my_organisations(founder)[0]
    project = accounts.create_project(
        actor=system, id=new_id(), organisation_id=organisation.id, title="Kill rounds", owner_user_id=user_id
    )
    for code, amount in AMOUNTS.items():
        resources.grant(
            actor=system,
            id=new_id(),
            project_id=project.id,
            resource_code=code,
            amount=amount,
            starts_at=now() - timedelta(minutes=1),
            ends_at=now() + timedelta(days=1),
            origin=resources.Origin("test", str(project.id), "test"),
        )
    print(project.id)


main()
