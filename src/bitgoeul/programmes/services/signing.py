"""Signing an agreement; the second signature makes the project and its allocations in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.types import Actor
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import Conflict, Unavailable, WrongState
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import N_, Text
from bitgoeul.resources import facade as resources
from bitgoeul.resources.types import Origin

from .. import queries, rules
from ..agreements import Side, digest_of
from ..errors import SameSigner, WrongDigest
from ..groups import use_group
from ..models import Agreement, Application, Signature
from ..states import APPLICATION, ApplicationState
from ..types import AgreementView
from ..workdays import seoul_day

VERBS = {Side.APPLICANT: "programmes.sign_as_applicant", Side.OPERATOR: "programmes.sign_as_operator"}
SYSTEM = "agreements"


@transaction.atomic
def sign(
    *, actor: Actor, agreement_id: UUID, side: Side, digest: str, shown: Mapping[str, str] | None = None
) -> AgreementView:
    """Sign for one side the text named by ``digest``; the second side's signature allocates.

    Signing again by the same person changes nothing. Raises WrongDigest when ``digest`` is not the agreement's,
    SameSigner when one person stands for both sides, WrongState after withdrawal or the deadline. ``shown`` is
    what the page said beside the button (language, statement); it is kept with the signature.
    """
    agreement, row = queries.agreement_rows(actor, agreement_id, VERBS[side])
    # Two sides at once: without this lock each would miss the other's row and nobody would allocate.
    row = Application.objects.select_for_update().get(id=row.id)
    signed = {one.side: one for one in Signature.objects.filter(agreement=agreement)}
    if _check(actor, agreement, row, side, digest, signed):
        Signature.objects.create(
            id=derive("programmes.signature", agreement.id, side.value),
            agreement=agreement,
            side=side.value,
            actor=actor.id,
            digest=digest,
            shown={"bytes": str(len(agreement.text.encode())), **(shown or {})},
        )
        audit.record(
            verb="agreement.sign",
            subject_kind="agreement",
            subject_id=str(agreement.id),
            actor=actor.id,
            after={"side": side.value, "digest": digest, "application": str(row.id)},
        )
        if len(signed) == 1:
            _complete(row, agreement)
    return queries.agreement_view(agreement)


def _check(
    actor: Actor, agreement: Agreement, row: Application, side: Side, digest: str, signed: Mapping[str, Signature]
) -> bool:
    """False when this person has signed this side already; raises when the signature cannot be taken."""
    if digest != agreement.digest or digest_of(agreement.text) != agreement.digest:
        raise WrongDigest(
            field="digest", remedy=Text(N_("Open the agreement again, read it and sign what it shows."))
        )
    mine = signed.get(side.value)
    if mine is not None:
        if mine.actor != actor.id:
            raise Conflict(N_("This side has been signed by somebody else already."))
        return False
    APPLICATION.target(ApplicationState(row.state), "agree")
    if any(other.actor == actor.id for other in signed.values()):
        raise SameSigner(remedy=Text(N_("Ask a colleague to sign for this side.")))
    if side is Side.APPLICANT and seoul_day(now()) > agreement.sign_by:
        raise WrongState(
            N_("This agreement could be signed until {day}."),
            day=agreement.sign_by.isoformat(),
            remedy=Text(N_("Withdraw this application and apply again.")),
        )
    return True


def _complete(row: Application, agreement: Agreement) -> None:
    """Agreed, project made, allocations granted, allocated: all of it or nothing."""
    system = Actor.system(SYSTEM)
    ids = {"agreement_id": str(agreement.id), "organisation_id": str(row.organisation_id)}
    audit.advance(row, "agree", actor=system.id, payload=ids)
    body = rules.parse_call(row.call.body)
    tier = body.tier(row.tier)
    if tier is None:  # the version is immutable, so only a damaged database can lead here
        raise Unavailable(N_("The call of this application does not have its tier any more."))
    owner = UUID(row.applicant.removeprefix("user:"))
    project = accounts.create_project(
        actor=system,
        id=derive("programmes.project", agreement.id),
        organisation_id=row.organisation_id,
        title=row.title,
        owner_user_id=owner,
    )
    starts = now()
    for line in rules.amounts_of(tier, row.requested):
        resources.grant(
            actor=system,
            id=derive("programmes.allocation", agreement.id, line.resource),
            project_id=project.id,
            resource_code=line.resource,
            amount=line.amount,
            starts_at=starts,
            ends_at=starts + timedelta(days=tier.duration_days),
            origin=Origin(
                kind="agreement",
                id=str(agreement.id),
                label=f"{body.title.ko} · {tier.title.ko}",
                group=use_group(body.code),
            ),
        )
    audit.advance(
        row,
        "allocate",
        actor=system.id,
        changes={"project_id": project.id, "allocated_at": now()},
        payload={**ids, "project_id": str(project.id)},
    )
