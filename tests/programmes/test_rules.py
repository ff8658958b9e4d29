"""Calls as data, conditions, fees, caps: pure."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.errors import BadInput
from bitgoeul.programmes import rules
from bitgoeul.programmes.agreements import check_template, digest_of, render
from bitgoeul.programmes.errors import BadCall, PathNotSupported
from bitgoeul.programmes.types import Agreement, Condition, Discount, Operator, Words

from .conftest import NOON, call_data

FACTS = {"answers": {"core_hours": 5, "based_in": "gwangju"}, "organisation": {"registered": True}, "fields": {}}


def condition(field, operator, value=True):
    return Condition(field=field, operator=operator, value=value)


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("answers.based_in", "equal", "gwangju", True),
        ("answers.based_in", "not_equal", "gwangju", False),
        ("answers.based_in", "in", ["capital", "gwangju"], True),
        ("answers.based_in", "not_in", ["capital"], True),
        ("answers.core_hours", "at_most", 5, True),
        ("answers.core_hours", "at_most", 4, False),
        ("answers.core_hours", "at_least", 6, False),
        ("organisation.registered", "equal", True, True),
        ("organisation.registered", "equal", 1, False),
        ("organisation.registered", "at_least", 1, None),
        ("answers.based_in", "at_most", 5, None),
        ("fields.purpose", "equal", "x", None),
        ("fields.purpose", "present", True, False),
        ("fields.purpose", "present", False, True),
        ("answers.based_in", "present", True, True),
    ],
)
def test_a_condition_holds_fails_or_is_unknown(field, operator, value, expected):
    assert rules.holds(condition(field, operator, value), FACTS) is expected


@given(st.sampled_from(list(Operator)), st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)))
def test_any_fact_can_be_compared_without_failing(operator, fact):
    value = [1, "a"] if operator in {Operator.IN, Operator.NOT_IN} else 3
    result = rules.holds(condition("answers.core_hours", operator, value), {"answers": {"core_hours": fact}})
    assert result in (True, False, None)
    if fact is None and operator is not Operator.PRESENT:
        assert result is None


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_at_most_and_at_least_are_the_usual_comparisons(fact, limit):
    facts = {"answers": {"core_hours": fact}}
    assert rules.holds(condition("answers.core_hours", "at_most", limit), facts) is (fact <= limit)
    assert rules.holds(condition("answers.core_hours", "at_least", limit), facts) is (fact >= limit)


def test_every_rule_gives_a_reason_in_both_languages(body, answers):
    tier = body.tiers[0]
    facts = {
        "answers": answers,
        "organisation": {"registered": True, "kind": "UNIVERSITY"},
        "fields": {"purpose": "p", "model_licence": "own"},
    }
    reasons = rules.evaluate(tier.rules, facts)
    assert [reason.code for reason in reasons] == [rule.code for rule in tier.rules]
    refused = {reason.code: reason.text for reason in reasons if reason.passed is False}
    assert list(refused) == ["company"]
    assert "기업만" in refused["company"].ko
    assert "companies only" in refused["company"].en
    assert rules.conclude(reasons) is False


def test_an_unknown_fact_is_neither_passed_nor_refused(body, answers):
    reasons = rules.evaluate(body.tiers[0].rules, {"answers": answers, "organisation": {}, "fields": {}})
    assert rules.conclude(reason for reason in reasons if reason.passed is not False) is None


def test_the_value_is_written_into_the_sentence(body):
    rule = body.tiers[0].rules[0].model_copy(update={"failed": Words(ko="값 {value}", en="value {value}")})
    (reason,) = rules.evaluate([rule], {"organisation": {"registered": False}})
    assert reason.text.en == "value False"


def test_a_request_above_the_cap_is_refused_in_words(body):
    tier = body.tiers[0]
    cap = tier.resources[0].cap
    fine, bad = rules.caps(body, tier, {"cpu-core": cap}), rules.caps(body, tier, {"cpu-core": cap + 1})
    assert rules.conclude(fine) is True
    assert rules.conclude(bad) is False
    assert bad[0].text.ko.startswith("CPU 코어 시간 신청량이 한도(10 코어·시간)를 넘습니다.")


@given(st.integers(0, 10**12), st.lists(st.integers(1, 100), max_size=4))
def test_the_best_discount_counts_and_discounts_are_never_added(fee, percents):
    when = condition("answers.based_in", "equal", "gwangju")
    tier = (
        rules.parse_call(call_data())
        .tiers[0]
        .model_copy(
            update={
                "fee_krw": fee,
                "discounts": tuple(
                    Discount(code=f"d{i}", label=Words(ko="가", en="a"), percent=p, when=when)
                    for i, p in enumerate(percents)
                ),
            }
        )
    )
    result = rules.fee_of(tier, FACTS)
    best = max(percents, default=0)
    assert result.percent == best
    assert abs(result.due_krw * 100 - fee * (100 - best)) <= 50
    assert 0 <= result.due_krw <= fee


def test_half_the_fee_for_a_company_based_in_gwangju(body):
    series = body.tier("series")
    assert rules.fee_of(series, FACTS).due_krw == 100_000
    elsewhere = {"answers": {"based_in": "capital"}, "fields": {"young_founder": False}}
    assert rules.fee_of(series, elsewhere).due_krw == 200_000


@given(st.sampled_from([0, 2, 10, 100]))
def test_a_suggestion_stays_within_the_cap(hours):
    for tier in rules.parse_call(call_data()).tiers:
        for amount, line in zip(rules.suggest(tier, {"core_hours": hours}), tier.resources, strict=True):
            assert 0 < amount.amount <= line.cap


def test_amounts_are_shown_in_the_size_people_ask_for(body):
    shown = body.tiers[0].resources[0].shown
    assert [shown.count(amount) for amount in (3_600_000, 5_400_000, 36_000_000_000)] == ["1", "1.5", "10,000"]


def broken(change):
    data = copy.deepcopy(call_data())
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d.pop("title"), "title"),
        (lambda d: d.update(colour="red"), "colour"),
        (lambda d: d.update(closes_at="2026-01-01T00:00:00Z"), "call"),
        (lambda d: d.update(opens_at="2026-11-02T00:00:00"), "opens_at"),
        (lambda d: d["tiers"][0].update(duration_days="30"), "tiers.0.duration_days"),
        (lambda d: d["tiers"][0]["resources"][0].update(cap=0), "tiers.0.resources.0.cap"),
        (lambda d: d["tiers"][0]["resources"][0].update(default=10**10), "tiers.0.resources.0"),
        (lambda d: d["tiers"][0]["rules"][0].update(operator="resembles"), "tiers.0.rules.0.operator"),
        (lambda d: d["tiers"][0]["rules"][0].update(field="__class__.x"), "tiers.0.rules.0.field"),
        (lambda d: d["tiers"][0]["rules"][0].update(operator="in"), "tiers.0.rules.0"),
        (lambda d: d["tiers"].append(d["tiers"][0]), "call"),
    ],
)
def test_a_bad_call_is_refused_with_its_place(change, place):
    with pytest.raises(BadCall) as caught:
        rules.parse_call(broken(change))
    assert caught.value.field == place
    assert caught.value.remedy


def test_a_tier_that_a_panel_decides_is_refused_clearly():
    with pytest.raises(PathNotSupported) as caught:
        rules.parse_call(broken(lambda d: d["tiers"][1].update(decision="panel")))
    assert "series" in str(caught.value)
    assert "rule" in str(caught.value.remedy)


def test_a_call_read_back_is_the_same_call(body):
    again = rules.parse_call(rules.call_json(body))
    assert again == body
    assert digest(rules.call_json(again)) == digest(rules.call_json(body))


def test_the_digest_of_rules_moves_with_rules_and_caps_only(body):
    tier = body.tiers[0]
    assert rules.rules_digest(tier) == rules.rules_digest(tier.model_copy(update={"fee_krw": 5}))
    assert rules.rules_digest(tier) != rules.rules_digest(tier.model_copy(update={"rules": tier.rules[1:]}))


def test_a_tier_closes_at_its_own_deadline(body):
    early = body.tiers[0].model_copy(update={"deadline": NOON})
    assert not rules.is_open(body, NOON, early)
    assert rules.is_open(body, NOON, body.tiers[1])
    assert not rules.is_open(body, body.closes_at)


def test_requested_amounts_are_checked(body):
    tier = body.tiers[0]
    assert rules.check_requested(tier, {}) == {"cpu-core": 18_000_000, "software-target": 7_200_000}
    for bad in ({"gpu": 1}, {"cpu-core": 0}, {"cpu-core": "5"}, {"cpu-core": True}, {"cpu-core": 2**60}):
        with pytest.raises(BadInput):
            rules.check_requested(tier, bad)


def test_fields_of_the_form_are_checked(body):
    good = {"purpose": " why ", "model_licence": "own"}
    assert rules.check_fields(body, good, complete=True) == {"purpose": "why", "model_licence": "own"}
    assert rules.check_fields(body, {}, complete=False) == {}
    bad = [
        {"purpose": ""},
        {"purpose": "x" * 1001, "model_licence": "own"},
        {"purpose": "x", "model_licence": "stolen"},
        {**good, "young_founder": "yes"}, {**good, "resident_number": "1"},
    ]  # fmt: skip
    for given_fields in bad:
        with pytest.raises(BadInput) as caught:
            rules.check_fields(body, given_fields, complete=True)
        assert caught.value.field


TEMPLATE = Agreement(
    title=Words(ko="협약", en="Agreement"), text_ko="{organisation} 님", text_en="To {organisation}"
)


def test_an_agreement_is_filled_once_and_keeps_braces_of_the_applicant():
    text = render(TEMPLATE, {"organisation": "{fee}"}, {"organisation": "A"})
    assert "{fee} 님" in text
    assert text.endswith("To A\n")
    assert digest_of(text) != digest_of(text + " ")


def test_a_template_with_an_unknown_fact_is_refused():
    with pytest.raises(BadCall) as caught:
        check_template(TEMPLATE.model_copy(update={"text_en": "{secret}"}))
    assert caught.value.field == "agreement.text_en"
