"""A project with something to spend, the real local engine over a fresh directory, and short ways to run jobs."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import Label

from .asking import request

WAIT_SECONDS = 30.0


@pytest.fixture(autouse=True)
def engine_home(settings, tmp_path, monkeypatch):
    """Every test has its own engine directory and its own content."""
    from bitgoeul.compute import engines
    from bitgoeul.compute.services import following

    settings.ENGINE_HOME = tmp_path / "engine"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "content"},
        },
    }
    monkeypatch.setattr(engines, "_engines", {})
    monkeypatch.setattr(following, "_tidied", {})
    return tmp_path / "engine"


@pytest.fixture
def owner(ara, project):
    """Ara once she owns the project: an actor knows the roles of its moment."""
    from bitgoeul.accounts.facade import actor_for

    return actor_for(user_id=ara.user_id)


@pytest.fixture
def grant(project):
    """Grant the project an amount of a unit: ``grant("core_ms", 10_000)`` gives the allocation."""
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.resources import facade as resources

    system, names = Actor.system("test"), Label("시험", "test")

    def go(unit: str = "core_ms", amount: int = 3_600_000, days: int = 30) -> resources.AllocationView:
        resources.define_resource(
            actor=system,
            code=f"test-{unit}",
            category=resources.Category.COMPUTE,
            unit=unit,
            label=names,
            provider=names,
            location=names,
        )
        return resources.grant(
            actor=system,
            id=new_id(),
            project_id=project.id,
            resource_code=f"test-{unit}",
            amount=amount,
            starts_at=now() - timedelta(minutes=1),
            ends_at=now() + timedelta(days=days),
            origin=resources.Origin("test", "1", "test"),
        )

    return go


@pytest.fixture
def cores(grant):
    """An hour of core time."""
    return grant("core_ms")


@pytest.fixture
def submit(owner, project, cores):
    """Submit a request as Ara."""
    from bitgoeul.compute import facade as compute

    def go(wanted=None, **changes):
        values = {
            "actor": owner,
            "id": new_id(),
            "project_id": project.id,
            "name": "a job",
            "request": wanted or request(),
        }
        return compute.submit_job(**{**values, **changes})

    return go


@pytest.fixture
def look(owner):
    """The job as Ara sees it."""
    from bitgoeul.compute import facade as compute

    return lambda view: compute.job(actor=owner, job_id=view.id)


@pytest.fixture
def follow(look):
    """Follow until the job is in one of the states (or has ended)."""
    from bitgoeul.compute import facade as compute

    def go(view, *states):
        limit = time.monotonic() + WAIT_SECONDS
        while True:
            compute.follow_once(limit=20)
            seen = look(view)
            if seen.state in states or seen.finished:
                return seen
            assert time.monotonic() < limit, f"still {seen.state}"
            time.sleep(0.02)

    return go


@pytest.fixture
def balance():
    """The allocation as it stands now."""
    from bitgoeul.resources import facade as resources

    return lambda view: resources.allocations(project_ids=[view.project_id])[view.project_id][0]
