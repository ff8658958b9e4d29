"""Applying, deciding, signing, allocating."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from bitgoeul.accounts import facade as accounts
from bitgoeul.kernel import clock
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound, WrongState
from bitgoeul.kernel.ids import new_id
from bitgoeul.programmes import facade, services
from bitgoeul.programmes.errors import BadAnswer, BadCall, CallClosed, PathNotSupported, SameSigner, WrongDigest
from bitgoeul.programmes.facade import ApplicationState, Side
from bitgoeul.programmes.models import Agreement, Application, CallVersion, Decision, Signature
from bitgoeul.programmes.workdays import is_working_day
from bitgoeul.resources import facade as resources

from .conftest import ANSWERS, CALLS, FIELDS, TITLE, call_data

SYSTEM = accounts.Actor.system("test")
S = ApplicationState


def allocations(view):
    return resources.allocations(project_ids=[view.project_id]).get(view.project_id, [])


def sign(view, actor, side, **changes):
    agreement = facade.agreement(actor=SYSTEM, agreement_id=view.agreement_id)
    digest = changes.get("digest", agreement.digest)
    return facade.sign(actor=actor, agreement_id=agreement.id, side=side, digest=digest)


def now_view(view):
    return facade.application(actor=SYSTEM, application_id=view.id)


class TestCalls:
    def test_the_example_is_open_and_loading_it_again_changes_nothing(self, loaded):
        before = CallVersion.objects.count()
        facade.load_example(actor=SYSTEM, directory=CALLS.parent)
        assert CallVersion.objects.count() == before == 2
        assert {call.body.code for call in facade.open_calls(clock.now())} == {"quick-start", "campus"}

    def test_an_example_round_about_to_close_is_renewed_as_a_new_version(self, loaded, monkeypatch):
        later = clock.now() + timedelta(days=59)
        monkeypatch.setattr("bitgoeul.programmes.services.calls.now", lambda: later)
        facade.load_example(actor=SYSTEM, directory=CALLS.parent)
        versions = CallVersion.objects.filter(code="quick-start").order_by("number")
        assert [one.number for one in versions] == [1, 2]
        assert versions[1].closes_at > later + timedelta(days=30)
        assert is_working_day(versions[1].closes_at.date())

    def test_changed_data_is_a_new_version_and_the_old_one_stays(self, catalogue):
        first = facade.load_call(actor=SYSTEM, data=call_data())
        second = facade.load_call(actor=SYSTEM, data={**call_data(), "closes_at": "2027-01-31T09:00:00Z"})
        assert (first.version, second.version) == (1, 2)
        assert first.digest != second.digest
        with pytest.raises(DatabaseError), transaction.atomic():
            CallVersion.objects.filter(number=1).update(closes_at=clock.now())

    def test_a_call_with_a_panel_is_refused_and_leaves_nothing(self, catalogue):
        data = call_data()
        data["tiers"][0]["decision"] = "panel"
        with pytest.raises(PathNotSupported):
            facade.load_call(actor=SYSTEM, data=data)
        assert not CallVersion.objects.exists()

    @pytest.mark.parametrize("change", [{"resource": "gpu-dream"}, {"unit": "krw"}])
    def test_a_call_that_promises_what_the_catalogue_lacks_is_refused(self, catalogue, change):
        data = call_data()
        data["tiers"][0]["resources"][0].update(change)
        with pytest.raises(BadCall):
            facade.load_call(actor=SYSTEM, data=data)
        assert not CallVersion.objects.exists()

    def test_only_staff_publish_calls(self, chan, staff, catalogue):
        with pytest.raises(NotAllowed):
            facade.load_call(actor=chan, data=call_data())
        assert facade.load_call(actor=staff, data=call_data()).version == 1


class TestApplying:
    def test_a_rule_selects_at_once_with_reasons_and_freezes_the_agreement(self, handed_in):
        view = handed_in()
        assert view.state is S.SELECTED
        assert view.decision.selected
        assert {reason.passed for reason in view.decision.reasons} == {True}
        assert len(view.decision.reasons) == len(view.tier.rules) + len(view.tier.resources)
        assert view.agreement_id
        assert not view.project_id

    def test_nothing_is_allocated_before_the_agreement_is_signed(self, handed_in, founder):
        view = handed_in()
        sign(view, founder, Side.APPLICANT)
        assert now_view(view).state is S.SELECTED
        assert not now_view(view).project_id

    def test_an_unmet_rule_rejects_with_the_sentence_that_says_what_to_do(self, handed_in):
        view = handed_in(fields={**FIELDS, "model_licence": "research-only"})
        assert view.state is S.REJECTED
        (refused,) = [reason for reason in view.decision.reasons if not reason.passed]
        assert refused.code == "licence"
        assert "허락" in refused.text.ko
        assert view.agreement_id is None

    def test_the_organisations_own_record_counts_not_the_answer(self, handed_in, founder):
        university = accounts.create_organisation(
            actor=founder, id=new_id(), name="빛대학 (예시)", kind=accounts.OrganisationKind.UNIVERSITY,
            registration_number="",
        )  # fmt: skip
        actor = accounts.actor_for(user_id=founder.user_id)
        view = handed_in(actor=actor, organisation_id=university.id)
        assert {reason.code for reason in view.decision.reasons if not reason.passed} == {"registered", "company"}

    def test_a_request_above_the_cap_is_rejected(self, handed_in):
        view = handed_in(requested={"cpu-core": 36_000_001})
        assert [reason.code for reason in view.decision.reasons if not reason.passed] == ["cap-cpu-core"]

    def test_handing_in_twice_is_handing_in_once(self, handed_in):
        id = new_id()
        first, second = handed_in(id=id), handed_in(id=id)
        assert first == second
        assert Application.objects.count() == Decision.objects.count() == Agreement.objects.count() == 1

    def test_the_same_id_with_other_content_is_refused(self, handed_in):
        id = new_id()
        handed_in(id=id)
        with pytest.raises(Conflict):
            handed_in(id=id, title="다른 과제")

    def test_a_draft_can_be_incomplete_is_overwritten_and_decided_only_when_submitted(self, handed_in):
        id = new_id()
        draft = handed_in(id=id, submit=False, fields={}, answers={})
        assert draft.state is S.DRAFT
        assert draft.decision is None
        handed_in(id=id, submit=False, title="나은 제목")
        assert handed_in(id=id).state is S.SELECTED
        assert now_view(draft).title == TITLE

    def test_an_incomplete_application_is_not_handed_in(self, handed_in):
        with pytest.raises(BadInput) as caught:
            handed_in(fields={"model_licence": "own"})
        assert caught.value.field == "purpose"
        assert not Application.objects.exists()

    @pytest.mark.parametrize(
        "bad",
        [
            {"title": " "}, {"title": "x" * 121}, {"title": "two\nlines"}, {"tier_code": "gold"},
            {"requested": {"gpu-h100": 1}}, {"requested": {"cpu-core": 0}},
            {"answers": {**ANSWERS, "based_in": "moon"}},
        ],
    )  # fmt: skip
    def test_bad_input_is_refused_with_its_field(self, handed_in, bad):
        with pytest.raises((BadInput, BadAnswer)) as caught:
            handed_in(**bad)
        assert caught.value.field

    def test_a_closed_call_takes_nothing(self, founder, company, catalogue):
        data = {**call_data(), "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2020-02-01T00:00:00Z"}
        facade.load_call(actor=SYSTEM, data=data)
        with pytest.raises(CallClosed) as caught:
            facade.apply(
                actor=founder, id=new_id(), call_code="quick-start", tier_code="first", organisation_id=company.id,
                title=TITLE, answers=ANSWERS, fields=FIELDS,
            )  # fmt: skip
        assert "2020-02-01" in str(caught.value.remedy)
        assert not Application.objects.exists()

    def test_an_unknown_call_is_not_found(self, handed_in):
        with pytest.raises(NotFound):
            handed_in(call_code="nothing")

    def test_chan_cannot_apply_for_aras_company_nor_see_her_application(self, handed_in, chan):
        with pytest.raises(NotAllowed):
            handed_in(actor=chan)
        view = handed_in()
        with pytest.raises(NotFound):
            facade.application(actor=chan, application_id=view.id)
        with pytest.raises(NotFound):
            facade.agreement(actor=chan, agreement_id=view.agreement_id)
        assert facade.applications(actor=chan).total == 0

    def test_a_colleague_applies_and_sees_it(self, handed_in, colleague):
        view = handed_in(actor=colleague)
        assert facade.applications(actor=colleague).items == [view]

    def test_a_later_version_of_the_call_does_not_change_what_was_decided(self, handed_in):
        view = handed_in()
        data = call_data()
        data["tiers"][0]["duration_days"] = 5
        facade.load_call(actor=SYSTEM, data=data)
        assert now_view(view).tier.duration_days == 30

    def test_a_decision_cannot_be_changed_afterwards(self, handed_in):
        handed_in()
        for model, change in ((Decision, {"selected": False}), (Agreement, {"text": ""})):
            with pytest.raises(DatabaseError), transaction.atomic():
                model.objects.update(**change)
            with pytest.raises(DatabaseError), transaction.atomic():
                model.objects.all()._raw_delete(model.objects.db)


class TestWithdrawing:
    def test_the_applicant_withdraws_and_nobody_can_sign_any_more(self, handed_in, founder, staff):
        view = handed_in()
        assert facade.withdraw(actor=founder, application_id=view.id, reason="계획 변경").state is S.WITHDRAWN
        with pytest.raises(WrongState):
            sign(view, staff, Side.OPERATOR)

    def test_staff_and_chan_do_not_withdraw_for_the_applicant(self, handed_in, staff, chan):
        view = handed_in()
        with pytest.raises(NotAllowed):
            facade.withdraw(actor=staff, application_id=view.id)
        with pytest.raises(NotFound):
            facade.withdraw(actor=chan, application_id=view.id)

    def test_an_allocated_application_is_not_withdrawn(self, handed_in, founder, staff):
        view = handed_in()
        sign(view, founder, Side.APPLICANT)
        sign(view, staff, Side.OPERATOR)
        with pytest.raises(WrongState):
            facade.withdraw(actor=founder, application_id=view.id)


class TestSigning:
    def test_the_digest_is_the_sha256_of_the_text_and_the_text_says_what_was_asked(self, handed_in):
        view = handed_in()
        agreement = facade.agreement(actor=SYSTEM, agreement_id=view.agreement_id)
        assert hashlib.sha256(agreement.text.encode()).hexdigest() == agreement.digest
        for part in (
            "가온칩 (예시)",
            "000-00-00015",
            TITLE,
            "CPU 코어 시간: 5 코어·시간",
            "30일",
            "공인 전자서명이 아닙니다",
        ):
            assert part in agreement.text
        assert "{" not in agreement.text

    @pytest.mark.parametrize("order", [(Side.APPLICANT, Side.OPERATOR), (Side.OPERATOR, Side.APPLICANT)])
    def test_the_second_signature_allocates_whoever_signs_first(self, handed_in, founder, staff, order):
        view = handed_in()
        people = {Side.APPLICANT: founder, Side.OPERATOR: staff}
        first = sign(view, people[order[0]], order[0])
        assert not first.complete
        assert sign(view, people[order[1]], order[1]).complete
        done = now_view(view)
        assert done.state is S.ALLOCATED
        granted = {one.resource_code: one.granted for one in allocations(done)}
        assert granted == {one.resource: one.amount for one in view.requested}
        assert {one.origin.kind for one in allocations(done)} == {"agreement"}
        assert accounts.project(actor=accounts.actor_for(user_id=founder.user_id), project_id=done.project_id)

    def test_signing_twice_is_signing_once_and_allocates_once(self, handed_in, founder, staff):
        view = handed_in()
        for _ in range(2):
            sign(view, founder, Side.APPLICANT)
        for _ in range(2):
            assert sign(view, staff, Side.OPERATOR).complete
        assert Signature.objects.count() == 2
        assert len(allocations(now_view(view))) == 2

    def test_another_text_is_not_signed(self, handed_in, founder):
        view = handed_in()
        with pytest.raises(WrongDigest):
            sign(view, founder, Side.APPLICANT, digest="0" * 64)
        assert not Signature.objects.exists()

    def test_a_member_chan_and_the_auditor_do_not_sign(self, handed_in, colleague, chan, auditor):
        view = handed_in()
        with pytest.raises(NotAllowed):
            sign(view, colleague, Side.APPLICANT)
        with pytest.raises(NotFound):
            sign(view, chan, Side.APPLICANT)
        with pytest.raises(NotAllowed):
            sign(view, auditor, Side.OPERATOR)

    def test_neither_side_signs_for_the_other(self, handed_in, founder, staff):
        view = handed_in()
        with pytest.raises(NotAllowed):
            sign(view, founder, Side.OPERATOR)
        with pytest.raises(NotAllowed):
            sign(view, staff, Side.APPLICANT)

    def test_one_person_does_not_stand_for_both_sides(self, handed_in, person):
        both = person("dana", accounts.OperatorRole.STAFF)
        own = accounts.create_organisation(
            actor=both, id=new_id(), name="다나전자 (예시)", kind=accounts.OrganisationKind.SME,
            registration_number="000-00-00029",
        )  # fmt: skip
        both = accounts.actor_for(user_id=both.user_id)
        view = handed_in(actor=both, organisation_id=own.id)
        sign(view, both, Side.APPLICANT)
        with pytest.raises(SameSigner):
            sign(view, both, Side.OPERATOR)

    def test_a_second_owner_cannot_sign_over_the_first(self, handed_in, founder, company, person):
        other = person("eun")
        accounts.add_organisation_member(
            actor=SYSTEM, organisation_id=company.id, user_id=other.user_id, role=accounts.OrganisationRole.OWNER
        )
        view = handed_in()
        sign(view, founder, Side.APPLICANT)
        with pytest.raises(Conflict):
            sign(view, accounts.actor_for(user_id=other.user_id), Side.APPLICANT)

    def test_after_the_deadline_the_applicant_applies_again(self, handed_in, founder, monkeypatch):
        view = handed_in()
        monkeypatch.setattr("bitgoeul.programmes.services.signing.now", lambda: clock.now() + timedelta(days=30))
        with pytest.raises(WrongState) as caught:
            sign(view, founder, Side.APPLICANT)
        assert "again" in str(caught.value.remedy)

    def test_a_fault_while_allocating_leaves_no_half(self, handed_in, founder, staff, monkeypatch):
        view = handed_in()
        sign(view, founder, Side.APPLICANT)

        def fail(**_):
            raise RuntimeError("grant")

        monkeypatch.setattr("bitgoeul.programmes.services.signing.resources.grant", fail)
        with pytest.raises(RuntimeError):
            sign(view, staff, Side.OPERATOR)
        assert now_view(view).state is S.SELECTED
        assert Signature.objects.count() == 1
        monkeypatch.undo()
        assert sign(view, staff, Side.OPERATOR).complete

    def test_what_the_page_showed_is_kept_with_the_signature(self, handed_in, founder):
        view = handed_in()
        agreement = facade.agreement(actor=founder, agreement_id=view.agreement_id)
        services.sign(
            actor=founder, agreement_id=agreement.id, side=Side.APPLICANT, digest=agreement.digest,
            shown={"language": "ko", "statement": "읽었습니다."},
        )  # fmt: skip
        row = Signature.objects.get()
        assert row.shown["statement"] == "읽었습니다."
        assert row.shown["bytes"] == str(len(agreement.text.encode()))
        with pytest.raises(DatabaseError), transaction.atomic():
            Signature.objects.update(actor="user:x")


class TestLists:
    def test_what_the_applicant_signed_stands_first_for_staff(self, handed_in, founder, staff):
        one, other = handed_in(), handed_in()
        sign(other, founder, Side.APPLICANT)
        waiting = [view.id for _, view in facade.waiting(actor=staff).items]
        assert waiting == [other.id, one.id]
        assert [view.id for _, view in facade.to_sign(actor=founder).items] == [one.id]

    def test_chan_sees_no_list_of_waiting_agreements(self, loaded, chan):
        with pytest.raises(NotAllowed):
            facade.waiting(actor=chan)


class TestMedian:
    def test_without_allocations_there_is_no_median(self, handed_in):
        handed_in()
        assert facade.median_time_to_first_usable_minute() is None

    def test_the_middle_of_the_times_counts(self, handed_in, founder, staff):
        for minutes in (5, 1, 9):
            view = handed_in()
            sign(view, founder, Side.APPLICANT)
            sign(view, staff, Side.OPERATOR)
            row = Application.objects.get(id=view.id)
            Application.objects.filter(id=view.id).update(
                submitted_at=row.allocated_at - timedelta(minutes=minutes)
            )
        found = facade.median_time_to_first_usable_minute()
        assert (found.median_ms, found.count) == (5 * 60_000, 3)


def test_an_operator_who_looks_at_an_application_leaves_an_access_record(handed_in, founder, staff):
    from bitgoeul.audit.models import AccessRecord

    view = handed_in()
    facade.application(actor=founder, application_id=view.id)
    assert AccessRecord.objects.count() == 0
    facade.application(actor=staff, application_id=view.id)
    assert list(AccessRecord.objects.values_list("actor", "person")) == [(staff.id, founder.id)]
