"""What an event's verb and its values are called for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from bitgoeul.accounts import facade as accounts
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.machine import Machine
from bitgoeul.kernel.text import N_, Text
from bitgoeul.programmes import facade as programmes
from bitgoeul.resources import facade as resources
from bitgoeul.trials import facade as trials
from bitgoeul.web.facade import render_text

from .. import formats

MACHINES: Mapping[str, Machine[Any]] = {
    one.name: one for one in (programmes.APPLICATION, resources.ALLOCATION, compute.JOB, trials.TRIAL)
}
# Events that are no move of a machine; rooms name them in their services.
EVENTS: Mapping[str, Text] = {
    "accounts.create_project": Text(N_("Project made")),
    "accounts.add_member": Text(N_("Person added or given another role")),
    "accounts.remove_member": Text(N_("Person removed")),
    "accounts.hand_over_project": Text(N_("Handed over to another owner")),
    "accounts.create_organisation": Text(N_("Organisation registered")),
    "accounts.add_organisation_member": Text(N_("Person added to the organisation")),
    "accounts.remove_organisation_member": Text(N_("Person removed from the organisation")),
    "agreement.freeze": Text(N_("Text of the agreement frozen")),
    "agreement.sign": Text(N_("Signed")),
    "application.change": Text(N_("Draft changed")),
    "application.create": Text(N_("Draft begun")),
    "audit.erase": Text(N_("Personal values erased")),
    "compute.cancel_job": Text(N_("Cancelling asked for")),
    "compute.submit_job": Text(N_("Job submitted")),
    "programmes.record_partnership": Text(N_("Partnership recorded")),
    "resources.grant_allocation": Text(N_("Allocation granted")),
    "trials.add_version": Text(N_("Version added")),
    "trials.create_subject": Text(N_("Subject brought in")),
    "trials.invalidate_evidence": Text(N_("Evidence invalidated")),
    "trials.issue_evidence": Text(N_("Evidence issued")),
    "trials.judge_trial": Text(N_("Record judged")),
    "trials.publish_evidence": Text(N_("Decided who sees it")),
    "trials.refuse_to_sign": Text(N_("Signing refused")),
    "trials.request_trial": Text(N_("Trial asked for")),
    "trials.stop_trial": Text(N_("Stopping asked for")),
}
FIELDS: Mapping[str, Text] = {
    "amount": Text(N_("Amount")),
    "answers": Text(N_("Answers")),
    "application": Text(N_("Application")),
    "attempt": Text(N_("Attempt")),
    "call": Text(N_("Call")),
    "digest": Text(N_("Digest")),
    "display_name": Text(N_("Name")),
    "email": Text(N_("E-mail")),
    "embargo_until": Text(N_("Embargo until")),
    "evidence": Text(N_("Evidence")),
    "held": Text(N_("Set aside")),
    "kind": Text(N_("Kind")),
    "log_sequence": Text(N_("Position in the log")),
    "name": Text(N_("Name")),
    "number": Text(N_("Number")),
    "organisation": Text(N_("Organisation")),
    "organisations": Text(N_("Organisations")),
    "origin": Text(N_("Reason")),
    "outcome": Text(N_("Verdict")),
    "owner": Text(N_("Owner")),
    "owners": Text(N_("Owners")),
    "parameters": Text(N_("Parameters")),
    "project": Text(N_("Project")),
    "protocol": Text(N_("Protocol")),
    "reason": Text(N_("Reason")),
    "record": Text(N_("Record")),
    "registration_number": Text(N_("Business registration number")),
    "request": Text(N_("Request")),
    "requested": Text(N_("Asked for")),
    "resource": Text(N_("Resource")),
    "role": Text(N_("Role")),
    "side": Text(N_("Side")),
    "sign_by": Text(N_("Sign by")),
    "size": Text(N_("Bytes")),
    "state": Text(N_("State")),
    "tier": Text(N_("Tier")),
    "title": Text(N_("Title")),
    "user": Text(N_("Person")),
    "version": Text(N_("Version")),
    "visibility": Text(N_("Who sees it")),
}
PERSON_FIELDS = frozenset({"user", "owner", "owners"})
VALUE_SHOWN_MAX = 400


@dataclass(frozen=True)
class Change:
    """One value of an event: what it is called, what it was and what it is; empty for neither."""

    field: str
    before: str
    after: str


def what(verb: str) -> str:
    """An event in the reader's words: a move's own word, the event's, else the verb as it is."""
    machine, _, action = verb.partition(".")
    known = MACHINES.get(machine)
    if known and action in known.moves:
        return render_text(known.move(action).label)
    if verb in EVENTS:
        return render_text(EVENTS[verb])
    return next((render_text(one.label) for one in accounts.verbs() if one.name == verb), verb)


def people_in(values: Mapping[str, object] | None) -> Iterator[str]:
    """The opaque ids of the people whom an event's values name."""
    for name in PERSON_FIELDS & (values or {}).keys():
        found = (values or {})[name]
        for one in found if isinstance(found, list) else [found]:
            yield f"user:{one}"


def changes(
    kind: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    names: Mapping[str, str],
) -> list[Change]:
    """Before and after side by side, each value readable; reason and the row's version are left out."""
    old, new = before or {}, after or {}
    skipped = {"reason"} | ({"version"} if "state" in new else set())
    keys = [name for name in dict.fromkeys([*new, *old]) if name not in skipped]
    return [
        Change(
            render_text(FIELDS[name]) if name in FIELDS else name,
            _shown(kind, name, old[name], names) if name in old else "",
            _shown(kind, name, new[name], names) if name in new else "",
        )
        for name in keys
    ]


def _shown(kind: str, name: str, value: object, names: Mapping[str, str]) -> str:
    if name in PERSON_FIELDS:
        people = value if isinstance(value, list) else [value]
        return ", ".join(names.get(f"user:{one}", "–") for one in people)
    machine = MACHINES.get(kind)
    if name == "state" and machine and value in set(map(str, machine.states.__members__)):
        return render_text(machine.label(machine.states(str(value))))
    return plain(value)


def plain(value: object) -> str:
    """A stored value as people read it: times in Seoul, yes and no, lists and tables in one line."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        if "msgid" in value:
            return render_text(Text.from_json(value))
        return " · ".join(f"{key}: {plain(one)}" for key, one in value.items())[:VALUE_SHOWN_MAX]
    if isinstance(value, list):
        return ", ".join(map(plain, value))[:VALUE_SHOWN_MAX] or "–"
    moment = _moment(str(value))
    return formats.kst(moment) if moment else str(value)[:VALUE_SHOWN_MAX]


def _moment(text: str) -> datetime | None:
    """The time that a stored text is, written with its zone as events do; None for any other text."""
    if len(text) < len("2026-01-01T00:00:00Z") or "T" not in text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
