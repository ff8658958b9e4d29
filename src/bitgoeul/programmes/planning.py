"""From seven answers to a dated plan: pure, so that it can be had offline as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bitgoeul.kernel.text import N_, Text

from . import rules
from .questions import BY_CODE
from .types import Document, Facts, Missing, OpenCall, Plan, Scalar, Step, Tier, TierFit
from .workdays import add_working_days, seoul_day


def facts_of(answers: Mapping[str, Scalar]) -> dict[str, dict[str, object]]:
    """The facts that the answers alone give; an organisation's own record replaces them at application."""
    kind = answers.get("organisation_kind")
    organisation: dict[str, object] = {} if kind is None else {"registered": kind != "none"}
    if kind not in (None, "none"):
        organisation["kind"] = kind
    return {"answers": dict(answers), "organisation": organisation, "fields": {}, "requested": {}}


def fit(call: OpenCall, tier: Tier, answers: Mapping[str, Scalar]) -> TierFit:
    """How one tier fits: rules on fields of the form, not yet filled in, do not count here."""
    asked = [rule for rule in tier.rules if not rule.field.startswith(("fields.", "requested."))]
    reasons = rules.evaluate(asked, facts_of(answers))
    return TierFit(call, tier, rules.conclude(reasons), rules.is_enough(tier, answers), reasons)


def plan(answers: Mapping[str, Scalar], calls: Sequence[OpenCall], now: datetime) -> Plan:
    """The smallest tier that fits and covers the need, else the largest that fits; with dates and what is missing.

    ``answers`` are checked ones and may be incomplete; ``calls`` the calls as they stand; ``now`` aware.
    """
    fits = tuple(
        fit(call, tier, answers)
        for call in calls
        for tier in call.body.tiers
        if rules.is_open(call.body, now, tier)
    )
    best = _best(fits)
    if best is None:
        return Plan(None, fits, (), None, (), (), _missing(answers, None, fits, ()))
    facts = facts_of(answers)
    documents = tuple((document, _have(document, facts)) for document in best.tier.documents)
    steps = _steps(best.tier, best.call, now)
    late = _late(answers, steps, now)
    return Plan(
        best,
        fits,
        rules.suggest(best.tier, answers),
        rules.fee_of(best.tier, facts),
        documents,
        steps,
        (*_missing(answers, best, fits, documents), *late),
    )


def _best(fits: Sequence[TierFit]) -> TierFit | None:
    possible = [one for one in fits if one.fits is not False]
    covering = [one for one in possible if one.enough]
    if covering:
        return min(covering, key=lambda one: (one.fits is not True, _size(one)))
    return max(possible, key=_size, default=None)


def _size(one: TierFit) -> tuple[int, int]:
    # Only computing is compared: amounts of different units have no common size.
    return max((line.cap for line in one.tier.resources if line.scales_with), default=0), one.tier.duration_days


def _have(document: Document, facts: Facts) -> bool | None:
    return rules.holds(document.have_when, facts) if document.have_when else None


def _steps(tier: Tier, call: OpenCall, now: datetime) -> tuple[Step, ...]:
    today = seoul_day(now)
    signed = add_working_days(today, tier.sign_within_working_days)
    closes = seoul_day(rules.closing(call.body, tier))
    return (
        Step(
            "apply",
            Text(N_("Apply")),
            today,
            Text(N_("Takes about ten minutes. The call is open until {day}."), {"day": closes.isoformat()}),
        ),
        Step("decision", Text(N_("Decision")), today, Text(N_("Rules decide at once; the reasons are shown."))),
        Step(
            "agreement",
            Text(N_("Agreement")),
            signed,
            Text(
                N_("Both sides sign in the portal, at the latest within {days} working days."),
                {"days": tier.sign_within_working_days},
            ),
        ),
        Step(
            "allocation", Text(N_("Allocation")), signed, Text(N_("Granted with the second signature, at once."))
        ),
        Step(
            "end",
            Text(N_("End of use")),
            signed + timedelta(days=tier.duration_days),
            Text(
                N_("The allocation runs for {days} days from the second signature."), {"days": tier.duration_days}
            ),
        ),
    )


def _late(answers: Mapping[str, Scalar], steps: Sequence[Step], now: datetime) -> tuple[Missing, ...]:
    within = answers.get("needed_within_days")
    ready = next(step.day for step in steps if step.code == "allocation")
    if not isinstance(within, int) or (ready - seoul_day(now)).days <= within:
        return ()
    return (
        Missing(
            "late",
            Text(
                N_("Counted with the longest time for signing, you start on {day}, later than you wish."),
                {"day": ready.isoformat()},
            ),
            Text(N_("Sign your side today; it then waits first in the operator's list.")),
        ),
    )


def _missing(
    answers: Mapping[str, Scalar],
    best: TierFit | None,
    fits: Sequence[TierFit],
    documents: Sequence[tuple[Document, bool | None]],
) -> tuple[Missing, ...]:
    lacks: list[Missing] = []
    open_questions = [code for code in BY_CODE if code not in answers]
    if open_questions:
        lacks.append(
            Missing(
                "answers",
                Text(N_("{count} questions are not answered yet."), {"count": len(open_questions)}),
                Text(N_("Answer them; the plan becomes exact.")),
                "start",
            )
        )
    if not fits:
        lacks.append(
            Missing(
                "no_call",
                Text(N_("No call is open at the moment.")),
                Text(N_("See the list of calls for what opens next.")),
                "calls",
            )
        )
    elif best is None:
        nearest = min(fits, key=lambda one: sum(reason.passed is False for reason in one.reasons))
        lacks += [Missing(reason.code, reason.text) for reason in nearest.reasons if reason.passed is False]
    elif not best.enough:
        lacks.append(
            Missing(
                "too_small",
                Text(N_("No open tier covers all the computing you need.")),
                Text(N_("Start with this one; what you measure first tells how much more you need.")),
            )
        )
    if answers.get("organisation_kind") == "none":
        lacks.append(
            Missing(
                "register",
                Text(N_("You need a business registration number (ten digits).")),
                Text(N_("Register at the tax office or in Hometax, then add your organisation here.")),
                "organisation",
            )
        )
    lacks += [
        Missing(document.code, document.label, document.remedy) for document, have in documents if have is False
    ]
    return tuple(lacks)
