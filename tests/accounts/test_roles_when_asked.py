"""Roles of a person are read when a page asks for them, once, and mean the same as roles read at once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.models import User
from bitgoeul.accounts.queries import actor_of_user
from bitgoeul.accounts.types import Assurance


@pytest.fixture
def asked(ara, project):
    """Ara twice: with roles read at once, and with roles read when asked."""
    user = User.objects.get(pk=ara.user_id)
    with CaptureQueriesContext(connection) as seen:
        later = actor_of_user(user, assurance=Assurance.SECOND_FACTOR, when_asked=True)
    assert len(seen) == 1
    return accounts.actor_for(user_id=ara.user_id), later


def test_roles_read_later_are_the_same_roles(asked, project, organisation):
    at_once, later = asked
    assert later == at_once
    assert later.project_roles[project.id] is accounts.ProjectRole.OWNER
    assert organisation.id in later.organisation_roles


def test_roles_are_read_once(asked, project):
    _, later = asked
    with CaptureQueriesContext(connection) as seen:
        assert project.id in later.project_roles
        assert list(later.project_roles) == [project.id]
    assert len(seen) == 1
