"""API tokens: shown once, kept as a hash, expiring, never stronger than their owner is today."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached, NotAllowed
from bitgoeul.kernel.text import N_, Text

from .authority import require
from .authority import scopes as known_scopes
from .elevation import of_tokens
from .example import example_installation
from .models import ApiToken
from .queries import actor_of_user
from .services import PORTAL
from .types import Actor, Assurance, TokenView

PREFIX = "bgt_"
DAYS_MAX = 365
LIVING_MAX = 20
NAME_LENGTH_MAX = 80
EVERY_READ, EVERY_WRITE = "*:read", "*:write"
# A busy program's token is written at most once in this time.
USED_EVERY = timedelta(minutes=1)


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
def issue_token(
    *,
    actor: Actor,
    id: UUID,
    name: str,
    days: int,
    read_only: bool = False,
    scopes: Collection[str] = (),
) -> IssuedToken:
    """Make a token for the actor. Not repeatable: the secret is not kept, so the same id again is a Conflict.

    ``scopes`` are what it may do at most; none means everything, or with ``read_only`` every reading. It is as
    strong as the session it is made in: without a second factor it carries no operator rights.

    At ``LIVING_MAX`` living tokens the oldest of the same name gives way (a program that signs in again and
    again); when there is none, LimitReached.
    """
    require(actor=actor, verb="accounts.create_token", thing=PORTAL)
    if actor.by_token or actor.user_id is None:
        # A token that could make tokens would outlive its own end.
        raise NotAllowed(
            N_("A token cannot make tokens."), remedy=Text(N_("Sign in at the pages or by “bitgoeul sign-in”."))
        )
    chosen = _checked_scopes(scopes, read_only)
    if not 1 <= days <= DAYS_MAX:
        raise BadInput(N_("A token lives from 1 to {limit} days."), field="days", limit=DAYS_MAX)
    audit.take_turn(f"accounts.tokens:{actor.user_id}")  # two at once would both find room for one
    if ApiToken.objects.filter(pk=id).exists():
        raise Conflict(N_("This token was made before; its secret is not kept."))
    name = name.strip()[:NAME_LENGTH_MAX] or "token"
    _make_room(actor, actor.user_id, name)
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = now() + timedelta(days=days)
    ApiToken.objects.create(
        pk=id,
        user_id=actor.user_id,
        name=name,
        hash=_hash(secret),
        scopes=chosen,
        assurance=actor.assurance,
        expires_at=expires_at,
    )
    audit.record(
        verb="accounts.issue_token",
        subject_kind="token",
        subject_id=str(id),
        actor=actor.id,
        after={"name": name, "scopes": chosen, "expires_at": expires_at},
    )
    return IssuedToken(id, secret, expires_at)


def _checked_scopes(scopes: Collection[str], read_only: bool) -> list[str]:
    chosen = sorted(set(scopes)) or ([EVERY_READ] if read_only else [EVERY_READ, EVERY_WRITE])
    known = {*known_scopes(), EVERY_READ, EVERY_WRITE}
    if unknown := [scope for scope in chosen if scope not in known]:
        raise BadInput(
            N_("There is no scope “{scope}”."),
            field="scopes",
            remedy=Text(N_("Choose among: {scopes}."), {"scopes": ", ".join(sorted(known))}),
            scope=unknown[0][:80],
        )
    if read_only and not all(scope.endswith(":read") for scope in chosen):
        raise BadInput(N_("A token that may only read has no scope to write."), field="scopes")
    return chosen


def _living(user_id: UUID) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user_id=user_id, revoked_at=None, expires_at__gt=now())


def _make_room(actor: Actor, user_id: UUID, name: str) -> None:
    living = list(_living(user_id).order_by("created_at"))
    if len(living) < LIVING_MAX:
        return
    oldest = next((row for row in living if row.name == name), None)
    if oldest is None:
        raise LimitReached(
            N_("You have {limit} tokens, which is the most one may have."),
            limit=LIVING_MAX,
            remedy=Text(N_("End one that you no longer use.")),
        )
    revoke_token(actor=actor, id=oldest.pk)


def my_tokens(actor: Actor) -> list[TokenView]:
    """The actor's living tokens, newest first; at most ``LIVING_MAX``."""
    if actor.user_id is None:
        return []
    rows = _living(actor.user_id).order_by("-created_at")[:LIVING_MAX]
    return [_view(row) for row in rows]


def _view(row: ApiToken) -> TokenView:
    return TokenView(row.pk, row.name, tuple(row.scopes), row.created_at, row.expires_at, row.last_used_at)


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
    _used(row)
    return actor_of_user(
        row.user,
        assurance=_assurance(row),
        scopes=frozenset(row.scopes),
        elevation=lambda: of_tokens(row.user_id),
    )


def _used(row: ApiToken) -> None:
    moment = now()
    if row.last_used_at is None or moment - row.last_used_at >= USED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=moment)


def _assurance(row: ApiToken) -> Assurance:
    # A token of a named example person is worth what their one click is worth: nothing where that is closed.
    if row.assurance == Assurance.EXAMPLE and not example_installation():
        return Assurance.SINGLE
    return Assurance(row.assurance)
