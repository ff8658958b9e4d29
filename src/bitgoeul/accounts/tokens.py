"""API tokens: shown once, kept as a hash, expiring, never stronger than their owner is today."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotAllowed
from bitgoeul.kernel.text import N_

from .authority import require
from .models import ApiToken
from .queries import actor_of_user
from .services import PORTAL
from .types import Actor

PREFIX = "bgt_"
DAYS_MAX = 365


@dataclass(frozen=True)
class IssuedToken:
    """A new token; ``secret`` is never shown again."""

    id: UUID
    secret: str
    expires_at: datetime


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


@transaction.atomic
def issue_token(*, actor: Actor, id: UUID, name: str, days: int, read_only: bool = False) -> IssuedToken:
    """Make a token for the actor. Not repeatable: the secret is not kept, so the same id again is a Conflict."""
    require(actor=actor, verb="accounts.create_token", thing=PORTAL)
    if actor.read_only or actor.user_id is None:
        raise NotAllowed(N_("A token that may only read cannot make tokens."))
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(N_("A token lives from 1 to {limit} days."), field="days", limit=DAYS_MAX)
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = now() + timedelta(days=days)
    ApiToken.objects.create(
        pk=id,
        user_id=actor.user_id,
        name=name.strip()[:80] or "token",
        hash=_hash(secret),
        read_only=read_only,
        expires_at=expires_at,
    )
    audit.record(
        verb="accounts.issue_token",
        subject_kind="token",
        subject_id=str(id),
        actor=actor.id,
        after={"name": name, "read_only": read_only, "expires_at": expires_at},
    )
    return IssuedToken(id, secret, expires_at)


@transaction.atomic
def revoke_token(*, actor: Actor, id: UUID) -> None:
    """End one of the actor's own tokens; again changes nothing."""
    if actor.user_id is None:
        return
    ended = ApiToken.objects.filter(pk=id, user_id=actor.user_id, revoked_at=None).update(revoked_at=now())
    if ended:
        audit.record(verb="accounts.revoke_token", subject_kind="token", subject_id=str(id), actor=actor.id)


def actor_of_token(secret: str) -> Actor | None:
    """The actor of a living token, with its owner's rights of today; None for anything else."""
    row = ApiToken.objects.select_related("user").filter(hash=_hash(secret), revoked_at=None).first()
    if row is None or row.expires_at <= now() or not row.user.is_active:
        return None
    return actor_of_user(row.user, read_only=row.read_only)
