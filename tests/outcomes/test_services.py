"""Figures, indicators and claims that follow the evidence."""

from __future__ import annotations

import copy
import json
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import NotAllowed
from bitgoeul.kernel.ids import new_id
from bitgoeul.outcomes import facade
from bitgoeul.outcomes.models import Announced, ClaimChange, FigureVersion, IndicatorVersion, VerifiedClaim
from bitgoeul.outcomes.rules import BadFigures
from bitgoeul.trials import facade as trials

from .conftest import EXAMPLES

SYSTEM = accounts.Actor.system("test")
FIGURES = json.loads((EXAMPLES / "reported_figures.json").read_text())
INDICATORS = json.loads((EXAMPLES / "indicators.json").read_text())


def value(code="chip-trials"):
    return facade.figure(code).verified.value


class TestLoading:
    def test_loading_the_example_again_changes_nothing(self, loaded):
        before = FigureVersion.objects.count(), IndicatorVersion.objects.count()
        facade.load_example(actor=SYSTEM, directory=EXAMPLES)
        assert (FigureVersion.objects.count(), IndicatorVersion.objects.count()) == before

    def test_a_corrected_report_is_a_new_version_and_the_old_one_stays(self, loaded):
        data = copy.deepcopy(FIGURES)
        data["figures"][1]["reports"][0]["value"] = "2,250"
        assert facade.load_figures(actor=SYSTEM, data=data) == 1
        code = data["figures"][1]["code"]
        assert facade.figure(code).reported.value == "2,250"
        assert FigureVersion.objects.filter(code=code).count() == 2
        with pytest.raises(DatabaseError), transaction.atomic():
            FigureVersion.objects.filter(number=1).update(order=1)

    def test_an_indicator_of_no_figure_is_refused(self, loaded):
        data = copy.deepcopy(INDICATORS)
        data["indicators"][0]["figure"] = "nothing"
        with pytest.raises(BadFigures):
            facade.load_indicators(actor=SYSTEM, data=data)

    def test_only_staff_publish_figures(self, chan, staff):
        with pytest.raises(NotAllowed):
            facade.load_figures(actor=chan, data=FIGURES)
        assert facade.load_figures(actor=staff, data=FIGURES) == len(FIGURES["figures"])


class TestFigures:
    def test_six_figures_stand_on_the_front_page_in_order(self, loaded):
        front = facade.public_figures(front=True)
        assert len(front) == 6
        assert front[0].code == "chip-trials"

    def test_a_figure_without_a_rule_is_not_zero(self, loaded):
        assert facade.figure("compute").verified is None
        assert value() == 0

    def test_the_registers_are_never_added(self, loaded, issue, deliver):
        issue()
        deliver()
        view = facade.figure("chip-trials")
        assert (view.reported.value, view.verified.value) == ("10", 1)


class TestClaims:
    def test_public_passed_evidence_moves_its_figures_by_one(self, loaded, issue, deliver):
        evidence = issue()
        deliver()
        assert [value(code) for code in ("chip-trials", "supported-projects", "firms-served")] == [1, 1, 1]
        (claim,) = facade.claims(figure_code="chip-trials").items
        assert claim.evidence_digest == evidence.digest
        assert claim.rule_digest == facade.figure("chip-trials").verified.rule_digest

    def test_a_second_model_counts_as_a_model_not_as_a_project(self, loaded, issue, deliver):
        issue(), issue()
        deliver()
        assert (value("chip-trials"), value("supported-projects")) == (2, 1)

    def test_the_same_model_passed_twice_counts_once_until_neither_piece_holds(
        self, loaded, issue, deliver, owner
    ):
        first, second = issue(model=b"the same bytes"), issue(model=b"the same bytes")
        issue(model=b"others")
        deliver()
        assert value() == 2
        assert len(facade.claims(figure_code="chip-trials").items) == 3
        for evidence, left in ((first, 2), (second, 1)):
            trials.withdraw(actor=owner, digest=evidence.digest)
            deliver()
            assert value() == left

    def test_another_project_of_the_same_organisation_is_the_same_organisation(
        self, loaded, issue, deliver, organisation, ara
    ):
        other = accounts.create_project(
            actor=SYSTEM,
            id=new_id(),
            organisation_id=organisation.id,
            title="둘째 (예시)",
            owner_user_id=ara.user_id,
        )
        issue(), issue(project_id=other.id)
        deliver()
        assert (value("supported-projects"), value("firms-served")) == (2, 1)

    @pytest.mark.parametrize("outcome", [o for o in trials.Outcome if o is not trials.Outcome.PASSED])
    def test_what_did_not_pass_does_not_count(self, loaded, issue, deliver, outcome):
        issue(outcome=outcome)
        deliver()
        assert value() == 0
        assert not VerifiedClaim.objects.exists()

    def test_private_evidence_leaves_no_claim(self, loaded, issue, deliver):
        issue(visibility=trials.Visibility.PRIVATE)
        deliver()
        assert value() == 0
        assert not VerifiedClaim.objects.exists()

    def test_publishing_later_counts_and_withdrawing_takes_it_back(self, loaded, issue, deliver, owner):
        evidence = issue(visibility=trials.Visibility.PRIVATE)
        trials.publish(actor=owner, digest=evidence.digest)
        deliver()
        assert value() == 1
        trials.withdraw(actor=owner, digest=evidence.digest)
        deliver()
        assert value() == 0
        assert facade.claims(figure_code="chip-trials").items == []
        assert facade.withdrawn_count(figure_code="chip-trials") == 1
        trials.publish(actor=owner, digest=evidence.digest)
        deliver()
        assert value() == 1
        assert VerifiedClaim.objects.filter(figure="chip-trials").count() == 1

    def test_invalidated_evidence_does_not_count_any_more(self, loaded, issue, deliver):
        evidence = issue()
        deliver()
        trials.invalidate(actor=SYSTEM, digest=evidence.digest, reason="표본이 섞인 것을 나중에 알았습니다.")
        deliver()
        assert value() == 0
        assert not Announced.objects.filter(look_again=True).exists()

    def test_news_in_the_wrong_order_gives_the_same_figure(self, loaded, issue, deliver, owner):
        evidence = issue()
        trials.withdraw(actor=owner, digest=evidence.digest)
        trials.publish(actor=owner, digest=evidence.digest)
        deliver("-created_at")
        assert value() == 1

    def test_evidence_under_embargo_counts_when_the_embargo_ends(self, loaded, issue, deliver, monkeypatch):
        until = now() + timedelta(days=3)
        issue(embargo_until=until)
        deliver()
        assert value() == 0
        assert facade.look_again() == 0
        monkeypatch.setattr("bitgoeul.trials.evidence_queries.now", lambda: until + timedelta(seconds=1))
        assert facade.look_again() == 1
        assert value() == 1
        assert facade.look_again() == 0

    def test_claims_and_their_changes_cannot_be_rewritten(self, loaded, issue, deliver):
        issue()
        deliver()
        for model, change in ((VerifiedClaim, {"figure": "x"}), (ClaimChange, {"counted": False})):
            with pytest.raises(DatabaseError), transaction.atomic():
                model.objects.update(**change)

    def test_a_changed_rule_looks_at_every_piece_again(self, loaded, issue, deliver):
        issue(), issue(visibility=trials.Visibility.PRIVATE)
        deliver()
        stricter = copy.deepcopy(INDICATORS)
        stricter["indicators"][0]["rule"]["filter"]["protocol"] = "driving"
        facade.load_indicators(actor=SYSTEM, data=stricter)
        assert (value("chip-trials"), value("supported-projects")) == (0, 1)
        facade.load_indicators(actor=SYSTEM, data=INDICATORS)
        assert value("chip-trials") == 1

    def test_evidence_from_before_the_indicator_counts_with_it(self, issue, deliver):
        issue()
        facade.load_figures(actor=SYSTEM, data=FIGURES)
        deliver()
        facade.load_indicators(actor=SYSTEM, data=INDICATORS)
        assert value() == 1

    def test_a_claim_that_changes_is_news(self, loaded, issue, deliver):
        from bitgoeul.audit.models import Message

        issue()
        deliver()
        news = [message.payload for message in Message.objects.filter(topic="figure.changed")]
        assert {"figure": "chip-trials", "counted": True} in news
