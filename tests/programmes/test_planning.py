"""Questions and the plan: pure."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitgoeul.programmes.errors import BadAnswer
from bitgoeul.programmes.planning import plan
from bitgoeul.programmes.questions import QUESTIONS, check_answers

from .conftest import NOON, standing

CALLS = [standing("quick-start"), standing("campus")]
ANSWERS = st.fixed_dictionaries(
    {}, optional={q.code: st.sampled_from([o.value for o in q.options]) for q in QUESTIONS}
)


def test_there_are_seven_short_questions_with_distinct_choices():
    assert len(QUESTIONS) == 7
    for question in QUESTIONS:
        values = [str(option.value) for option in question.options]
        assert len(values) == len(set(values)) <= 7
        assert len(question.text.msgid) <= 60


def test_answers_of_a_form_become_typed(answers):
    assert check_answers({code: str(value) for code, value in answers.items()}) == answers


@pytest.mark.parametrize("bad", [{"core_hours": "3"}, {"colour": "red"}, {"based_in": ""}, {"based_in": None}])
def test_an_answer_that_is_no_choice_is_refused_with_the_choices(bad):
    with pytest.raises(BadAnswer) as caught:
        check_answers(bad)
    assert caught.value.field in bad
    assert caught.value.remedy


def test_the_smallest_tier_that_covers_the_need_is_chosen(calls, answers):
    made = plan(answers, calls, NOON)
    assert (made.best.call.body.code, made.best.tier.code) == ("quick-start", "first")
    assert made.resources[0].amount == 2 * 3_600_000
    more = plan({**answers, "core_hours": 100}, calls, NOON)
    assert more.best.tier.code == "series"
    assert more.fee.due_krw == 100_000


def test_a_university_is_led_to_its_own_call(calls, answers):
    made = plan({**answers, "organisation_kind": "UNIVERSITY"}, calls, NOON)
    assert made.best.call.body.code == "campus"


def test_a_plan_is_dated_in_working_days(calls, answers):
    steps = {step.code: step.day for step in plan(answers, calls, NOON).steps}
    assert steps["apply"] == steps["decision"] == date(2026, 11, 24)
    assert steps["allocation"] == date(2026, 11, 27)
    assert steps["end"] == date(2026, 12, 27)


def test_what_is_missing_is_said_with_its_remedy(calls, answers):
    made = plan({**answers, "have_now": "other_file", "needed_within_days": 1}, calls, NOON)
    assert {"onnx", "late"} <= {lack.code for lack in made.missing}
    unregistered = plan({**answers, "organisation_kind": "none"}, calls, NOON)
    assert unregistered.best is None
    register = next(lack for lack in unregistered.missing if lack.code == "register")
    assert register.link == "organisation"


def test_an_idea_is_told_what_would_make_it_fit(calls, answers):
    made = plan({**answers, "have_now": "idea"}, calls, NOON)
    assert made.best is None
    assert "runnable" in {lack.code for lack in made.missing}


def test_no_open_call_is_said(answers):
    assert [lack.code for lack in plan(answers, [], NOON).missing] == ["no_call"]
    closed = plan(answers, [standing()], standing().body.closes_at)
    assert closed.best is None


def test_too_little_on_offer_is_said(answers):
    campus = [standing("campus")]
    made = plan({**answers, "organisation_kind": "INSTITUTE", "core_hours": 100}, campus, NOON)
    assert made.best.tier.code == "lab"
    assert made.resources[0].amount == made.best.tier.resources[0].cap
    assert "too_small" in {lack.code for lack in made.missing}


@settings(max_examples=200)
@given(ANSWERS)
def test_every_mixture_of_answers_gives_a_plan(answers):
    made = plan(answers, CALLS, NOON)
    assert made.best is None or made.best.fits is not False
    assert made.best is not None or made.missing
    assert [step.day for step in made.steps] == sorted(step.day for step in made.steps)
    unanswered = any(lack.code == "answers" for lack in made.missing)
    assert unanswered == (len(answers) < 7)


def test_every_complete_answer_ends_in_a_tier_or_in_a_reason():
    for kind, have, hours in product(*([o.value for o in QUESTIONS[i].options] for i in (0, 3, 4))):
        made = plan({"organisation_kind": kind, "have_now": have, "core_hours": hours}, CALLS, NOON)
        assert made.best or made.missing
