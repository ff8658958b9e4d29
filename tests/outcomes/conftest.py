"""Signed evidence, issued by the trials room for trials made row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitgoeul.kernel.canonical import sha256_hex
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
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.trials import facade as trials
    from bitgoeul.trials import models

    settings.KEYS, settings.HEADS = tmp_path / "keys", tmp_path / "heads"

    def make(
        *,
        visibility=trials.Visibility.PUBLIC,
        outcome=trials.Outcome.PASSED,
        embargo_until=None,
        project_id=project.id,
        model=None,
    ):
        number = models.Trial.objects.count() + 1
        protocol, _ = models.ProtocolVersion.objects.get_or_create(
            digest=samples.PROTOCOL,
            defaults={"code": "inference", "version": "1.0", "definition": {"title": "A protocol"}},
        )
        file = sha256_hex(model or f"model {number}".encode())
        subject = models.Subject.objects.create(
            project_id=project_id, name=f"chip {number}", kind="onnx", created_by="test"
        )
        version = models.SubjectVersion.objects.create(
            subject=subject, number=1, digest=file, size=7, filename="m.onnx", created_by="test"
        )
        trial = models.Trial.objects.create(
            subject_version=version,
            project_id=project_id,
            subject_digest=version.digest,
            protocol=protocol,
            parameters={},
            attempt=number,
            visibility="private",
            job_id=new_id(),
            expected_seconds=1,
            requested_by="test",
        )
        facts = samples.facts(
            trial_id=str(trial.id),
            subject_name=f"chip {number} v1",
            subject_digest=file,
            issued_at=now(),
            verdict=samples.verdict(outcome),
        )
        return trials.issue_evidence(
            id=new_id(),
            project_id=project_id,
            subject_version_id=version.id,
            facts=facts,
            record=samples.record(trial_id=str(trial.id), subject={"digest": file, "kind": "onnx"}),
            audience=trials.Audience(visibility, (), embargo_until),
            actor="system:judge",
        )

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
