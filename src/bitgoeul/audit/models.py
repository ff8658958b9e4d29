"""What happened, in rows that stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models

from bitgoeul.kernel.canonical import digest_checked
from bitgoeul.kernel.clock import now, rfc3339
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.machine import Machine

from .append_only import AppendOnlyModel


class StatefulModel(models.Model):
    """A row that moves through a state machine; only ``advance`` writes ``state`` and ``version``.

    A subclass names its ``machine`` and declares ``state = state_field(MACHINE)``.
    """

    machine: ClassVar[Machine[Any]]
    state: models.CharField[str, str] = models.CharField(max_length=24)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


def state_field(machine: Machine[Any]) -> models.CharField[str, str]:
    """The state column of ``machine``, starting at its initial state."""
    return models.CharField(max_length=24, default=str(machine.initial), db_index=True)


def state_check(machine: Machine[Any], name: str) -> models.CheckConstraint:
    """The database's own check that a state is one of the table's."""
    return models.CheckConstraint(
        condition=models.Q(state__in=sorted(str(state) for state in machine.states)), name=name
    )


class Event(AppendOnlyModel):
    """Who did what to which thing; personal values stand apart and only their salted digest here."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(default=now)
    actor = models.CharField(max_length=80)
    verb = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=80)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    personal_digest = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        indexes = (
            models.Index(fields=["subject_kind", "subject_id", "at"], name="audit_event_subject"),
            models.Index(fields=["actor", "at"], name="audit_event_actor"),
        )

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_kind}:{self.subject_id}"

    def digest(self) -> str:
        """SHA-256 of the event's canonical form: what the chain holds."""
        return digest_checked(
            {
                "id": str(self.id),
                "at": rfc3339(self.at),
                "actor": self.actor,
                "verb": self.verb,
                "subject_kind": self.subject_kind,
                "subject_id": self.subject_id,
                "before": self.before,
                "after": self.after,
                "personal_digest": self.personal_digest,
                "request_id": self.request_id,
            }
        )


class PersonalValue(models.Model):
    """The personal values of one event; erasable without touching the chain."""

    event = models.OneToOneField(
        "audit.Event", on_delete=models.PROTECT, primary_key=True, related_name="+", db_constraint=True
    )
    salt = models.CharField(max_length=64, blank=True)
    value: models.JSONField[Mapping[str, Any] | None, Mapping[str, Any] | None] = models.JSONField(null=True)
    erased_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"personal values of {self.event_id}"


class Unsealed(models.Model):
    """An event without a chain position yet; the sealer takes it and deletes the row."""

    event = models.OneToOneField("audit.Event", on_delete=models.PROTECT, primary_key=True, related_name="+")

    def __str__(self) -> str:
        return f"unsealed {self.event_id}"


class Seal(AppendOnlyModel):
    """The chain position of one event: ``hash`` covers sequence, previous hash and the event's digest."""

    sequence = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField("audit.Event", on_delete=models.PROTECT, related_name="+")
    previous = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"seal {self.sequence}"


class Move(AppendOnlyModel):
    """One move of a state machine; unique on the thing and its version, so no move happens twice."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    action = models.CharField(max_length=40)
    from_state = models.CharField(max_length=24)
    to_state = models.CharField(max_length=24)
    actor = models.CharField(max_length=80)
    reason = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["subject_kind", "subject_id", "version"], name="audit_move_once"),
        )

    def __str__(self) -> str:
        return f"{self.subject_kind}:{self.subject_id} {self.action}"


class Message(models.Model):
    """News for higher rooms, written with the change it tells of; ``(topic, key)`` makes it unique."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    topic = models.CharField(max_length=80)
    key = models.CharField(max_length=160)
    payload = models.JSONField()
    request_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=now)
    available_at = models.DateTimeField(default=now)
    lease_owner = models.CharField(max_length=80, blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["topic", "key"], name="audit_message_once"),)
        indexes = (
            models.Index(fields=["available_at"], name="audit_message_open", condition=models.Q(done_at=None)),
        )

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class Delivery(AppendOnlyModel):
    """A message taken by a subscriber; written in the transaction of the effect, so the effect happens once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    message = models.ForeignKey("audit.Message", on_delete=models.PROTECT, related_name="+")
    subscriber = models.CharField(max_length=80)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["message", "subscriber"], name="audit_delivery_once"),)

    def __str__(self) -> str:
        return f"{self.message_id} → {self.subscriber}"


class AccessRecord(AppendOnlyModel):
    """Who saw whose personal data, when, from where and why."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(default=now)
    actor = models.CharField(max_length=80)
    person = models.CharField(max_length=80)
    what = models.CharField(max_length=120)
    reason = models.CharField(max_length=240, blank=True, default="")
    origin = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        indexes = (models.Index(fields=["person", "at"], name="audit_access_person"),)

    def __str__(self) -> str:
        return f"{self.actor} saw {self.what} of {self.person}"
