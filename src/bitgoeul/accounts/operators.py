"""Who works for the operator: roles given and taken away, other people's sign-ins ended, accounts closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotFound
from bitgoeul.kernel.ids import new_id
from bitgoeul.kernel.text import N_, Text
from bitgoeul.web.facade import Page, page_of

from . import sign_ins
from .authority import require
from .models import ApiToken, OperatorGrant, User
from .services import PORTAL
from .types import Actor, OperatorRole, OperatorView

SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)

# In turn: two members of staff who end each other at once would leave none.
LAST_STAFF = "accounts.last_staff"


def listed(*, actor: Actor, page: int = 1) -> Page[OperatorView]:
    """One page of the people with operator roles, by e-mail."""
    require(actor=actor, verb="accounts.view_operators", thing=PORTAL)
    people = User.objects.filter(pk__in=OperatorGrant.objects.values("user_id")).order_by("email")
    found = page_of(people, page)
    return found.map(_viewer([row.pk for row in found.items]))


def view(*, actor: Actor, user_id: UUID) -> OperatorView:
    """One person and their roles at the operator, which may be none."""
    require(actor=actor, verb="accounts.view_operators", thing=PORTAL)
    row = User.objects.filter(pk=user_id).first()
    if row is None:
        raise NotFound(N_("There is no such person."))
    return _viewer([user_id])(row)


def record_look(actor: Actor, people: Sequence[OperatorView]) -> None:
    """Leave an access record of the people whom the actor saw; of oneself there is none."""
    shown = [f"user:{view.user_id}" for view in people if view.user_id != actor.user_id]
    if shown:
        audit.record_access(actor=actor.id, people=shown, what="people of the operator")


def _viewer(user_ids: list[UUID]) -> Callable[[User], OperatorView]:
    grants: dict[UUID, dict[OperatorRole, str]] = {}
    for grant in OperatorGrant.objects.filter(user_id__in=user_ids).order_by("role"):
        grants.setdefault(grant.user_id, {})[OperatorRole(grant.role)] = grant.source
    factors = set(
        Authenticator.objects.filter(user_id__in=user_ids, type__in=SECOND_FACTORS).values_list(
            "user_id", flat=True
        )
    )

    def view(row: User) -> OperatorView:
        given = grants.get(row.pk, {})
        by_claim = {role: source for role, source in given.items() if source}
        return OperatorView(row.pk, str(row), row.email, tuple(given), by_claim, row.pk in factors)

    return view


def by_email(*, actor: Actor, email: str) -> UUID:
    """Anybody's id by e-mail, also of a closed account, for staff alone; NotFound for nobody's."""
    require(actor=actor, verb="accounts.lift_lock", thing=PORTAL)
    found = User.objects.filter(email__iexact=email.strip()).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(N_("There is no such person."), field="email")
    return found


def _person(user_id: UUID) -> User:
    row = User.objects.select_for_update().filter(pk=user_id).first()
    if row is None:
        raise NotFound(N_("There is no such person."), field="email")
    return row


@transaction.atomic
def grant_role(*, actor: Actor, user_id: UUID, role: OperatorRole) -> None:
    """Give a person a role at the operator, by hand; again changes nothing.

    A role that a claim gives becomes one given by hand. The person's sessions end, so that none goes on with the
    shorter rights and the longer idle time of before.
    """
    require(actor=actor, verb="accounts.grant_operator", thing=PORTAL)
    person = _person(user_id)
    if not person.is_active:
        raise BadInput(N_("This account is closed."), field="email")
    row, made = OperatorGrant.objects.get_or_create(user_id=user_id, role=role, defaults={"pk": new_id()})
    if not made and not row.source:
        return
    before, row.source = row.source, ""
    row.save(update_fields=["source"])
    _record(actor, "accounts.grant_operator", user_id, after={"role": role, "until_now_by": before})
    if made:
        sign_ins.end_all(actor=actor, user_id=user_id, why="roles")


@transaction.atomic
def revoke_role(*, actor: Actor, user_id: UUID, role: OperatorRole) -> None:
    """Take a role away; again changes nothing. The last member of staff stays, or nobody could give roles."""
    require(actor=actor, verb="accounts.revoke_operator", thing=PORTAL)
    audit.take_turn(LAST_STAFF)
    rows = {row.user_id: row for row in OperatorGrant.objects.filter(role=role)}
    known = rows.get(user_id)
    if known is None:
        return
    if role is OperatorRole.STAFF and _is_last(user_id, set(rows)):
        raise BadInput(
            N_("The last member of staff keeps the role."), remedy=Text(N_("Give it to somebody else first."))
        )
    known.delete()
    _record(actor, "accounts.revoke_operator", user_id, before={"role": role, "by": known.source})
    sign_ins.end_all(actor=actor, user_id=user_id, why="roles")


def _is_last(user_id: UUID, holders: set[UUID]) -> bool:
    return not User.objects.filter(pk__in=holders - {user_id}, is_active=True).exists()


@transaction.atomic
def end_access(*, actor: Actor, user_id: UUID) -> tuple[int, int]:
    """End all sessions and tokens of a person; returns how many of each. Again changes nothing."""
    require(actor=actor, verb="accounts.end_access", thing=PORTAL)
    _person(user_id)
    return _end_access(actor, user_id, "operator")


def _end_access(actor: Actor, user_id: UUID, why: str) -> tuple[int, int]:
    tokens = ApiToken.objects.filter(user_id=user_id, revoked_at=None).update(revoked_at=now())
    if tokens:
        _record(actor, "accounts.end_tokens", user_id, after={"ended": tokens, "why": why})
    return sign_ins.end_all(actor=actor, user_id=user_id, why=why), tokens


@transaction.atomic
def close_account(*, actor: Actor, user_id: UUID, reason: str) -> None:
    """Close a person's account: nobody signs in by it, its sessions and tokens end; again changes nothing."""
    require(actor=actor, verb="accounts.close_account", thing=PORTAL)
    audit.take_turn(LAST_STAFF)
    person, reason = _person(user_id), " ".join(reason.split())
    if not reason:
        raise BadInput(N_("This field is needed."), field="reason")
    staff = set(OperatorGrant.objects.filter(role=OperatorRole.STAFF).values_list("user_id", flat=True))
    if user_id in staff and _is_last(user_id, staff):
        raise BadInput(
            N_("The last member of staff keeps the account."),
            remedy=Text(N_("Give the role to somebody else first.")),
        )
    if not person.is_active:
        return
    User.objects.filter(pk=user_id).update(is_active=False)
    _record(actor, "accounts.close_account", user_id, after={"reason": reason[:500]})
    _end_access(actor, user_id, "closed")


@transaction.atomic
def reopen_account(*, actor: Actor, user_id: UUID) -> None:
    """Open a closed account again; again changes nothing."""
    require(actor=actor, verb="accounts.close_account", thing=PORTAL)
    if not _person(user_id).is_active:
        User.objects.filter(pk=user_id).update(is_active=True)
        _record(actor, "accounts.reopen_account", user_id)


@transaction.atomic
def erase_personal(*, actor: Actor, user_id: UUID) -> int:
    """Erase the personal values that events about a person keep; the chain stays verifiable. Returns how many."""
    require(actor=actor, verb="accounts.erase_personal", thing=PORTAL)
    _person(user_id)
    return audit.erase_personal(subject_kind="user", subject_id=str(user_id), actor=actor.id)


def _record(
    actor: Actor, verb: str, user_id: UUID, *, before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:  # fmt: skip
    audit.record(
        verb=verb, subject_kind="user", subject_id=str(user_id), actor=actor.id, before=before, after=after
    )
