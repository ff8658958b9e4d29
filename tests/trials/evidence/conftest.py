"""Judged trials ready to be signed, made row by row: what is tested here begins after the judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bitgoeul.kernel.ids import new_id
from trials.evidence import samples


@dataclass(frozen=True)
class Judged:
    """What the judge hands over."""

    id: Any
    project_id: Any
    subject_version_id: Any
    facts: Any
    record: dict[str, Any]


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    """Keys and signed heads of this test alone."""
    settings.KEYS = tmp_path / "keys"
    settings.HEADS = tmp_path / "heads"


@pytest.fixture
def owner(ara: Any, project: Any) -> Any:
    """Ara with the roles she has since the project exists."""
    from bitgoeul.accounts import facade as accounts

    return accounts.actor_for(user_id=ara.user_id)


@pytest.fixture
def judged(project: Any) -> Callable[..., Judged]:
    from bitgoeul.kernel.clock import now
    from bitgoeul.trials import models

    def make(**changes: Any) -> Judged:
        number = models.Trial.objects.count() + 1
        protocol, _ = models.ProtocolVersion.objects.get_or_create(
            digest=samples.PROTOCOL,
            defaults={"code": "inference", "version": "1.0", "definition": {"title": "A public protocol"}},
        )
        subject = models.Subject.objects.create(
            project_id=project.id, name=f"chip {number}", kind="onnx", created_by="test"
        )
        version = models.SubjectVersion.objects.create(
            subject=subject, number=1, digest=samples.SUBJECT, size=7, filename="m.onnx", created_by="test"
        )
        trial = models.Trial.objects.create(
            subject_version=version,
            project_id=project.id,
            subject_digest=version.digest,
            protocol=protocol,
            parameters={},
            attempt=number,
            visibility="private",
            job_id=new_id(),
            expected_seconds=1,
            requested_by="test",
        )
        facts = samples.facts(trial_id=str(trial.id), subject_name=f"chip {number} v1", issued_at=now(), **changes)
        return Judged(new_id(), project.id, version.id, facts, samples.record(trial_id=str(trial.id)))

    return make


@pytest.fixture
def issue(judged: Callable[..., Judged]) -> Callable[..., Any]:
    """Issue evidence of a new trial: ``issue()`` private, ``issue(Visibility.PUBLIC)`` public."""
    from bitgoeul.trials.evidence import issue_evidence
    from bitgoeul.trials.evidence_types import Audience, Visibility

    def make(visibility: Visibility = Visibility.PRIVATE, **changes: Any) -> Any:
        ready = judged(**{name: value for name, value in changes.items() if name == "verdict"})
        audience = Audience(visibility, changes.get("organisations", ()), changes.get("embargo_until"))
        return issue_evidence(**ready.__dict__, audience=audience, actor="system:judge")

    return make
