"""Where people are signed in: one row a browser, asked at every request, so that ending it works at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id

from .authority import require
from .models import SignIn
from .services import PORTAL
from .types import Actor, Assurance, SignInView

# A row is written at most once in this time, however many pages are read.
SEEN_EVERY = timedelta(minutes=1)
SHOWN_MAX = 50
DEVICE_LENGTH_MAX = 200


def begin(*, user_id: UUID, device: str, address: str, assurance: Assurance) -> SignIn:
    """A new row for a session that has none."""
    return SignIn.objects.create(
        pk=new_id(),
        user_id=user_id,
        device=device[:DEVICE_LENGTH_MAX],
        address=address[:64],
        assurance=assurance,
    )


def find(id: UUID, user_id: UUID) -> SignIn | None:
    """The row of a session, whether it has ended or not."""
    return SignIn.objects.filter(pk=id, user_id=user_id).first()


def run_out(row: SignIn, *, operator: bool) -> str:
    """Why the session is over: ``ended`` by somebody, ``idle``, ``age``; empty while it lives.

    Operators have the shorter idle time, whether or not their roles rest in this session.
    """
    moment = now()
    if row.ended_at is not None:
        return "ended"
    idle = settings.IDLE_OPERATOR if operator else settings.IDLE
    if moment - row.last_seen_at > idle:
        return "idle"
    return "age" if moment - row.created_at > settings.SESSION_AGE else ""


def seen(row: SignIn, assurance: Assurance) -> None:
    """Write that the person is there; nothing when that was written a moment ago."""
    moment = now()
    if moment - row.last_seen_at < SEEN_EVERY and row.assurance == assurance:
        return
    SignIn.objects.filter(pk=row.pk, ended_at=None).update(last_seen_at=moment, assurance=assurance)


def close(row: SignIn, why: str) -> None:
    """The session is over; a row that is closed stays as it is."""
    SignIn.objects.filter(pk=row.pk, ended_at=None).update(ended_at=now(), ended_why=why)


def mine(actor: Actor, this: UUID | None) -> list[SignInView]:
    """Where the actor is signed in, this browser first, then by when they were last seen; bounded."""
    if actor.user_id is None:
        return []
    rows = SignIn.objects.filter(user_id=actor.user_id, ended_at=None, last_seen_at__gt=_oldest())
    found = [
        SignInView(
            row.pk,
            row.device,
            row.address,
            row.created_at,
            row.last_seen_at,
            Assurance(row.assurance),
            row.pk == this,
        )
        for row in rows.order_by("-last_seen_at")[:SHOWN_MAX]
    ]
    return sorted(found, key=lambda view: not view.is_this)


def _oldest() -> datetime:
    return now() - max(settings.IDLE, settings.IDLE_OPERATOR)


@transaction.atomic
def end_mine(*, actor: Actor, id: UUID) -> int:
    """End one of the actor's own sessions; returns how many ended."""
    require(actor=actor, verb="accounts.change_account", thing=PORTAL)
    if actor.user_id is None:
        return 0
    ended = SignIn.objects.filter(pk=id, user_id=actor.user_id, ended_at=None).update(
        ended_at=now(), ended_why="person"
    )
    _told(actor, actor.user_id, ended, "person")
    return ended


@transaction.atomic
def end_others(*, actor: Actor, this: UUID | None) -> int:
    """End all of the actor's sessions but this one; returns how many ended."""
    require(actor=actor, verb="accounts.change_account", thing=PORTAL)
    if actor.user_id is None:
        return 0
    return end_all(actor=actor, user_id=actor.user_id, why="person", but=this)


def end_all(*, actor: Actor, user_id: UUID, why: str, but: UUID | None = None) -> int:
    """End a person's sessions in the caller's transaction; the caller has checked that the actor may."""
    rows = SignIn.objects.filter(user_id=user_id, ended_at=None)
    ended = (rows.exclude(pk=but) if but else rows).update(ended_at=now(), ended_why=why)
    _told(actor, user_id, ended, why)
    return ended


def _told(actor: Actor, user_id: UUID, ended: int, why: str) -> None:
    if ended:
        audit.record(
            verb="accounts.end_sign_ins",
            subject_kind="user",
            subject_id=str(user_id),
            actor=actor.id,
            after={"ended": ended, "why": why},
        )
