"""Several processes issue evidence at once, and one is killed in the middle: one chain, nothing twice, no gap."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from installation import environment

pytestmark = pytest.mark.slow
WRITERS, TRIALS = 4, 8
PREPARE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.ids import new_id
from bitgoeul.trials import models
from trials.evidence import samples
system, owner = accounts.Actor.system("test"), new_id()
accounts.create_user(actor=system, id=owner, email="ara@example.kr", display_name="Ara", password="correct horse")
organisation = accounts.create_organisation(
    actor=accounts.actor_for(user_id=owner), id=new_id(), name="가온칩 (예시)",
    kind=accounts.OrganisationKind.START_UP, registration_number="", is_example=True)
project = accounts.create_project(actor=system, id=new_id(), organisation_id=organisation.id, title="실증 (예시)",
    owner_user_id=owner)
protocol = models.ProtocolVersion.objects.create(digest=samples.PROTOCOL, code="i", version="1", definition={})
subject = models.Subject.objects.create(project_id=project.id, name="chip", kind="onnx", created_by="test")
version = models.SubjectVersion.objects.create(subject=subject, number=1, digest=samples.SUBJECT, size=7,
    filename="m", created_by="test")
for attempt in range(1, TRIALS + 1):
    models.Trial.objects.create(subject_version=version, project_id=project.id, subject_digest=version.digest,
        protocol=protocol, parameters={}, attempt=attempt, visibility="private", job_id=new_id(),
        expected_seconds=1, requested_by="test")
"""
ISSUE = """
import django; django.setup()
from bitgoeul.kernel.ids import derive
from bitgoeul.trials import models
from bitgoeul.trials.evidence import issue_evidence
from trials.evidence import samples
for trial in models.Trial.objects.select_related("subject_version__subject").order_by("attempt"):
    facts = samples.facts(trial_id=str(trial.id), attempt=trial.attempt)
    issue_evidence(id=derive("test.judgement", trial.id), project_id=trial.subject_version.subject.project_id,
        subject_version_id=trial.subject_version_id, facts=facts,
        record=samples.record(trial_id=str(trial.id)), actor="system:judge")
"""
COUNT = """
import django, json; django.setup()
from bitgoeul.audit.models import Message
from bitgoeul.trials.evidence_log import verify_log
report = verify_log()
print(json.dumps({"findings": [str(f) for f in report.findings], "counts": dict(report.counts),
    "messages": Message.objects.filter(topic="evidence.issued").count()}))
"""


def start(script: str, home: Path) -> subprocess.Popen[bytes]:
    tests = str(Path(__file__).parents[2])
    path = os.pathsep.join([tests, *(entry for entry in sys.path if entry)])
    env = environment(home, PYTHONPATH=path)
    return subprocess.Popen(
        [sys.executable, "-c", f"TRIALS = {TRIALS}\n{script}"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(script: str, home: Path) -> bytes:
    process = start(script, home)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()[-2000:]
    return out


def test_writers_race_and_one_is_killed(tmp_path: Path) -> None:
    run(PREPARE, tmp_path)
    doomed = start(ISSUE, tmp_path)
    writers = [start(ISSUE, tmp_path) for _ in range(WRITERS)]
    time.sleep(2)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=30)
    for writer in writers:
        _out, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err.decode()[-2000:]
    told = json.loads(run(COUNT, tmp_path))
    assert told == {"findings": [], "counts": {"evidence": TRIALS, "log_positions": TRIALS}, "messages": TRIALS}
    heads = [json.loads(line) for line in (tmp_path / "heads/evidence.jsonl").read_text().splitlines()]
    assert max(head["sequence"] for head in heads) == TRIALS
