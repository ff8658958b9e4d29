"""One ``may()`` with reasons over the verbs that the rooms register."""

from __future__ import annotations

from bitgoeul.kernel.errors import NotAllowed, NotFound
from bitgoeul.kernel.text import N_, Text

from .types import Actor, Decision, Thing, Verb

_verbs: dict[str, Verb] = {}


def register_verb(verb: Verb) -> None:
    """Add a verb; the same name twice with another meaning is a programming error."""
    known = _verbs.setdefault(verb.name, verb)
    if known != verb:
        raise ValueError(f"the verb {verb.name} is registered twice")


def verbs() -> tuple[Verb, ...]:
    """Every registered verb, by name."""
    return tuple(_verbs[name] for name in sorted(_verbs))


def may(*, actor: Actor, verb: str, thing: Thing) -> Decision:
    """May ``actor`` do ``verb`` to ``thing``, and why. An unregistered verb is a programming error (KeyError)."""
    entry = _verbs[verb]
    if entry.kind != thing.kind:
        raise ValueError(f"{verb} acts on a {entry.kind}, not on a {thing.kind}")
    if actor.is_system:
        return Decision(True, Text(N_("The platform itself does this.")))
    if actor.read_only and not entry.reads:
        return Decision(False, Text(N_("This token may only read.")))
    decided = entry.rule(actor, thing) if entry.rule else None
    return decided if decided is not None else _by_roles(actor, entry, thing)


def _by_roles(actor: Actor, verb: Verb, thing: Thing) -> Decision:
    if verb.public and thing.public:
        return Decision(True, Text(N_("It is public.")))
    if not actor.is_signed_in:
        return Decision(False, Text(N_("Sign in first.")))
    if verb.signed_in:
        return Decision(True, Text(N_("Anybody signed in may.")))
    if verb.operator_roles & actor.operator_roles:
        return Decision(True, Text(N_("Your role at the operator allows it.")))
    if thing.project_id and actor.project_roles.get(thing.project_id) in verb.project_roles:
        return Decision(True, Text(N_("Your role in the project allows it.")))
    if thing.organisation_id and actor.organisation_roles.get(thing.organisation_id) in verb.organisation_roles:
        return Decision(True, Text(N_("Your role in the organisation allows it.")))
    return Decision(False, _refusal(actor, verb, thing))


def _refusal(actor: Actor, verb: Verb, thing: Thing) -> Text:
    if thing.project_id and thing.project_id in actor.project_roles:
        return Text(N_("Your role in the project does not allow it; ask its owner or a manager."))
    if actor.is_operator:
        return Text(N_("Your role at the operator does not allow it."))
    if verb.operator_roles and not (verb.project_roles or verb.organisation_roles):
        return Text(N_("Only the operator may do this."))
    return Text(N_("Only people of the project or organisation may do this."))


def require(*, actor: Actor, verb: str, thing: Thing) -> None:
    """Go on only when ``actor`` may.

    Raises NotFound when the actor may not even see the thing, so that a refusal does not tell that it exists;
    otherwise NotAllowed with the reason.
    """
    decision = may(actor=actor, verb=verb, thing=thing)
    if decision.allowed:
        return
    view = _view_verb(verb, thing)
    if view and not may(actor=actor, verb=view, thing=thing).allowed:
        raise NotFound()
    raise NotAllowed(decision.reason)


def _view_verb(verb: str, thing: Thing) -> str | None:
    """The verb that decides whether the thing exists for an actor: the room's own, or for a project accounts'."""
    own = f"{verb.split('.', 1)[0]}.view_{thing.kind}"
    if own in _verbs:
        return own
    return "accounts.view_project" if thing.kind == "project" else None
