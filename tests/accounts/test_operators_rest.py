"""Who works for the operator, over REST: the same rules as at the page, and nothing twice."""

from __future__ import annotations

import pytest

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.models import OperatorGrant
from bitgoeul.audit import facade as audit
from bitgoeul.audit.models import AccessRecord, Event
from bitgoeul.kernel.ids import new_id
from people import elevate

pytestmark = pytest.mark.django_db
PATH = "/api/v1/operators"
ENGINEER = {"email": "chan@example.kr", "role": "ENGINEER"}


def post(client, path, body=None):
    return client.post(path, body, content_type="application/json")


@pytest.fixture
def client_of_staff(staff, sign_in):
    """Staff signed in with a second factor and within an elevation."""
    client = sign_in(staff)
    elevate(client, staff)
    return client


def test_staff_and_auditors_list_who_works_for_the_operator_and_leave_a_record(
    staff, auditor, engineer, chan, sign_in
):
    told = sign_in(auditor).get(PATH).json()
    assert (told["page"], told["last"], told["total"]) == (1, 1, 3)
    assert [one["email"].partition("@")[0] for one in told["items"]] == ["auditor", "engineer", "staff"]
    assert told["items"][1]["roles"] == [{"role": "ENGINEER", "given_by": ""}]
    assert told["items"][1]["has_second_factor"] is False
    assert set(AccessRecord.objects.values_list("actor", flat=True)) == {auditor.id}
    for actor in (engineer, chan):
        assert sign_in(actor).get(PATH).status_code == 403


def test_a_role_is_given_and_taken_once(client_of_staff, chan):
    for _ in range(2):
        given = post(client_of_staff, PATH, ENGINEER)
        assert given.status_code == 200, given.content
        assert given.json()["roles"] == [{"role": "ENGINEER", "given_by": ""}]
    assert [grant.role for grant in OperatorGrant.objects.filter(user_id=chan.user_id)] == ["ENGINEER"]
    address = f"{PATH}/{chan.user_id}/ENGINEER/revoke"
    assert [post(client_of_staff, address).status_code for _ in range(2)] == [204, 204]
    assert not OperatorGrant.objects.filter(user_id=chan.user_id).exists()
    verbs = [event.verb for event in audit.history("user", str(chan.user_id)).items]
    assert verbs.count("accounts.grant_operator") == verbs.count("accounts.revoke_operator") == 1


def test_nothing_is_given_or_taken_without_an_elevation(staff, chan, engineer, sign_in):
    client, before = sign_in(staff), Event.objects.count()
    for path, body in ((PATH, ENGINEER), (f"{PATH}/{engineer.user_id}/ENGINEER/revoke", None)):
        refused = post(client, path, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "elevation_needed")
        assert refused.json()["detail"]["remedy"]
    assert (Event.objects.count(), OperatorGrant.objects.count()) == (before, 2)


def test_who_may_not_give_roles_does_not_learn_who_has_an_account(chan, sign_in):
    client = sign_in(chan)
    answers = [post(client, PATH, {**ENGINEER, "email": email}) for email in ("chan@example.kr", "no@example.kr")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == answers[1].json()


def test_wrong_wishes_are_refused_with_field_and_remedy(client_of_staff, staff):
    nobody = post(client_of_staff, PATH, {**ENGINEER, "email": "no@example.kr"})
    assert (nobody.status_code, nobody.json()["detail"]["field"]) == (404, "email")
    assert nobody.json()["detail"]["remedy"]
    king = post(client_of_staff, PATH, {**ENGINEER, "role": "KING"})
    assert (king.status_code, king.json()["detail"]["faults"][0]["field"]) == (422, "body.body.role")
    assert post(client_of_staff, f"{PATH}/{staff.user_id}/KING/revoke").status_code == 422
    last = post(client_of_staff, f"{PATH}/{staff.user_id}/STAFF/revoke")
    assert last.status_code == 400
    assert last.json()["detail"]["remedy"]
    assert accounts.actor_for(user_id=staff.user_id).is_operator
    assert post(client_of_staff, f"{PATH}/{new_id()}/AUDITOR/revoke").status_code == 204
