"""The things that have an audit trail: how each is found with the reader's rights, and which events are its."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor, Thing
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.errors import NotFound
from bitgoeul.kernel.text import N_, Text
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials

from .rows import Said

Subjects = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Traced:
    """A thing with a trail: what it is called, its page, whose it is, and the events (kind, id) that are its."""

    kind: Text
    title: Said
    url: str
    thing: Thing
    subjects: Subjects


def _own(kind: str, id: object) -> Subjects:
    return ((kind, str(id)),)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def _project(actor: Actor, id: str) -> Traced:
    view = accounts.project(actor=actor, project_id=_uuid(id))
    url = reverse("site:project", args=[view.id])
    return Traced(KINDS["project"][0], f"{view.number} {view.title}", url, view.thing, _own("project", view.id))


def _organisation(actor: Actor, id: str) -> Traced:
    view = accounts.organisation(actor=actor, organisation_id=_uuid(id))
    url = reverse("accounts:organisation", args=[view.id])
    return Traced(KINDS["organisation"][0], view.name, url, view.thing, _own("organisation", view.id))


def _application(actor: Actor, id: str) -> Traced:
    """An application with its agreement: what was signed is part of its story."""
    view = programmes.application(actor=actor, application_id=_uuid(id))
    thing = Thing("application", str(view.id), organisation_id=view.organisation_id)
    more = _own("agreement", view.agreement_id) if view.agreement_id else ()
    url = reverse("programmes:application", args=[view.id])
    return Traced(KINDS["application"][0], view.title, url, thing, (*_own("application", view.id), *more))


def _agreement(actor: Actor, id: str) -> Traced:
    agreement = programmes.agreement(actor=actor, agreement_id=_uuid(id))
    view = programmes.application(actor=actor, application_id=agreement.application_id)
    thing = Thing("application", str(view.id), organisation_id=view.organisation_id)
    url = reverse("programmes:agreement", args=[agreement.id])
    return Traced(KINDS["agreement"][0], view.title, url, thing, _own("agreement", agreement.id))


def _allocation(actor: Actor, id: str) -> Traced:
    view = resources.allocation(actor=actor, allocation_id=_uuid(id))
    thing = Thing("allocation", str(view.id), project_id=view.project_id)
    url = f"{reverse('resources:statement', args=[view.project_id])}?allocation={view.id}"
    return Traced(KINDS["allocation"][0], view.label, url, thing, _own("allocation", view.id))


def _job(actor: Actor, id: str) -> Traced:
    view = compute.job(actor=actor, job_id=_uuid(id))
    thing = Thing("job", str(view.id), project_id=view.project_id)
    return Traced(KINDS["job"][0], view.name, reverse("compute:job", args=[view.id]), thing, _own("job", view.id))


def _subject(actor: Actor, id: str) -> Traced:
    view = trials.subject(actor=actor, subject_id=_uuid(id))
    thing = Thing("subject", str(view.id), project_id=view.project_id)
    url = reverse("trials:subject", args=[view.id])
    return Traced(KINDS["subject"][0], view.name, url, thing, _own("subject", view.id))


def _trial(actor: Actor, id: str) -> Traced:
    view = trials.trial(actor=actor, trial_id=_uuid(id))
    thing = Thing("trial", str(view.id), project_id=view.project_id)
    title = f"{view.subject_name} v{view.version_number}"
    return Traced(KINDS["trial"][0], title, reverse("trials:trial", args=[view.id]), thing, _own("trial", view.id))


def _evidence(actor: Actor, digest: str) -> Traced:
    """Only for those it belongs to: who decided about public evidence is not public."""
    view = trials.evidence(actor=actor, digest=digest)
    if not trials.belongs(actor, view):
        raise NotFound()
    thing = Thing("evidence", view.digest, project_id=view.project_id)
    url = reverse("trials:evidence", args=[view.digest])
    return Traced(KINDS["evidence"][0], view.subject_name, url, thing, _own("evidence", view.digest))


Finder = Callable[[Actor, str], Traced]
KINDS: Mapping[str, tuple[Text, Finder]] = {
    "project": (Text(N_("Project")), _project),
    "organisation": (Text(N_("Organisation")), _organisation),
    "application": (Text(N_("Application")), _application),
    "agreement": (Text(N_("Agreement")), _agreement),
    "allocation": (Text(N_("Allocation")), _allocation),
    "job": (Text(N_("Job")), _job),
    "subject": (Text(N_("Subject")), _subject),
    "trial": (Text(N_("Trial")), _trial),
    "evidence": (Text(N_("Evidence")), _evidence),
}


def traced(*, actor: Actor, kind: str, id: str) -> Traced:
    """The thing, if the reader may see it; NotFound for an unknown kind, a missing and a hidden thing alike."""
    if kind not in KINDS:
        raise NotFound()
    return KINDS[kind][1](actor, id)
