"""Judged trials ready to be signed, made row by row, and evidence of them: for what begins after the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from trials.evidence import samples


@dataclass(frozen=True)
class Judged:
    """What the judge hands over."""

    id: Any
    project_id: Any
    subject_version_id: Any
    facts: Any
    record: dict[str, Any]


def judge(project_id: UUID, file: str = samples.SUBJECT, **changes: Any) -> Judged:
    """A new subject of the project with one judged trial of ``file``, a digest; ``changes`` go into the facts."""
    from bitgoeul.kernel.clock import now
    from bitgoeul.kernel.ids import new_id
    from bitgoeul.trials import models

    number = models.Trial.objects.count() + 1
    protocol, _ = models.ProtocolVersion.objects.get_or_create(
        digest=samples.PROTOCOL,
        defaults={"code": "inference", "version": "1.0", "definition": {"title": "A public protocol"}},
    )
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
        trial_id=str(trial.id), subject_name=f"chip {number} v1", subject_digest=file, issued_at=now(), **changes
    )
    record = samples.record(trial_id=str(trial.id), subject={"digest": file, "kind": "onnx"})
    return Judged(new_id(), project_id, version.id, facts, record)


def publish(project_ids: Sequence[UUID], count: int) -> None:
    """``count`` pieces of public evidence, each of a subject of its own, spread over the projects."""
    from bitgoeul.trials.evidence import issue_evidence
    from bitgoeul.trials.evidence_types import Audience, Visibility

    for number in range(count):
        ready = judge(project_ids[number % len(project_ids)])
        issue_evidence(**ready.__dict__, audience=Audience(Visibility.PUBLIC), actor="system:judge")
