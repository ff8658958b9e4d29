"""Searching what one may see: a few of each kind, or one kind in pages. Rights are part of each kind's query.

Nothing is counted: how many there are beyond the ones shown is never told, only that there are more one may see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text
from bitgoeul.outcomes import facade as outcomes
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials
from bitgoeul.web.facade import Found, Sought, no_store, page_number, sought

FEW = 5
PER_PAGE = 20
PAGES_MAX = 50
Finder = Callable[..., list[Found]]


@dataclass(frozen=True)
class Kind:
    """A kind of thing that is found: its heading, who finds it, and the name of its page's address."""

    label: Text
    find: Finder
    page: str


@dataclass(frozen=True)
class Line:
    """One thing found, with the address of its page."""

    found: Found
    url: str


@dataclass(frozen=True)
class Group:
    """What was found of one kind; ``more`` when there is more of it that the reader may see."""

    kind: str
    label: Text
    lines: Sequence[Line]
    more: bool


KINDS: Mapping[str, Kind] = {
    "project": Kind(Text(N_("Projects")), accounts.find_projects, "site:project"),
    "organisation": Kind(Text(N_("Organisations")), accounts.find_organisations, "accounts:organisation"),
    "application": Kind(Text(N_("Applications")), programmes.find_applications, "programmes:application"),
    "job": Kind(Text(N_("Jobs")), compute.find_jobs, "compute:job"),
    "subject": Kind(Text(N_("Subjects")), trials.find_subjects, "trials:subject"),
    "trial": Kind(Text(N_("Trials")), trials.find_trials, "trials:trial"),
    "evidence": Kind(Text(N_("Evidence")), trials.find_evidence, "trials:verify_result"),
    "resource": Kind(Text(N_("Catalogue")), resources.find_entries, "site:catalogue_entry"),
    "call": Kind(Text(N_("Calls")), programmes.find_calls, "programmes:call"),
    "figure": Kind(Text(N_("Public figures")), outcomes.find_figures, "outcomes:figure"),
}


def few_of_each(*, actor: Actor, wanted: Sought) -> list[Group]:
    """At most five of each kind that has any; a fixed number of queries however much there is."""
    groups = (_group(actor, wanted, kind, 0, FEW) for kind in KINDS)
    return [group for group in groups if group.lines]


def page_of_kind(*, actor: Actor, wanted: Sought, kind: str, page: int) -> Group:
    """One page of twenty of one kind, at most fifty pages; BadInput for a kind that is none."""
    if kind not in KINDS:
        raise BadInput(
            N_("There is no such kind of thing to search for."),
            field="kind",
            remedy=Text(N_("Leave the kind out, or use one of: {kinds}."), {"kinds": ", ".join(KINDS)}),
        )
    group = _group(actor, wanted, kind, (page - 1) * PER_PAGE, PER_PAGE)
    return Group(kind, group.label, group.lines, group.more and page < PAGES_MAX)


def _group(actor: Actor, wanted: Sought, kind: str, start: int, count: int) -> Group:
    one = KINDS[kind]
    found = one.find(actor=actor, wanted=wanted, start=start, count=count + 1)
    lines = [Line(each, reverse(one.page, args=[each.id])) for each in found[:count]]
    return Group(kind, one.label, lines, len(found) > count)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """GET /search/?q=&kind=&page="""
    text, kind = request.GET.get("q", ""), request.GET.get("kind", "").replace("\0", "")
    page = min(page_number(request), PAGES_MAX)
    context: dict[str, object] = {"search_text": text.replace("\0", ""), "kind": kind, "page": page}
    status = 200
    if text or kind:
        try:
            context |= _results(request, text, kind, page)
        except BadInput as error:
            context["error"], status = error, error.status
    return no_store(render(request, "site/pages/search.html", context, status=status))


def _results(request: HttpRequest, text: str, kind: str, page: int) -> dict[str, object]:
    actor, wanted = accounts.actor_of(request), sought(text)
    if not kind:
        return {"wanted": wanted, "groups": few_of_each(actor=actor, wanted=wanted)}
    group = page_of_kind(actor=actor, wanted=wanted, kind=kind, page=page)
    return {
        "wanted": wanted,
        "groups": [group] if group.lines else [],
        "previous": page - 1,
        "next": page + 1 if group.more else 0,
    }
