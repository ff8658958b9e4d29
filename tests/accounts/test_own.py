"""One's own account: language, tokens, a second factor; one's organisation; who owns a project."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.db import IntegrityError, transaction
from django.test import Client

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts import tokens
from bitgoeul.accounts.facade import Actor, OrganisationRole, ProjectRole
from bitgoeul.accounts.models import ApiToken, OrganisationMembership, ProjectMembership, SignIn, User
from bitgoeul.audit import facade as audit
from bitgoeul.audit.models import AccessRecord
from bitgoeul.kernel.errors import BadInput, Conflict, LimitReached, NotAllowed, NotFound
from bitgoeul.kernel.ids import new_id

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
PASSWORD = "correct horse battery"


def again(actor):
    """The actor with the roles of now."""
    return accounts.actor_for(user_id=actor.user_id)


def answer_of(secret):
    """What an authenticator app shows for ``secret`` now."""
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


# The account page


def test_the_account_page_asks_one_to_sign_in(client):
    assert client.get("/account/").status_code == 302


def test_name_and_language_are_kept_and_written_down(ara, sign_in):
    client = sign_in(ara)
    response = client.post("/account/", {"display_name": " Ara  Kim ", "locale": "en"})
    assert (response.status_code, response["Location"]) == (302, "/account/")
    row = User.objects.get(pk=ara.user_id)
    assert (row.display_name, row.locale) == ("Ara Kim", "en")
    page = client.get("/account/").content.decode()
    assert 'lang="en"' in page
    assert "Your account is saved." in page
    event = audit.history("user", str(ara.user_id)).items
    assert [one.verb for one in event].count("accounts.change_account") == 1
    assert "Ara Kim" not in str([one.after for one in event])


@pytest.mark.parametrize(
    "change", [{"display_name": "  "}, {"locale": "fr"}, {"display_name": "a\x07b"}, {"display_name": "x" * 81}]
)
def test_a_wrong_name_or_language_changes_nothing(ara, sign_in, change):
    page = sign_in(ara).post("/account/", {"display_name": "Ara", "locale": "ko", **change})
    assert page.status_code == 422
    assert "-error" in page.content.decode()
    assert User.objects.get(pk=ara.user_id).display_name == "Ara"


def test_people_are_greeted_in_their_own_language_unless_the_browser_chose_one(ara, client):
    User.objects.filter(pk=ara.user_id).update(locale="en")
    form = {"login": "ara@example.kr", "password": PASSWORD}
    verified(ara)
    client.post("/accounts/login/", form)
    assert client.cookies["django_language"].value == "en"
    other = Client()
    other.cookies["django_language"] = "ko"
    assert other.post("/accounts/login/", form).status_code == 302
    assert other.cookies["django_language"].value == "ko"


def verified(actor):
    from allauth.account.models import EmailAddress

    user = User.objects.get(pk=actor.user_id)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)


def test_queries_of_the_account_page_do_not_grow_with_tokens_and_sign_ins(
    ara, sign_in, django_assert_max_num_queries, django_assert_num_queries
):
    client = sign_in(ara)
    accounts.issue_token(actor=ara, id=new_id(), name="t", days=1)
    client.get("/account/")  # gives the session its row
    with django_assert_max_num_queries(13) as few:
        assert client.get("/account/").status_code == 200
    for n in range(tokens.LIVING_MAX - 1):
        accounts.issue_token(actor=ara, id=new_id(), name=f"t{n}", days=1)
        SignIn.objects.create(user_id=ara.user_id)
    with django_assert_num_queries(len(few)):
        assert client.get("/account/").status_code == 200


# A second factor


def test_a_second_factor_is_asked_for_once_it_is_on(ara, client):
    verified(ara)
    client.post("/accounts/login/", {"login": "ara@example.kr", "password": PASSWORD})
    path = "/accounts/2fa/totp/activate/"
    assert client.get(path)["Location"].startswith("/accounts/reauthenticate/")
    page = client.post(f"/accounts/reauthenticate/?next={path}", {"password": PASSWORD}, follow=True)
    secret = page.context["form"].secret
    assert client.post(path, {"code": "000000"}).status_code == 200
    assert client.post(path, {"code": answer_of(secret)}).status_code == 302

    other = Client()
    response = other.post("/accounts/login/", {"login": "ara@example.kr", "password": PASSWORD})
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert other.get("/api/v1/me").status_code == 401
    assert other.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert other.get("/api/v1/me").status_code == 401


def test_pages_of_the_second_factor_stand_in_the_portal(ara, client):
    verified(ara)
    client.post("/accounts/login/", {"login": "ara@example.kr", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    for path in ("2fa/", "2fa/totp/activate/", "email/", "password/change/", "logout/"):
        text = client.get(f"/accounts/{path}").content.decode()
        assert 'id="krds-header"' in text, path
        assert text.count("<h1") == 1, path


def test_one_sees_which_address_one_chooses(ara, client):
    verified(ara)
    client.post("/accounts/login/", {"login": "ara@example.kr", "password": PASSWORD})
    text = client.get("/accounts/email/").content.decode()
    # The design system draws the circle of a radio only in this wrapping.
    assert re.search(r'<div class="krds-form-check"><input type="radio"[^>]*value="ara@example.kr"', text)


# Tokens


def test_a_token_is_shown_once_and_can_be_ended(ara, bora, sign_in):
    client = sign_in(ara)
    form = {"id": str(new_id()), "name": "notebook", "days": "7", "scopes": ["*:read"]}
    made = client.post("/account/tokens/", form)
    secret = re.search(r"bgt_[\w-]+", made.content.decode()).group()
    assert made["Cache-Control"] == "no-store"
    assert accounts.actor_of_token(secret).read_only
    # A reload sends the form again: no second token, no second secret.
    assert client.post("/account/tokens/", form).status_code == 422
    page = client.get("/account/").content.decode()
    assert "notebook" in page
    assert secret not in page
    path = f"/account/tokens/{form['id']}/end/"
    sign_in(bora).post(path)
    assert accounts.actor_of_token(secret) is not None
    assert sign_in(ara).post(path).status_code == 302
    assert accounts.actor_of_token(secret) is None


def test_tokens_over_rest(ara, bora, sign_in):
    client = sign_in(ara)
    made = client.post("/api/v1/tokens", {"name": "ci", "days": 1}, content_type="application/json").json()
    (listed,) = client.get("/api/v1/tokens").json()["items"]
    assert (listed["id"], listed["name"]) == (made["id"], "ci")
    assert "secret" not in listed
    assert sign_in(bora).post(f"/api/v1/tokens/{made['id']}/end").status_code == 204
    assert accounts.actor_of_token(made["secret"]) is not None
    assert sign_in(ara).post(f"/api/v1/tokens/{made['id']}/end").status_code == 204
    assert accounts.actor_of_token(made["secret"]) is None


def test_a_reading_token_cannot_write_whatever_the_operation(client, ara):
    made = accounts.issue_token(actor=ara, id=new_id(), name="reader", days=1, read_only=True)
    headers = {"Authorization": f"Bearer {made.secret}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    for method in (client.post, client.delete, client.put, client.patch):
        answer = method(f"/api/v1/tokens/{made.id}/end", headers=headers)
        assert answer.status_code in (403, 405)
    assert client.post(f"/api/v1/tokens/{made.id}/end", headers=headers).json()["code"] == "scope_missing"
    assert accounts.actor_of_token(made.secret) is not None


def test_a_person_has_a_bounded_number_of_tokens(ara, bora):
    for n in range(tokens.LIVING_MAX):
        accounts.issue_token(actor=ara, id=new_id(), name="program" if n < 2 else f"t{n}", days=1)
    with pytest.raises(LimitReached):
        accounts.issue_token(actor=ara, id=new_id(), name="one more", days=1)
    accounts.issue_token(actor=bora, id=new_id(), name="one more", days=1)
    oldest = ApiToken.objects.filter(user_id=ara.user_id, name="program").earliest("created_at")
    accounts.issue_token(actor=ara, id=new_id(), name="program", days=1)
    assert len(accounts.my_tokens(ara)) == tokens.LIVING_MAX
    oldest.refresh_from_db()
    assert oldest.revoked_at is not None
    with pytest.raises(Conflict):
        accounts.issue_token(actor=ara, id=oldest.pk, name="program", days=1)


def test_a_token_loses_what_its_owner_loses(ara, bora, project):
    made = accounts.issue_token(actor=bora, id=new_id(), name="t", days=1)
    assert accounts.may(
        actor=accounts.actor_of_token(made.secret), verb="accounts.view_project", thing=project.thing
    )
    accounts.remove_member(actor=again(ara), project_id=project.id, user_id=bora.user_id)
    assert not accounts.may(
        actor=accounts.actor_of_token(made.secret), verb="accounts.view_project", thing=project.thing
    )
    User.objects.filter(pk=bora.user_id).update(is_active=False)
    assert accounts.actor_of_token(made.secret) is None


# Organisations


def test_an_owner_adds_people_to_the_organisation(organisation, ara, chan, sign_in):
    path = f"/organisations/{organisation.id}/"
    assert sign_in(chan).get(path).status_code == 404
    client = sign_in(ara)
    assert client.post(path, {"email": "nobody@example.kr", "role": "MEMBER"}).status_code == 422
    assert client.post(path, {"email": "chan@example.kr", "role": "MEMBER"}).status_code == 302
    assert client.post(path, {"email": "chan@example.kr", "role": "OWNER"}).status_code == 302, "again"
    assert again(chan).organisation_roles == {organisation.id: OrganisationRole.MEMBER}
    page = sign_in(chan).get(path)
    assert "ara@example.kr" in page.content.decode()
    assert sign_in(chan).post(path, {"email": "ara@example.kr", "role": "OWNER"}).status_code == 403
    assert sign_in(chan).post(path, {"email": "nobody@example.kr", "role": "OWNER"}).status_code == 403
    assert sign_in(ara).post(f"{path}members/{chan.user_id}/remove/").status_code == 302
    assert sign_in(chan).get(path).status_code == 404


def test_an_organisation_keeps_an_owner(organisation, ara, chan, sign_in):
    owner = again(ara)
    with pytest.raises(BadInput):
        accounts.remove_organisation_member(actor=owner, organisation_id=organisation.id, user_id=ara.user_id)
    accounts.add_organisation_member(
        actor=owner, organisation_id=organisation.id, user_id=chan.user_id, role=OrganisationRole.OWNER
    )
    path = f"/organisations/{organisation.id}/members/{ara.user_id}/remove/"
    left = sign_in(ara).post(path)
    assert left["Location"] == "/account/", "who left cannot see the organisation's page"
    assert list(OrganisationMembership.objects.values_list("user_id", flat=True)) == [chan.user_id]
    with pytest.raises(NotFound):
        accounts.organisation_members(actor=again(ara), organisation_id=organisation.id)


def test_only_operators_who_may_look_see_the_people_and_leave_a_record(
    organisation, ara, staff, auditor, engineer, sign_in
):
    path = f"/organisations/{organisation.id}/"
    sign_in(ara).get(path)
    assert AccessRecord.objects.count() == 0
    page = sign_in(engineer).get(path)
    assert page.status_code == 200
    assert "ara@example.kr" not in page.content.decode()
    assert AccessRecord.objects.count() == 0
    for who in (staff, auditor):
        assert "ara@example.kr" in sign_in(who).get(path).content.decode()
    assert set(AccessRecord.objects.values_list("actor", "person")) == {(staff.id, ara.id), (auditor.id, ara.id)}


def test_teams_have_room_for_a_bounded_number(organisation, project, ara, chan, monkeypatch):
    monkeypatch.setattr("bitgoeul.accounts.services.MEMBERS_MAX", 1)
    with pytest.raises(LimitReached):
        accounts.add_member(actor=again(ara), project_id=project.id, user_id=chan.user_id, role=ProjectRole.VIEWER)
    with pytest.raises(LimitReached):
        accounts.add_organisation_member(
            actor=again(ara), organisation_id=organisation.id, user_id=chan.user_id, role=OrganisationRole.MEMBER
        )


# The owner of a project


def test_the_owner_hands_a_project_over(project, ara, bora, chan, sign_in):
    path = f"/projects/{project.id}/members/{bora.user_id}/owner/"
    assert sign_in(chan).post(path).status_code == 404
    assert sign_in(bora).post(path).status_code == 403
    assert sign_in(ara).post(path).status_code == 302
    assert again(bora).project_roles == {project.id: ProjectRole.OWNER}
    assert again(ara).project_roles == {project.id: ProjectRole.MANAGER}
    with pytest.raises(NotAllowed):
        accounts.hand_over_project(actor=again(ara), project_id=project.id, user_id=ara.user_id)
    with pytest.raises(BadInput):
        accounts.hand_over_project(actor=again(bora), project_id=project.id, user_id=chan.user_id)
    accounts.hand_over_project(actor=SYSTEM, project_id=project.id, user_id=bora.user_id)
    events = [one.verb for one in audit.history("project", str(project.id)).items]
    assert events.count("accounts.hand_over_project") == 1, "the same again writes nothing"


def test_the_database_knows_one_owner(project, bora):
    with pytest.raises(IntegrityError), transaction.atomic():
        ProjectMembership.objects.filter(user_id=bora.user_id).update(role=ProjectRole.OWNER)


# What outsiders learn


def test_a_verb_of_another_room_hides_a_project_too(project, chan, bora):
    for verb in ("compute.submit_job", "trials.request_trial"):
        with pytest.raises(NotFound):
            accounts.require(actor=chan, verb=verb, thing=project.thing)
        accounts.require(actor=bora, verb=verb, thing=project.thing)


def test_an_e_mail_belongs_to_one_account(ara):
    with pytest.raises(Conflict) as caught:
        accounts.create_user(actor=SYSTEM, id=new_id(), email="ARA@example.kr", display_name="Other")
    assert caught.value.field == "email"
