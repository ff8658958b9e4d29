"""Nobody is a permanent superuser: dangerous verbs need an elevation, and operator roles a second factor."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from bitgoeul.accounts import authority, elevation, operators
from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.errors import ElevationNeeded, ScopeMissing, SecondFactorNeeded
from bitgoeul.accounts.facade import Actor, Assurance, OperatorRole, Thing
from bitgoeul.accounts.models import ApiToken, Elevation, OperatorGrant, SignIn, User
from bitgoeul.accounts.services import PORTAL
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotAllowed, NotFound
from bitgoeul.kernel.ids import new_id
from people import sign_in_by

pytestmark = pytest.mark.django_db
GRANT = "accounts.grant_operator"
REASON = "Kim of the city office asked by phone on Monday."


@pytest.fixture
def later(monkeypatch):
    """Move the clock that the rules of sign-ins and elevations read: ``later(minutes=61)``."""

    def move(**time):
        moment = now() + timedelta(**time)
        for module in ("authority", "elevation", "sign_ins", "tokens"):
            monkeypatch.setattr(f"bitgoeul.accounts.{module}.now", lambda: moment)

    return move


def sign_in_row(actor):
    return SignIn.objects.create(user_id=actor.user_id)


def ask(actor, row, **change):
    asked = {"id": new_id(), "verbs": [GRANT], "reason": REASON, "minutes": 30, **change}
    return elevation.elevate(actor=actor, sign_in_id=row.pk, **asked)


def with_elevation(actor, row):
    from dataclasses import replace

    return replace(actor, elevation=elevation.of_sign_in(actor.user_id, row.pk))


def test_a_dangerous_verb_needs_an_elevation_that_names_it_and_lives(staff, chan, later):
    with pytest.raises(ElevationNeeded):
        operators.grant_role(actor=staff, user_id=chan.user_id, role=OperatorRole.ENGINEER)
    row = sign_in_row(staff)
    ask(staff, row)
    actor = with_elevation(staff, row)
    operators.grant_role(actor=actor, user_id=chan.user_id, role=OperatorRole.ENGINEER)
    with pytest.raises(ElevationNeeded):
        operators.revoke_role(actor=actor, user_id=chan.user_id, role=OperatorRole.ENGINEER)
    later(minutes=31)
    with pytest.raises(ElevationNeeded):
        operators.grant_role(actor=actor, user_id=chan.user_id, role=OperatorRole.STAFF)
    assert elevation.of_sign_in(staff.user_id, row.pk) is None


def test_an_elevation_counts_in_its_own_session_and_ends_by_hand(staff):
    row, other = sign_in_row(staff), sign_in_row(staff)
    made = ask(staff, row)
    assert elevation.of_sign_in(staff.user_id, other.pk) is None
    assert elevation.of_tokens(staff.user_id) is None, "tokens were not asked for"
    elevation.end(actor=staff, id=made.id)
    elevation.end(actor=staff, id=made.id)
    assert elevation.of_sign_in(staff.user_id, row.pk) is None
    verbs = [one.verb for one in audit.history("user", str(staff.user_id)).items]
    assert (verbs.count("accounts.elevate"), verbs.count("accounts.end_elevation")) == (1, 1)


def test_a_new_elevation_ends_the_one_before_and_the_same_id_again_changes_nothing(staff):
    row = sign_in_row(staff)
    first = ask(staff, row)
    assert ask(staff, row, id=first.id).id == first.id
    second = ask(staff, row, with_tokens=True)
    assert elevation.of_sign_in(staff.user_id, row.pk).id == second.id
    assert elevation.of_tokens(staff.user_id).id == second.id
    SignIn.objects.update(ended_at=now())
    assert elevation.of_tokens(staff.user_id) is None, "it dies with the session it was asked in"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"verbs": []}, "verbs"),
        ({"verbs": ["compute.write_off_job"]}, "verbs"),
        ({"reason": "short"}, "reason"),
        ({"minutes": 61}, "minutes"),
        ({"minutes": 0}, "minutes"),
    ],
)
def test_an_elevation_is_short_reasoned_and_within_ones_role(staff, change, field):
    with pytest.raises(BadInput) as caught:
        ask(staff, sign_in_row(staff), **change)
    assert caught.value.field == field
    assert not Elevation.objects.exists()


def test_who_has_no_role_cannot_be_elevated(chan, auditor):
    with pytest.raises(NotAllowed):
        ask(chan, sign_in_row(chan))
    with pytest.raises(BadInput):
        ask(auditor, sign_in_row(auditor))


def test_every_dangerous_verb_is_of_the_operator_alone():
    dangerous = [verb for verb in authority.verbs() if verb.elevated]
    assert {verb.name for verb in dangerous} >= {
        GRANT, "accounts.revoke_operator", "accounts.end_access", "accounts.close_account",
        "accounts.erase_personal", "compute.write_off_job", "resources.recall_allocation",
    }  # fmt: skip
    for verb in dangerous:
        assert verb.operator_roles
        assert not any((verb.project_roles, verb.organisation_roles, verb.public, verb.signed_in))


# Roles at the operator


def test_the_last_member_of_staff_keeps_the_role_and_the_account(staff, engineer, elevated):
    actor = elevated(staff)
    for act in (
        lambda: operators.revoke_role(actor=actor, user_id=staff.user_id, role=OperatorRole.STAFF),
        lambda: operators.close_account(actor=actor, user_id=staff.user_id, reason="left"),
    ):
        with pytest.raises(BadInput):
            act()
    operators.grant_role(actor=actor, user_id=engineer.user_id, role=OperatorRole.STAFF)
    operators.revoke_role(actor=actor, user_id=staff.user_id, role=OperatorRole.STAFF)
    assert set(OperatorGrant.objects.filter(role="STAFF").values_list("user_id", flat=True)) == {engineer.user_id}


def test_a_change_of_roles_signs_the_person_out(staff, chan, elevated):
    client = sign_in_by(Client(), chan.user_id)
    assert client.get("/account/").status_code == 200
    operators.grant_role(actor=elevated(staff), user_id=chan.user_id, role=OperatorRole.ENGINEER)
    operators.grant_role(actor=elevated(staff), user_id=chan.user_id, role=OperatorRole.ENGINEER)
    assert client.get("/account/").status_code == 302
    assert SignIn.objects.get(user_id=chan.user_id).ended_why == "roles"
    verbs = [one.verb for one in audit.history("user", str(chan.user_id)).items]
    assert verbs.count("accounts.grant_operator") == 1


def test_a_closed_account_does_nothing_more(staff, chan, elevated):
    made = accounts.issue_token(actor=chan, id=new_id(), name="t", days=1)
    client = sign_in_by(Client(), chan.user_id)
    assert client.get("/api/v1/me").status_code == 200
    operators.close_account(actor=elevated(staff), user_id=chan.user_id, reason="asked by the person")
    assert accounts.actor_of_token(made.secret) is None
    assert client.get("/api/v1/me").status_code == 401
    operators.reopen_account(actor=elevated(staff), user_id=chan.user_id)
    assert User.objects.get(pk=chan.user_id).is_active
    assert client.get("/api/v1/me").status_code == 401, "the session stays ended"


def test_the_pages_of_operators(staff, engineer, chan, auditor, sign_in):
    assert sign_in(chan).get("/operators/").status_code == 403
    assert sign_in(auditor).get("/operators/elevations/").status_code == 200
    client = sign_in(staff)
    page = client.get("/operators/")
    assert "engineer@example.kr" in page.content.decode()
    grant = {"email": "chan@example.kr", "role": "ENGINEER"}
    refused = client.post("/operators/", grant)
    assert refused.status_code == 403
    assert "/account/elevation/" in refused.content.decode(), "the refusal leads on"
    row = SignIn.objects.get(user_id=staff.user_id, ended_at=None)
    ask(staff, row, verbs=[GRANT, "accounts.revoke_operator", "accounts.end_access"])
    page = client.get("/operators/").content.decode()
    assert 'class="elevation-strip"' in page
    assert REASON in page
    assert "엔지니어 역할 회수" in page
    assert client.post("/operators/", {**grant, "email": "nobody@example.kr"}).status_code == 422
    assert client.post("/operators/", grant).status_code == 302
    assert client.post(f"/operators/{chan.user_id}/ENGINEER/revoke/").status_code == 302
    assert client.post(f"/operators/{chan.user_id}/KING/revoke/").status_code == 400
    assert client.post(f"/operators/{chan.user_id}/end-access/").status_code == 302
    assert REASON in sign_in(auditor).get("/operators/elevations/").content.decode()


def test_asking_for_an_elevation_asks_for_the_password_again(staff, sign_in):
    client = sign_in(staff)
    address = client.get("/account/elevation/")["Location"]
    assert address.startswith("/accounts/reauthenticate/")
    client.post(address, {"password": "correct horse battery"})
    assert client.get("/account/elevation/").status_code == 200
    form = {"id": str(new_id()), "verbs": [GRANT], "reason": "", "minutes": "15"}
    assert client.post("/account/elevation/", form).status_code == 422
    assert client.post("/account/elevation/", {**form, "reason": REASON}).status_code == 302
    assert 'class="elevation-strip"' in client.get("/").content.decode()
    assert client.post(f"/account/elevation/{form['id']}/end/").status_code == 302
    assert 'class="elevation-strip"' not in client.get("/").content.decode()


# The second factor


def test_operator_roles_rest_without_a_second_factor(staff, sign_in):
    client = sign_in(staff, strong=False)
    refused = client.get("/operators/")
    assert refused.status_code == 403
    assert "second_factor_needed" in refused.content.decode()
    assert 'class="elevation-strip"' in client.get("/home/").content.decode()
    told = client.get("/api/v1/me").json()
    assert (told["operator_roles"], told["resting_roles"]) == ([], ["STAFF"])
    made = client.post("/api/v1/tokens", {"name": "t"}, content_type="application/json").json()
    assert accounts.actor_of_token(made["secret"]).operator_roles == frozenset()
    strong = sign_in(staff).post("/api/v1/tokens", {"name": "t"}, content_type="application/json").json()
    assert accounts.actor_of_token(strong["secret"]).operator_roles == {OperatorRole.STAFF}


def test_a_resting_role_is_told_what_lifts_it_where_it_would_reach(staff, project):
    weak = accounts.actor_for(user_id=staff.user_id, assurance=Assurance.SINGLE)
    with pytest.raises(SecondFactorNeeded):
        accounts.require(actor=weak, verb="accounts.view_project", thing=project.thing)
    with pytest.raises(SecondFactorNeeded):  # the role would see the project's jobs, though submit none
        accounts.require(actor=weak, verb="compute.submit_job", thing=project.thing)


def test_a_resting_role_learns_nothing_of_what_it_would_not_reach(engineer, organisation):
    application = Thing("application", str(new_id()), organisation_id=organisation.id)
    weak = accounts.actor_for(user_id=engineer.user_id, assurance=Assurance.SINGLE)
    with pytest.raises(NotFound):
        accounts.require(actor=weak, verb="programmes.decide_application", thing=application)


def test_a_token_of_an_example_person_is_worth_nothing_elsewhere(staff, settings):
    actor = accounts.actor_for(user_id=staff.user_id, assurance=Assurance.EXAMPLE)
    made = accounts.issue_token(actor=actor, id=new_id(), name="t", days=1)
    assert accounts.actor_of_token(made.secret).is_operator
    settings.PUBLIC_URL = "https://portal.example.kr"
    assert not accounts.actor_of_token(made.secret).is_operator


# Scopes of tokens


def test_a_token_does_what_its_scopes_name_and_no_more(ara, project):
    made = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1, scopes=["compute:write"])
    actor = accounts.actor_of_token(made.secret)
    assert accounts.may(actor=actor, verb="compute.submit_job", thing=project.thing)
    assert accounts.may(actor=actor, verb="compute.view_project", thing=project.thing), "writing includes reading"
    assert accounts.may(actor=actor, verb="accounts.view_project", thing=project.thing), "asked on the way"
    with pytest.raises(ScopeMissing) as caught:
        accounts.require(actor=actor, verb="trials.request_trial", thing=project.thing)
    assert "trials:write" in str(caught.value)


def test_a_missing_scope_does_not_tell_outsiders_what_exists(chan, project):
    made = accounts.issue_token(actor=chan, id=new_id(), name="t", days=1, scopes=["trials:read"])
    with pytest.raises(NotFound):
        accounts.require(
            actor=accounts.actor_of_token(made.secret), verb="compute.submit_job", thing=project.thing
        )


@pytest.mark.parametrize("scopes", [["compute:everything"], ["x:read"], ["compute:write"]])
def test_wrong_scopes_are_refused(ara, scopes):
    with pytest.raises(BadInput) as caught:
        accounts.issue_token(actor=ara, id=new_id(), name="t", days=1, scopes=scopes, read_only=True)
    assert caught.value.field == "scopes"


def test_a_token_makes_no_tokens_and_is_never_elevated_unasked(client, staff):
    made = accounts.issue_token(actor=staff, id=new_id(), name="t", days=1)
    headers = {"Authorization": f"Bearer {made.secret}"}
    answer = client.post("/api/v1/tokens", {"name": "child"}, content_type="application/json", headers=headers)
    assert answer.status_code == 403
    row = sign_in_row(staff)
    ask(staff, row)
    assert accounts.actor_of_token(made.secret).elevation is None
    ask(staff, row, with_tokens=True)
    assert accounts.actor_of_token(made.secret).elevation is not None


def test_last_use_is_written_at_most_once_a_minute(ara, later):
    made = accounts.issue_token(actor=ara, id=new_id(), name="t", days=1)
    accounts.actor_of_token(made.secret)
    first = ApiToken.objects.get(pk=made.id).last_used_at
    later(seconds=59)
    accounts.actor_of_token(made.secret)
    assert ApiToken.objects.get(pk=made.id).last_used_at == first
    later(seconds=61)
    accounts.actor_of_token(made.secret)
    assert ApiToken.objects.get(pk=made.id).last_used_at > first


def test_actors_of_the_platform_are_not_asked(chan):
    operators.grant_role(actor=Actor.system("test"), user_id=chan.user_id, role=OperatorRole.STAFF)
    assert accounts.may(actor=Actor.system("test"), verb=GRANT, thing=PORTAL)
