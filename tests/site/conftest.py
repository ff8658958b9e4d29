"""The world of `portal_world`, built once a module inside one transaction that is rolled back after it."""

from __future__ import annotations

from typing import Any

import pytest

from people import sign_in_by
from portal_world import build, names_of


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory):
    """Ara's company with everything in it, Bora on her team; Chan's company beside it; Dami's is named once."""
    from django.conf import settings
    from django.db import transaction

    home = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(settings, "KEYS", home / "keys")
        patch.setattr(settings, "HEADS", home / "heads")
        yield build()
        transaction.set_rollback(True)


@pytest.fixture
def enter(world, db):
    """A client of one of the people: ``enter("chan")``; ``enter("anonymous")`` has signed in as nobody."""
    from django.test import Client

    def go(name: str, **options: Any) -> Client:
        client = Client(raise_request_exception=False, **options)
        if name != "anonymous":
            sign_in_by(client, world.people[name])
        return client

    return go


@pytest.fixture
def ids(world):
    """What stands for the names in the paths."""
    return names_of(world)
