"""Events, chain, erasure, moves, messages."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from bitgoeul.audit import facade as audit
from bitgoeul.audit.models import Event, Message, PersonalValue, Seal, Unsealed
from bitgoeul.kernel.clock import now
from tampering import without_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def heads(tmp_path, settings):
    settings.HEADS, settings.KEYS = tmp_path / "heads", tmp_path / "keys"


def make(count: int = 3, **extra) -> None:
    for number in range(count):
        audit.record(
            verb="test.made",
            subject_kind="test",
            subject_id=str(number),
            actor="user:ara",
            after={"n": number},
            **extra,
        )


def tamper(statement: str) -> None:
    """Change rows as somebody with the database password and no scruples would."""
    without_triggers("audit_event", "audit_seal")
    with connection.cursor() as cursor:
        cursor.execute(statement)


def checks() -> set[str]:
    return {finding.check for finding in audit.verify().findings} - {"append_only"}


def test_a_clean_chain_verifies_and_seals_what_waits():
    make(3)
    report = audit.verify()
    assert report.ok
    assert report.counts["sealed_now"] == 3
    assert Unsealed.objects.count() == 0


def test_a_late_commit_is_not_skipped():
    make(2)
    audit.seal()
    late = audit.record(verb="test.late", subject_kind="test", subject_id="9", actor="user:ara")
    make(1)
    audit.seal()
    assert Seal.objects.filter(event=late).exists()
    assert audit.verify().ok


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE audit_event SET actor = 'user:chan' WHERE subject_id = '1'", "event"),
        ("UPDATE audit_event SET after = '{\"n\": 7}' WHERE subject_id = '1'", "event"),
        ("DELETE FROM audit_seal WHERE sequence = 2", "sequence"),
        ("DELETE FROM audit_seal WHERE sequence = 3", "coverage"),
        ("UPDATE audit_seal SET hash = 'x' WHERE sequence = 1", "previous"),
    ],
)
def test_tampering_is_named(statement, check):
    make(3)
    assert audit.verify().ok
    tamper(statement)
    assert check in checks()


def test_removed_last_rows_are_noticed_by_the_signed_head():
    make(3)
    audit.seal()
    assert audit.write_head().sequence == 3
    assert audit.verify().ok
    last = Seal.objects.get(sequence=3).event_id
    tamper("DELETE FROM audit_seal WHERE sequence = 3")
    Event.objects.filter(pk=last)._raw_delete("default")
    assert checks() == {"heads"}


def test_a_forged_head_is_noticed():
    make(1)
    audit.seal()
    audit.write_head()
    path = Path(settings.HEADS) / "audit.jsonl"
    line = json.loads(path.read_text())
    path.write_text(json.dumps({**line, "at": "2020-01-01T00:00:00Z"}) + "\n")
    assert checks() == {"heads"}


def test_erasing_personal_values_leaves_the_chain_verifiable():
    make(1, personal={"name": "홍길동"})
    assert audit.verify().ok
    assert audit.erase_personal(subject_kind="test", subject_id="0", actor="system:test") == 1
    assert PersonalValue.objects.get().value is None
    assert audit.verify().ok
    assert "홍길동" not in json.dumps([e.after for e in audit.history("test", "0").items])


def test_changed_personal_values_are_noticed():
    make(1, personal={"name": "홍길동"})
    PersonalValue.objects.update(value={"name": "성춘향"})
    assert checks() == {"personal"}


def test_a_message_has_one_effect_per_subscriber(monkeypatch):
    monkeypatch.setattr("bitgoeul.audit.outbox._subscribers", {})
    seen: list[str] = []
    audit.subscribe("test.news", "a", lambda payload: seen.append(f"a{payload['n']}"))
    audit.subscribe("test.news", "b", lambda payload: seen.append(f"b{payload['n']}"))
    audit.emit(topic="test.news", key="1", payload={"n": 1})
    audit.emit(topic="test.news", key="1", payload={"n": 2})
    assert audit.dispatch_once() == 1
    Message.objects.update(done_at=None)
    audit.dispatch_once()
    assert seen == ["a1", "b1"]


def test_a_failing_subscriber_is_tried_again_later_and_alone(monkeypatch):
    monkeypatch.setattr("bitgoeul.audit.outbox._subscribers", {})
    seen: list[str] = []

    def broken(_payload):
        if len(seen) < 2:
            seen.append("broken")
            raise RuntimeError("not yet")
        seen.append("mended")

    audit.subscribe("test.news", "a", lambda _payload: seen.append("a"))
    audit.subscribe("test.news", "b", broken)
    audit.emit(topic="test.news", key="1", payload={})
    assert audit.dispatch_once() == 0
    message = Message.objects.get()
    assert message.attempts == 1
    assert "not yet" in message.last_error
    assert audit.dispatch_once() == 0, "not before its time"
    Message.objects.update(available_at=now() - timedelta(seconds=1))
    assert audit.dispatch_once() == 1
    assert seen == ["a", "broken", "mended"]


def test_a_leased_message_is_left_alone():
    audit.emit(topic="test.none", key="1", payload={})
    Message.objects.update(lease_until=now() + timedelta(minutes=1))
    assert audit.dispatch_once() == 0
    Message.objects.update(lease_until=now() - timedelta(seconds=1))
    assert audit.dispatch_once() == 1
