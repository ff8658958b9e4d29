"""The pure rules of the room: conditions, fees, what a tier gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import ValidationError

from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.quantity import divide_half_up
from bitgoeul.kernel.text import N_, Text

from .errors import BadCall, PathNotSupported
from .types import (
    CallBody,
    Condition,
    DecisionPath,
    Facts,
    Fee,
    Operator,
    Reason,
    ResourceAmount,
    Rule,
    Scalar,
    Tier,
    TierResource,
    Words,
)

PATHS = frozenset({DecisionPath.RULE, DecisionPath.STAFF})
"""The ways of deciding that this installation has."""


def parse_call(data: Mapping[str, object]) -> CallBody:
    """Read a call; raises BadCall naming the place, PathNotSupported when a tier cannot be decided here."""
    try:
        body = CallBody.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "call"
        raise BadCall(
            N_("The call cannot be read at “{place}”: {problem}."),
            field=place,
            place=place,
            problem=str(first["msg"]),
            remedy=Text(N_("Correct the data of the call and load it again.")),
        ) from error
    for tier in body.tiers:
        if tier.decision not in PATHS:
            raise PathNotSupported(
                N_("Tier “{tier}” is to be decided by “{path}”, which this installation cannot do."),
                field=f"tiers.{tier.code}.decision",
                tier=tier.code,
                path=tier.decision.value,
                remedy=Text(N_("Use one of: {paths}."), {"paths": ", ".join(sorted(PATHS))}),
            )
    return body


def call_json(body: CallBody) -> dict[str, object]:
    """The canonical data of a call, times in RFC 3339; ``parse_call`` reads it back."""
    return body.model_dump(mode="json")


def rules_digest(tier: Tier) -> str:
    """The SHA-256 of the rules and caps by which a tier is decided."""
    return digest(tier.model_dump(mode="json", include={"code", "decision", "rules", "resources"}))


def fact_of(facts: Facts, path: str) -> object:
    """The fact at ``group.name``; None when it is not known."""
    group, name = path.split(".", 1)
    return facts.get(group, {}).get(name)


def holds(condition: Condition, facts: Facts) -> bool | None:
    """Whether the condition holds; None when its fact is unknown or of a kind that cannot be compared."""
    fact, value = fact_of(facts, condition.field), condition.value
    present = fact is not None and fact != ""
    if condition.operator is Operator.PRESENT:
        return present == bool(value)
    if not present:
        return None
    if isinstance(value, tuple):
        inside = any(_same(fact, item) for item in value)
        return inside == (condition.operator is Operator.IN)
    if condition.operator in {Operator.EQUAL, Operator.NOT_EQUAL}:
        return _same(fact, value) == (condition.operator is Operator.EQUAL)
    if isinstance(fact, bool) or not isinstance(fact, int) or not isinstance(value, int):
        return None
    return fact <= value if condition.operator is Operator.AT_MOST else fact >= value


def _same(left: object, right: Scalar) -> bool:
    # In Python True == 1; a yes is not the number one.
    return type(left) is type(right) and left == right


def evaluate(rules: Iterable[Rule], facts: Facts) -> tuple[Reason, ...]:
    """What each rule says of the facts, in order, as a sentence."""
    return tuple(_reason(rule, facts) for rule in rules)


def _reason(rule: Rule, facts: Facts) -> Reason:
    passed = holds(rule, facts)
    words = rule.passed if passed else rule.failed
    value = fact_of(facts, rule.field)
    shown = "—" if value is None else str(value)
    filled = Words(ko=words.ko.replace("{value}", shown), en=words.en.replace("{value}", shown))
    return Reason(rule.code, passed, filled)


def caps(body: CallBody, tier: Tier, requested: Mapping[str, int]) -> tuple[Reason, ...]:
    """For each resource of the tier: is the request within its cap?"""
    return tuple(
        _cap(body, line, requested[line.resource]) for line in tier.resources if line.resource in requested
    )


def _cap(body: CallBody, line: TierResource, amount: int) -> Reason:
    within = amount <= line.cap
    words = body.caps.passed if within else body.caps.failed

    def filled(text: str, language: str) -> str:
        cap = f"{line.shown.count(line.cap)} {line.shown.label.in_language(language)}"
        return text.replace("{resource}", line.label.in_language(language)).replace("{cap}", cap)

    return Reason(f"cap-{line.resource}", within, Words(ko=filled(words.ko, "ko"), en=filled(words.en, "en")))


def conclude(reasons: Iterable[Reason]) -> bool | None:
    """True when all passed, False when one refused, None when none refused but one is unknown."""
    verdicts = {reason.passed for reason in reasons}
    return False if False in verdicts else None if None in verdicts else True


def fee_of(tier: Tier, facts: Facts) -> Fee:
    """The fee after the best discount that holds; discounts are never added. Whole KRW, rounded half up."""
    best = max(
        (discount for discount in tier.discounts if holds(discount.when, facts)),
        key=lambda discount: discount.percent,
        default=None,
    )
    percent = best.percent if best else 0
    return Fee(
        tier.fee_krw, percent, divide_half_up(tier.fee_krw * (100 - percent), 100), best.label if best else None
    )


def suggest(tier: Tier, answers: Mapping[str, Scalar]) -> tuple[ResourceAmount, ...]:
    """What to ask for: the need that the answers state, at most the cap, else the tier's default."""
    return tuple(
        _amount(line, min(line.cap, _need(answers, line.amount_per)))
        if line.scales_with and _need(answers, line.amount_per)
        else _amount(line, line.default)
        for line in tier.resources
    )


def _amount(line: TierResource, amount: int) -> ResourceAmount:
    return ResourceAmount(line.resource, line.unit, line.label, line.shown, amount)


def amounts_of(tier: Tier, requested: Mapping[str, int]) -> tuple[ResourceAmount, ...]:
    """The requested amounts with the tier's words for them, in the tier's order."""
    return tuple(_amount(line, requested[line.resource]) for line in tier.resources if line.resource in requested)


def _need(answers: Mapping[str, Scalar], amount_per: int) -> int:
    hours = answers.get("core_hours", 0)
    return hours * amount_per if isinstance(hours, int) else 0


def is_enough(tier: Tier, answers: Mapping[str, Scalar]) -> bool:
    """True when the tier's caps cover the need that the answers state."""
    return all(_need(answers, line.amount_per) <= line.cap for line in tier.resources if line.scales_with)


def check_requested(tier: Tier, requested: Mapping[str, object]) -> dict[str, int]:
    """A whole positive amount for each resource of the tier, those left out at their default.

    Raises BadInput for a resource the tier does not have. An amount above the cap is kept: the decision refuses it
    and says so.
    """
    lines = {line.resource: line for line in tier.resources}
    amounts = {code: line.default for code, line in lines.items()}
    for code, amount in requested.items():
        if code not in lines:
            raise BadInput(
                N_("This tier does not give “{resource}”."),
                field="requested",
                resource=code,
                remedy=Text(N_("Choose one of: {values}."), {"values": ", ".join(lines)}),
            )
        if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount < 2**53:
            raise BadInput(
                N_("Ask for a whole amount above zero of “{resource}”."), field=f"requested_{code}", resource=code
            )
        amounts[code] = amount
    return amounts


def check_fields(body: CallBody, given: Mapping[str, object], *, complete: bool) -> dict[str, Scalar]:
    """The checked values of the call's own fields; with ``complete`` every required one must be there."""
    known = {field.code: field for field in body.fields}
    for code in given:
        if code not in known:
            raise BadInput(N_("This call has no field “{code}”."), field=code, code=code)
    checked: dict[str, Scalar] = {}
    for code, field in known.items():
        value = given.get(code)
        if value is None or value == "":
            if complete and field.required:
                raise BadInput(N_("This is required: fill it in."), field=code, detail={"label": str(field.label)})
            continue
        checked[code] = _field_value(
            code, field.kind, value, [choice.value for choice in field.choices], field.length_max
        )
    return checked


def _field_value(code: str, kind: str, value: object, choices: list[str], length_max: int) -> Scalar:
    if kind == "yes_no":
        if not isinstance(value, bool):
            raise BadInput(N_("Answer yes or no."), field=code)
        return value
    if not isinstance(value, str):
        raise BadInput(N_("Write a text here."), field=code)
    if kind == "choice" and value not in choices:
        raise BadInput(
            N_("This answer is not one of the choices."),
            field=code,
            remedy=Text(N_("Choose one of: {values}."), {"values": ", ".join(choices)}),
        )
    if len(value) > length_max:
        raise BadInput(N_("This text may have at most {limit} characters."), field=code, limit=length_max)
    return value.strip()


def closing(body: CallBody, tier: Tier | None = None) -> datetime:
    """When a tier stops taking applications: its own deadline or the call's, whichever comes first."""
    return min(body.closes_at, tier.deadline) if tier and tier.deadline else body.closes_at


def is_open(body: CallBody, now: datetime, tier: Tier | None = None) -> bool:
    """True from the opening up to, not including, the closing."""
    return body.opens_at <= now < closing(body, tier)
