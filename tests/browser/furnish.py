"""Builds the world of `portal_world` in a home: `python furnish.py`; prints its names and everybody's session."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402

from portal_world import build, names_of  # noqa: E402


def session_of(user_id: object) -> str:
    """The session key of somebody who has signed in, by a second factor just now."""
    user = get_user_model().objects.get(pk=user_id)
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    # An hour ahead, so that no page asks for it again while the suite runs.
    store["account_authentication_methods"] = [
        {"method": "mfa", "type": "totp", "reauthenticated": True, "at": time.time() + 3600}
    ]
    store["account_authentication_methods_user"] = str(user.pk)
    store.save()
    return str(store.session_key)


def main() -> None:
    """Build it and say what it is."""
    world = build()
    names = {name: str(value) for name, value in names_of(world).items()}
    sessions = {name: session_of(user_id) for name, user_id in world.people.items()}
    print(json.dumps({"ids": names, "sessions": sessions}))


main()
