"""The ways a test acts as somebody: signed in with one proof or two, or inside an elevation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bitgoeul.kernel.ids import new_id


def elevation_of(actor: Any) -> Any:
    """What an actor is within an hour for every dangerous verb, asked for with a reason."""
    from bitgoeul.accounts.facade import ElevationView, verbs
    from bitgoeul.kernel.clock import now

    dangerous = frozenset(verb.name for verb in verbs() if verb.elevated)
    since, until = now(), now() + timedelta(hours=1)
    return replace(actor, elevation=ElevationView(new_id(), actor.user_id, dangerous, "for a test", since, until))


def sign_in_by(client: Any, user_id: Any, *, strong: bool = True) -> Any:
    """Sign a person in on a test client, as after a password and (``strong``) a second factor."""
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.get(pk=user_id)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    if strong:
        session = client.session
        session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": 0.0}]
        session["account_authentication_methods_user"] = str(user_id)
        session.save()
    return client


def elevate(client: Any, actor: Any) -> Any:
    """Give the session of ``client`` a living elevation for every dangerous verb in the actor's reach."""
    from uuid import UUID

    from bitgoeul.accounts import elevation

    client.get("/account/")  # gives the session its row
    made = elevation.elevate(
        actor=actor,
        id=new_id(),
        sign_in_id=UUID(client.session["bitgoeul_sign_in"]),
        verbs=[verb.name for verb in elevation.elevated_verbs(actor)],
        reason="for the rights of this test",
        minutes=60,
    )
    return replace(actor, elevation=made)
