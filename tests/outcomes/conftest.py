"""Signed evidence, issued by the trials room for trials made row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitgoeul.kernel.canonical import sha256_hex
from judged import judge
from trials.evidence import samples

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "gwangju"


@pytest.fixture
def loaded(db):
    """The example's figures and indicators."""
    from bitgoeul.accounts.facade import Actor
    from bitgoeul.outcomes import facade

    facade.load_example(actor=Actor.system("test"), directory=EXAMPLES)


@pytest.fixture
def owner(ara, project):
    """Ara with the roles she has since the project exists."""
    from bitgoeul.accounts import facade as accounts

    return accounts.actor_for(user_id=ara.user_id)


@pytest.fixture
def issue(project, settings, tmp_path):
    """Issue evidence: ``issue()`` public and passed, or otherwise by keyword."""
    from bitgoeul.trials import facade as trials
    from bitgoeul.trials.models import Trial

    settings.KEYS, settings.HEADS = tmp_path / "keys", tmp_path / "heads"

    def make(
        *,
        visibility=trials.Visibility.PUBLIC,
        outcome=trials.Outcome.PASSED,
        embargo_until=None,
        project_id=project.id,
        model=None,
    ):
        file = sha256_hex(model or f"model {Trial.objects.count() + 1}".encode())
        ready = judge(project_id, file, verdict=samples.verdict(outcome))
        audience = trials.Audience(visibility, (), embargo_until)
        return trials.issue_evidence(**ready.__dict__, audience=audience, actor="system:judge")

    return make


@pytest.fixture
def deliver():
    """Bring the news that the trials room has written, as the worker does; twice, for news may come twice."""
    from bitgoeul.audit.models import Message
    from bitgoeul.outcomes import facade

    handlers = {
        "evidence.issued": facade.evidence_changed,
        "evidence.visibility": facade.evidence_changed,
        "evidence.invalidated": facade.evidence_invalidated,
    }

    def go(order="created_at"):
        for message in [*Message.objects.filter(topic__in=handlers).order_by(order)] * 2:
            handlers[message.topic](message.payload)

    return go
