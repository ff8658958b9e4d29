"""Timed elevation in place of permanent superusers: asked for with a reason, ended by the clock or by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotFound
from bitgoeul.kernel.text import N_
from bitgoeul.web.facade import Page, page_of

from .authority import require, verbs
from .models import Elevation, ElevationEnd
from .services import PORTAL
from .types import Actor, ElevationView, Verb

MINUTES_MAX = 60
REASON_LENGTH_MIN = 10
REASON_LENGTH_MAX = 500


def view_of(row: Elevation) -> ElevationView:
    """The row as readers see it; its end must have been selected with it."""
    end = getattr(row, "end", None)
    return ElevationView(
        row.pk,
        row.user_id,
        frozenset(row.verbs),
        row.reason,
        row.since,
        row.until,
        end and end.at,
        row.with_tokens,
    )


def _living(user_id: UUID) -> QuerySet[Elevation]:
    return Elevation.objects.filter(user_id=user_id, until__gt=now(), end=None).order_by("-until")


def of_sign_in(user_id: UUID, sign_in_id: UUID) -> ElevationView | None:
    """The living elevation that was asked for in this very session."""
    row = _living(user_id).filter(sign_in_id=sign_in_id, sign_in__ended_at=None).first()
    return view_of(row) if row else None


def of_tokens(user_id: UUID) -> ElevationView | None:
    """The living elevation that the person also gave to their tokens; it dies with the session it was asked in."""
    row = _living(user_id).filter(with_tokens=True, sign_in__ended_at=None).first()
    return view_of(row) if row else None


def elevated_verbs(actor: Actor) -> list[Verb]:
    """The dangerous verbs that the actor's roles at the operator reach."""
    return [verb for verb in verbs() if verb.elevated and verb.operator_roles & actor.operator_roles]


@transaction.atomic
def elevate(
    *,
    actor: Actor,
    id: UUID,
    sign_in_id: UUID,
    verbs: Iterable[str],
    reason: str,
    minutes: int,
    with_tokens: bool = False,
) -> ElevationView:
    """Open a time of ``minutes`` (1 to 60) in which the actor may do ``verbs``; the same id again returns it.

    The caller has made sure that the person proved themselves again just now. A living one in the same session
    ends, so that its time and reason never run under another's.
    """
    require(actor=actor, verb="accounts.elevate", thing=PORTAL)
    if actor.user_id is None or actor.by_token:
        raise BadInput(N_("Only a person who is signed in at the pages can ask for it."))
    audit.take_turn(f"accounts.elevate:{actor.user_id}")  # two at once would both stand
    known = Elevation.objects.select_related("end").filter(pk=id).first()
    if known:
        if known.user_id != actor.user_id:
            raise Conflict
        return view_of(known)
    wanted, reason = set(verbs), " ".join(reason.split())
    _check(actor, wanted, reason, minutes)
    current = of_sign_in(actor.user_id, sign_in_id)
    if current:
        end(actor=actor, id=current.id)
    moment = now()
    row = Elevation.objects.create(
        pk=id,
        user_id=actor.user_id,
        sign_in_id=sign_in_id,
        verbs=sorted(wanted),
        reason=reason,
        with_tokens=with_tokens,
        since=moment,
        until=moment + timedelta(minutes=minutes),
    )
    audit.record(
        verb="accounts.elevate",
        subject_kind="user",
        subject_id=str(actor.user_id),
        actor=actor.id,
        after={"elevation": id, "verbs": row.verbs, "reason": reason, "until": row.until, "tokens": with_tokens},
    )
    return view_of(row)


def _check(actor: Actor, wanted: set[str], reason: str, minutes: int) -> None:
    if not wanted:
        raise BadInput(N_("Choose at least one thing to do."), field="verbs")
    if not wanted <= {verb.name for verb in elevated_verbs(actor)}:
        raise BadInput(N_("Your role at the operator does not reach all of these."), field="verbs")
    if not REASON_LENGTH_MIN <= len(reason) <= REASON_LENGTH_MAX:
        raise BadInput(
            N_("Say why in {least} to {most} characters; auditors read it."),
            field="reason", least=REASON_LENGTH_MIN, most=REASON_LENGTH_MAX,
        )  # fmt: skip
    if not 1 <= minutes <= MINUTES_MAX:
        raise BadInput(N_("An elevation lasts from 1 to {limit} minutes."), field="minutes", limit=MINUTES_MAX)


@transaction.atomic
def end(*, actor: Actor, id: UUID) -> None:
    """End one of the actor's own elevations now; again changes nothing."""
    row = Elevation.objects.select_related("end").filter(pk=id).first()
    if row is None or row.user_id != actor.user_id:
        raise NotFound()
    if getattr(row, "end", None) or row.until <= now():
        return
    _end, made = ElevationEnd.objects.get_or_create(elevation_id=row.pk)
    if made:
        audit.record(
            verb="accounts.end_elevation",
            subject_kind="user",
            subject_id=str(row.user_id),
            actor=actor.id,
            after={"elevation": id},
        )


def listed(*, actor: Actor, page: int = 1) -> Page[ElevationView]:
    """One page of everybody's elevations, newest first, for those who watch over them."""
    require(actor=actor, verb="accounts.view_elevations", thing=PORTAL)
    rows = Elevation.objects.select_related("end").order_by("-since", "-pk")
    return page_of(rows, page).map(view_of)
