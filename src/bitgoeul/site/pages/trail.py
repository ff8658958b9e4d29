"""The audit trail of a thing: who did what to it, when and why, and where each event stands in the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor, OperatorRole
from bitgoeul.audit import facade as audit
from bitgoeul.documents import Column, xlsx
from bitgoeul.kernel.errors import NotFound
from bitgoeul.web.facade import Page, attachment, no_store, page_number, render_text

from .trail_things import Traced, traced
from .trail_words import Change, changes, people_in, plain, what

READERS = frozenset({OperatorRole.STAFF, OperatorRole.AUDITOR})


@dataclass(frozen=True)
class Line:
    """One event for one reader.

    ``who`` is a name only where the reader may see the person; ``request_id`` is empty for all but operators;
    ``personal`` are values for auditors, None for others, with ``erased`` when they are gone; ``sequence`` is the
    place in the chain, None while it is not sealed.
    """

    id: str
    at: datetime
    who: str
    role: str
    what: str
    verb: str
    reason: str
    changes: Sequence[Change]
    request_id: str
    sequence: int | None
    personal: Sequence[Change] | None = None
    erased: bool = False


def trail_of(*, actor: Actor, found: Traced, page: int) -> Page[Line]:
    """One page of a thing's trail as this reader may see it, oldest first; opens an access record where due."""
    shown = audit.trail(found.subjects, page)
    return Page(lines(actor, found, shown.items), shown.number, shown.per_page, shown.total)


def lines(actor: Actor, found: Traced, events: Sequence[audit.TrailLine]) -> list[Line]:
    """These events for this reader, in a fixed number of queries."""
    ids = {one.actor for one in events}
    for one in events:
        ids.update(people_in(one.before), people_in(one.after))
    people = accounts.seen_people(reader=actor, actor_ids=ids, thing=found.thing)
    auditor = OperatorRole.AUDITOR in actor.operator_roles
    personal = audit.personal_values(one.id for one in events if one.personal) if auditor else {}
    _record_access(actor, found, {text for text, one in people.items() if one.named}, bool(personal))
    names = {text: one.name or render_text(one.role) for text, one in people.items()}
    return [
        Line(
            id=one.id,
            at=one.at,
            who=names[one.actor],
            role=render_text(people[one.actor].role) if people[one.actor].named else "",
            what=what(one.verb),
            verb=one.verb,
            reason=plain(one.reason) if one.reason else "",
            changes=changes(one.subject_kind, one.before, one.after, names),
            request_id=one.request_id if actor.is_operator else "",
            sequence=one.sequence,
            personal=changes(one.subject_kind, None, personal[one.id], names) if personal.get(one.id) else None,
            erased=one.id in personal and personal[one.id] is None,
        )
        for one in events
    ]


def _record_access(actor: Actor, found: Traced, seen: set[str], personal: bool) -> None:
    """An operator who reads the names or personal values of people they do not work with leaves a record."""
    thing = found.thing
    own = thing.project_id in actor.project_roles or thing.organisation_id in actor.organisation_roles
    others = sorted(text for text in seen if text != actor.id and text.startswith("user:"))
    if others and READERS & actor.operator_roles and not own:
        words = "personal values in the trail of" if personal else "trail of"
        audit.record_access(actor=actor.id, people=others, what=f"{words} {thing.kind} {thing.id}"[:120])


@login_required
@require_safe
def trail(request: HttpRequest, kind: str, id: str) -> HttpResponse:
    """GET /trail/<kind>/<id>/; ``?format=xlsx`` gives all of it as a workbook."""
    actor = accounts.actor_of(request)
    found = traced(actor=actor, kind=kind, id=id)
    if request.GET.get("format") == "xlsx":
        return workbook(actor, found)
    page = trail_of(actor=actor, found=found, page=page_number(request))
    return no_store(render(request, "site/pages/trail.html", {"found": found, "page": page}))


def workbook(actor: Actor, found: Traced) -> HttpResponse:
    """The whole trail, a line an event; the same things are seen as on the page."""
    if not actor.is_signed_in:
        raise NotFound()
    columns = [
        Column(gettext("When"), 20),
        Column(gettext("Who"), 24),
        Column(gettext("What"), 32),
        Column(gettext("Why"), 40),
        Column(gettext("Before"), 40),
        Column(gettext("After"), 40),
        Column(gettext("Position in the chain"), 16),
        Column(gettext("Event"), 38),
        Column(gettext("Request"), 38),
    ]
    rows = (
        [
            one.at,
            one.who,
            one.what,
            one.reason,
            "\n".join(f"{change.field}: {change.before}" for change in one.changes if change.before),
            "\n".join(f"{change.field}: {change.after}" for change in one.changes if change.after),
            one.sequence,
            one.id,
            one.request_id,
        ]
        for one in lines(actor, found, audit.trail_to_export(found.subjects))
    )
    return attachment(xlsx(gettext("Audit trail"), columns, rows), f"trail-{found.thing.kind}.xlsx")
