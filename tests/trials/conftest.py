"""Subjects, a protocol and a project that can pay, shared by the tests of this room."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bitgoeul.kernel.canonical import canonical_bytes
from bitgoeul.kernel.ids import new_id

DATA = Path(__file__).resolve().parents[1] / "protocols" / "data"
MODEL = b"a model, never parsed here"


@pytest.fixture(scope="session")
def models_directory(tmp_path_factory):
    from bitgoeul.protocols.inference import example_models

    directory = tmp_path_factory.mktemp("models")
    example_models.build(directory)
    return directory


@pytest.fixture
def protocol(db, models_directory):
    from bitgoeul.trials.services import register_protocols

    return next(view for view in register_protocols(models_directory) if view.code == "inference")


@pytest.fixture
def subject(ara, project):
    from bitgoeul.accounts import facade as accounts
    from bitgoeul.trials import facade as trials

    actor = accounts.actor_for(user_id=ara.user_id)
    return trials.create_subject(actor=actor, id=new_id(), project_id=project.id, name="INT8 (예시)", kind="onnx")


@pytest.fixture
def version(owner, subject):
    from bitgoeul.trials import facade as trials

    return trials.add_version(actor=owner, id=new_id(), subject_id=subject.id, filename="digits.onnx", data=MODEL)


@pytest.fixture
def owner(ara, project):
    """Ara with the roles that came with her project."""
    from bitgoeul.accounts import facade as accounts

    return accounts.actor_for(user_id=ara.user_id)


@pytest.fixture
def funded(project, db):
    """The project holds core and target time, and there is a cluster to run on."""
    from bitgoeul.accounts.types import Actor
    from bitgoeul.compute import facade as compute
    from bitgoeul.kernel.clock import now
    from bitgoeul.resources import facade as resources
    from bitgoeul.resources.facade import Origin

    system = Actor.system("test")
    for facade in (resources, compute):
        loader = getattr(facade, "load_example", None)
        if loader is not None:
            loader(system, Path(__file__).resolve().parents[2] / "examples" / "gwangju")
    granted = {}
    for item in resources.entries(resources.CatalogueFilter()).items:
        if item.unit in ("core_ms", "target_ms"):
            granted[item.unit] = resources.grant(
                actor=system, id=new_id(), project_id=project.id, resource_code=item.code, amount=10_000_000,
                starts_at=now() - timedelta(days=1), ends_at=now() + timedelta(days=30),
                origin=Origin(kind="test", id="1", label="test"),
            )  # fmt: skip
    return granted


@pytest.fixture
def request_trial(owner, version, protocol, funded):
    from bitgoeul.trials import facade as trials

    def go(**changes):
        values: dict[str, Any] = {
            "actor": owner, "id": new_id(), "subject_version_id": version.id,
            "protocol_digest": protocol.digest, "parameters": {},
        }  # fmt: skip
        return trials.request_trial(**{**values, **changes})

    return go


@pytest.fixture
def true_record():
    """A true record, made to speak of a given trial."""

    def make(view, protocol, **changes) -> dict[str, Any]:
        record = json.loads((DATA / "record.json").read_text(encoding="utf-8"))
        definition = protocol.definition
        record.update(trial_id=str(view.id), attempt=view.attempt, parameters=dict(view.parameters))
        record["subject"]["digest"] = view.subject_digest
        record["protocol"].update(digest=protocol.digest, version=definition["version"])
        record["inputs"] = [{"name": n, "digest": d, "bytes": 1} for n, d in definition["assets"].items()]
        record["inputs"].append({"name": "subject.bin", "digest": view.subject_digest, "bytes": 1})
        record["canary"] = {
            "predictions_digest": definition["expected"]["reference_predictions_digest"],
            "expected_digest": definition["expected"]["reference_predictions_digest"],
        }
        record.update(changes)
        return record

    return make


@pytest.fixture
def finish(monkeypatch):
    """End a trial's job with these output files, as the follower would, and deliver the news.

    Only the job's view is stood in for: the engine has tests of its own.
    """
    from dataclasses import replace

    from bitgoeul.compute import facade as compute
    from bitgoeul.content import facade as content
    from bitgoeul.trials import facade as trials

    true_views = compute.job_views

    def go(view, record=None, state="SUCCEEDED", data=None, reason=None, deliveries=1):
        artefacts = {}
        if record is not None or data is not None:
            blob = content.put_bytes(
                data if data is not None else canonical_bytes(record),
                media_type="application/json", limit_bytes=2**20,
            )  # fmt: skip
            artefacts["record.json"] = blob.digest

        def seen(ids):
            return {
                k: replace(v, state=compute.JobState(state), artefacts=artefacts, reason=reason)
                if k == view.job_id
                else v
                for k, v in true_views(ids).items()
            }

        monkeypatch.setattr(compute, "job_views", seen)
        payload = {"id": str(view.job_id), "state": state, "origin": {"kind": "trial", "id": str(view.id)}}
        for _ in range(deliveries):
            trials.job_finished(payload)
        monkeypatch.setattr(compute, "job_views", true_views)

    return go
