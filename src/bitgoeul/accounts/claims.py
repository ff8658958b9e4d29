"""Roles by claim: read again at each sign-in by a provider, given and taken away; grants by hand stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.ids import new_id

from .models import OperatorGrant, Organisation, OrganisationMembership, User
from .provider_file import ClaimRule, OidcProvider, SamlProvider
from .types import OrganisationRole

VALUES_MAX = 500


def claims_of(extra: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a provider said, each claim as a list of texts: an ID token and userinfo, or SAML attributes.

    Where both name a claim, the ID token's counts, for it is signed.
    """
    found: dict[str, list[str]] = {}
    for part in (
        (extra.get("userinfo"), extra.get("id_token")) if "id_token" in extra or "userinfo" in extra else (extra,)
    ):
        for name, value in (part or {}).items():
            values = value if isinstance(value, list) else [value]
            found[str(name)] = [str(one) for one in values[:VALUES_MAX] if isinstance(one, str | int)]
    return found


def second_factor_said(provider: OidcProvider | SamlProvider, claims: Mapping[str, list[str]]) -> bool:
    """Does the provider say that a second factor was used?"""
    rule = provider.second_factor
    return rule is not None and bool(set(rule.values) & set(claims.get(rule.claim, ())))


@transaction.atomic
def apply_claims(user: User, provider: OidcProvider | SamlProvider, claims: Mapping[str, list[str]]) -> None:
    """Make the person's roles by this provider those that its claims give now; each change is written down."""
    given = [rule for rule in provider.roles if rule.value in claims.get(rule.claim, ())]
    _operator(user, provider.id, {rule.operator for rule in given if rule.operator})
    _organisations(user, provider.id, given)


def _operator(user: User, source: str, wanted: set[Any]) -> None:
    rows = {row.role: row for row in OperatorGrant.objects.select_for_update().filter(user=user)}
    for role in sorted(wanted - set(rows)):
        OperatorGrant.objects.create(pk=new_id(), user=user, role=role, source=source)
        _record(user, source, "grant_operator", after={"role": role})
    for role, row in rows.items():
        if row.source == source and role not in wanted:
            row.delete()
            _record(user, source, "revoke_operator", before={"role": role})


def _organisations(user: User, source: str, given: list[ClaimRule]) -> None:
    wanted: dict[UUID, OrganisationRole] = {}
    for rule in given:
        if rule.organisation and wanted.get(rule.organisation) != OrganisationRole.OWNER:
            wanted[rule.organisation] = rule.role
    known = set(Organisation.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    rows = {
        row.organisation_id: row for row in OrganisationMembership.objects.select_for_update().filter(user=user)
    }
    for organisation_id in known:
        _join(user, source, organisation_id, wanted[organisation_id], rows.get(organisation_id))
    for organisation_id, row in rows.items():
        if row.source == source and organisation_id not in wanted and not _only_owner(row):
            row.delete()
            _record(user, source, "remove_organisation_member", before={"organisation": organisation_id})


def _join(
    user: User, source: str, organisation_id: UUID, role: OrganisationRole, row: OrganisationMembership | None
) -> None:
    if row is None:
        OrganisationMembership.objects.create(
            pk=new_id(), organisation_id=organisation_id, user=user, role=role, source=source
        )
    elif row.source == source and row.role != role and not _only_owner(row):
        row.role = role
        row.save(update_fields=["role"])
    else:
        return
    _record(user, source, "add_organisation_member", after={"organisation": organisation_id, "role": role})


def _only_owner(row: OrganisationMembership) -> bool:
    """An organisation keeps an owner, whatever a claim says."""
    owners = OrganisationMembership.objects.filter(
        organisation_id=row.organisation_id, role=OrganisationRole.OWNER
    )
    return row.role == OrganisationRole.OWNER and not owners.exclude(pk=row.pk).exists()


def _record(
    user: User,
    source: str,
    verb: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        verb=f"accounts.{verb}",
        subject_kind="user",
        subject_id=str(user.pk),
        actor=f"system:provider:{source}",
        before=before,
        after=after,
    )
