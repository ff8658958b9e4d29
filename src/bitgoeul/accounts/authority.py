"""One ``may()`` with reasons over the verbs that the rooms register."""

from __future__ import annotations

from dataclasses import replace

from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotAllowed, NotFound
from bitgoeul.kernel.text import N_, Text

from .errors import REFUSALS, ElevationNeeded, ScopeMissing, SecondFactorNeeded
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


def scopes() -> tuple[str, ...]:
    """Every scope that some registered verb needs, by name."""
    return tuple(sorted({verb.scope for verb in _verbs.values() if not verb.any_token}))


def may(*, actor: Actor, verb: str, thing: Thing) -> Decision:
    """May ``actor`` do ``verb`` to ``thing``, and why. An unregistered verb is a programming error (KeyError).

    A refusal that the person can lift carries the code of its error: a second factor, a scope, an elevation.
    """
    entry = _verbs[verb]
    if entry.kind != thing.kind:
        raise ValueError(f"{verb} acts on a {entry.kind}, not on a {thing.kind}")
    if actor.is_system:
        return Decision(True, Text(N_("The platform itself does this.")))
    decision = _decide(actor, entry, thing)
    if not decision.allowed:
        resting = _resting(actor, entry, thing)
        return decision if resting is None else resting
    if not (entry.any_token or actor.has_scope(entry.scope)):
        text = Text(N_("This token lacks the scope “{scope}”."), {"scope": entry.scope})
        return Decision(False, text, ScopeMissing.code)
    if entry.elevated and not (actor.elevation and actor.elevation.covers(verb, now())):
        return Decision(
            False, Text(N_("This needs a timed elevation, asked for with a reason.")), ElevationNeeded.code
        )
    return decision


def _decide(actor: Actor, entry: Verb, thing: Thing) -> Decision:
    decided = entry.rule(actor, thing) if entry.rule else None
    return decided if decided is not None else _by_roles(actor, entry, thing)


def _resting(actor: Actor, entry: Verb, thing: Thing) -> Decision | None:
    """The refusal of somebody whose operator role would allow it if it did not rest; None when it would not."""
    if not actor.withheld_roles:
        return None
    roles = actor.operator_roles | actor.withheld_roles
    if not _decide(replace(actor, operator_roles=roles), entry, thing).allowed:
        return None
    text = Text(N_("Your role at the operator works only after signing in with a second factor."))
    return Decision(False, text, SecondFactorNeeded.code)


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


REMEDIES = {
    SecondFactorNeeded.code: Text(
        N_("Set up a passkey or an authenticator app on the page “My account”, then sign in with it.")
    ),
    ElevationNeeded.code: Text(N_("Ask for it on the page “Elevation”; it lasts at most an hour.")),
    ScopeMissing.code: Text(N_("Make a token with this scope on the page “My account”.")),
}


def require(*, actor: Actor, verb: str, thing: Thing) -> None:
    """Go on only when ``actor`` may.

    Raises NotFound when the actor may not even see the thing, so that a refusal does not tell that it exists;
    otherwise NotAllowed with the reason.
    """
    decision = may(actor=actor, verb=verb, thing=thing)
    if decision.allowed:
        return
    view = _view_verb(verb, thing)
    seen = may(actor=actor, verb=view, thing=thing) if view else Decision(True, decision.reason)
    # What the person can lift themselves is said; who may not know of the thing has nothing to lift.
    for found in (decision, seen):
        if found.code:
            raise REFUSALS[found.code](found.reason, remedy=REMEDIES[found.code])
    if not seen.allowed:
        raise NotFound()
    raise NotAllowed(decision.reason)


def _view_verb(verb: str, thing: Thing) -> str | None:
    """The verb that decides whether the thing exists for an actor: the room's own, or for a project accounts'."""
    own = f"{verb.split('.', 1)[0]}.view_{thing.kind}"
    if own in _verbs:
        return own
    return "accounts.view_project" if thing.kind == "project" else None
