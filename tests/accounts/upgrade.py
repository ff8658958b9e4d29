"""Tokens made before they had scopes, brought up to date; run in a process and a home of its own.

    python -m accounts.upgrade

Prints what each may do afterwards.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    call_command("migrate", "accounts", "0002_one_owner", verbosity=0)
    write(MigrationExecutor(connection).loader.project_state([("accounts", "0002_one_owner")]).apps.get_model)
    call_command("migrate", verbosity=0)
    print(json.dumps({name: ask(name) for name in ("reads", "writes", "example", "revoked")}))


def write(model) -> None:
    """Two members of staff, one of them of the example, with a token for each case; its secret is its name."""
    from bitgoeul.kernel.clock import now

    real, example = (
        model("accounts", "User").objects.create(email=f"{name}@example.kr", is_example=name == "example")
        for name in ("real", "example")
    )
    for user in (real, example):
        model("accounts", "OperatorGrant").objects.create(user=user, role="STAFF")
    for name, user in (("reads", real), ("writes", real), ("example", example), ("revoked", real)):
        model("accounts", "ApiToken").objects.create(
            user=user,
            name=name,
            hash=hashlib.sha256(f"bgt_{name}".encode()).hexdigest(),
            read_only=name == "reads",
            expires_at=now() + timedelta(days=1),
            revoked_at=now() if name == "revoked" else None,
        )


def ask(name: str) -> dict[str, object] | None:
    """What the token may do now; None when it lets nobody in."""
    from bitgoeul.accounts import facade as accounts

    actor = accounts.actor_of_token(f"bgt_{name}")
    if actor is None:
        return None
    return {
        "reads": actor.has_scope("compute:read"),
        "writes": actor.has_scope("compute:write"),
        "roles": sorted(actor.operator_roles),
        "resting": sorted(actor.withheld_roles),
    }


if __name__ == "__main__":
    main()
