"""Figures and indicators as data, and what counts: pure."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitgoeul.kernel.ids import new_id
from bitgoeul.outcomes import rules
from bitgoeul.outcomes.rules import BadFigures
from bitgoeul.outcomes.types import EvidenceFacts, FigureView

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "gwangju"
FIGURES = json.loads((EXAMPLES / "reported_figures.json").read_text())
INDICATORS = json.loads((EXAMPLES / "indicators.json").read_text())


def facts(**changes):
    known = {
        "digest": "a" * 64,
        "verdict": "PASSED",
        "visibility": "public",
        "protocol": "inference",
        "subject_digest": "b" * 64,
        "subject_version_id": new_id(),
        "project_id": new_id(),
        "organisation_id": new_id(),
        "trial_id": new_id(),
        "issued_at": datetime(2026, 11, 22, tzinfo=UTC),
    }
    return EvidenceFacts(**{**known, **changes})


RULE = rules.parse_indicators(INDICATORS).indicators[0].rule


def test_the_example_is_well_formed_and_has_six_figures_for_the_front_page():
    figures = rules.parse_figures(FIGURES).figures
    assert sum(figure.front for figure in figures) == 6
    for figure in figures:
        for report in figure.reports:
            assert report.source.ko
            assert report.as_of


def test_reports_that_disagree_are_kept_side_by_side():
    budget = next(one for one in rules.parse_figures(FIGURES).figures if one.code == "budget-phase-1")
    assert [report.value for report in budget.reports] == ["4,269", "4,116", "4,119"]


def test_the_first_report_heads_the_figure():
    data = rules.parse_figures(FIGURES).figures[0]
    assert FigureView(data.code, data.label, True, data.reports, None).reported == data.reports[0]
    assert FigureView("x", data.label, True, (), None).reported is None


def test_public_passed_evidence_of_the_protocol_counts():
    assert rules.counts(RULE, facts())


@given(
    st.sampled_from(["PASSED", "WARNED", "FAILED", "INVALID"]),
    st.sampled_from(["private", "named", "public"]),
    st.sampled_from(["inference", "driving"]),
)
def test_nothing_else_counts(verdict, visibility, protocol):
    counted = rules.counts(RULE, facts(verdict=verdict, visibility=visibility, protocol=protocol))
    assert counted == (verdict == "PASSED" and visibility == "public" and protocol == "inference")


def test_evidence_that_is_not_public_does_not_count():
    assert not rules.counts(RULE, None)


def test_a_changed_rule_has_another_digest():
    one, other, _ = rules.parse_indicators(INDICATORS).indicators
    assert rules.rule_digest(one) != rules.rule_digest(other)
    assert rules.rule_digest(one) == rules.rule_digest(one.model_copy())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d["indicators"][0]["rule"]["filter"].update(visibility="private"), "visibility"),
        (lambda d: d["indicators"][0]["rule"]["filter"].update(verdict="FAILED"), "verdict"),
        (lambda d: d["indicators"][0]["rule"].update(kind="sum"), "kind"),
        (lambda d: d["indicators"].append(d["indicators"][0]), "file"),
    ],
)
def test_a_rule_that_would_count_something_else_is_refused(change, place):
    data = copy.deepcopy(INDICATORS)
    change(data)
    with pytest.raises(BadFigures) as caught:
        rules.parse_indicators(data)
    assert caught.value.field.endswith(place)


@pytest.mark.parametrize("value", [88.5, "many", "1,00", "-5", ""])
def test_a_value_that_was_not_reported_as_a_number_is_refused(value):
    data = copy.deepcopy(FIGURES)
    data["figures"][0]["reports"][0]["value"] = value
    with pytest.raises(BadFigures):
        rules.parse_figures(data)


@pytest.mark.parametrize("as_of", ["yesterday", "2025-6", "2020-2024", ""])
def test_a_report_needs_a_date_or_period(as_of):
    data = copy.deepcopy(FIGURES)
    data["figures"][0]["reports"][0]["as_of"] = as_of
    with pytest.raises(BadFigures):
        rules.parse_figures(data)
