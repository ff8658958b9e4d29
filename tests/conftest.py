"""A private home for the whole run, and the named people of every test.

Ara owns the project, Bora is on its team, Chan is outside and must not get in.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Before pytest-django reads the settings, so that no test writes into a real home.
os.environ["BITGOEUL_HOME"] = tempfile.mkdtemp(prefix="bitgoeul-test-")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitgoeul.site.settings")
if server := os.environ.get("TEST_DATABASE_URL"):  # tools/postgres.py with …
    os.environ["BITGOEUL_DATABASE_URL"] = server
# Playwright's loop lives in this thread after the first browser test; Django would take us for a coroutine.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

import pytest
from hypothesis import settings as hypothesis_settings

from bitgoeul.kernel.ids import new_id

# On busy cores a deadline fails whichever example comes at the wrong moment.
hypothesis_settings.register_profile("no deadline", deadline=None)
hypothesis_settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples" / "gwangju"

pytest_plugins: list[str] = ["installation"]


def pytest_configure() -> None:
    """Load Django on the private home; pytest-django then finds it loaded."""
    import django

    django.setup()
    from django.conf import settings

    # Every named person has a password: at production's cost, hashing it would be most of what the suite does.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Let each worker make a home of its own: with this name set it would read the settings before this file."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture(autouse=True)
def portal_language():
    """Every test begins in the portal's own language, whatever the one before spoke last."""
    from django.utils import translation

    translation.deactivate()


@pytest.fixture
def person(db):
    """Make a person by name: ``person("ara", operator_roles={"STAFF"})`` gives their Actor."""
    from bitgoeul.accounts import facade as accounts

    def make(name: str, *operator_roles: accounts.OperatorRole) -> accounts.Actor:
        user_id = new_id()
        accounts.create_user(
            actor=accounts.Actor.system("test"),
            id=user_id,
            email=f"{name}@example.kr",
            display_name=name.capitalize(),
            password="correct horse battery",
            operator_roles=frozenset(operator_roles),
        )
        return accounts.actor_for(user_id=user_id)

    return make


@pytest.fixture
def ara(person):
    """Owns the organisation and the project."""
    return person("ara")


@pytest.fixture
def chan(person):
    """Has an account and no part in anything."""
    return person("chan")


@pytest.fixture
def staff(person):
    """Works for the operator."""
    from bitgoeul.accounts.facade import OperatorRole

    return person("staff", OperatorRole.STAFF)


@pytest.fixture
def engineer(person):
    """Keeps the centre running."""
    from bitgoeul.accounts.facade import OperatorRole

    return person("engineer", OperatorRole.ENGINEER)


@pytest.fixture
def auditor(person):
    """Reads everything, changes nothing."""
    from bitgoeul.accounts.facade import OperatorRole

    return person("auditor", OperatorRole.AUDITOR)


@pytest.fixture
def organisation(ara):
    """Ara's start-up."""
    from bitgoeul.accounts import facade as accounts

    return accounts.create_organisation(
        actor=ara,
        id=new_id(),
        name="가온칩 (예시)",
        kind=accounts.OrganisationKind.START_UP,
        registration_number="",
        is_example=True,
    )


@pytest.fixture
def project(ara, organisation):
    """Ara's project; ask for ``bora`` to have her on the team."""
    from bitgoeul.accounts import facade as accounts

    return accounts.create_project(
        actor=accounts.Actor.system("test"),
        id=new_id(),
        organisation_id=organisation.id,
        title="엣지 NPU 실증 (예시)",
        owner_user_id=ara.user_id,
    )


@pytest.fixture
def bora(person, project):
    """A member of Ara's project."""
    from bitgoeul.accounts import facade as accounts

    actor = person("bora")
    accounts.add_member(
        actor=accounts.Actor.system("test"),
        project_id=project.id,
        user_id=actor.user_id,
        role=accounts.ProjectRole.MEMBER,
    )
    return accounts.actor_for(user_id=actor.user_id)


@pytest.fixture
def elevated():
    """The actor inside an elevation for every dangerous verb: ``elevated(staff)``."""
    from people import elevation_of

    return elevation_of


@pytest.fixture
def sign_in(client):
    """Sign an Actor in on the test client, with two proofs unless ``strong=False``: ``sign_in(ara)``."""
    from people import sign_in_by

    def go(actor, *, strong=True):
        return sign_in_by(client, actor.user_id, strong=strong)

    return go
