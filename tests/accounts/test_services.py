"""People, projects, roles and tokens: what may be done and what is refused, with reasons."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import Actor, ProjectRole, Thing, Verb
from bitgoeul.accounts.models import ApiToken, Project, ProjectMembership
from bitgoeul.audit import facade as audit
from bitgoeul.audit.models import AccessRecord
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, Conflict, NotAllowed, NotFound
from bitgoeul.kernel.ids import new_id

pytestmark = pytest.mark.django_db


def test_outsiders_do_not_learn_that_a_project_exists(project, ara, bora, chan, staff):
    for actor in (ara, bora, staff):
        assert accounts.project(actor=accounts.actor_for(user_id=actor.user_id), project_id=project.id) == project
    with pytest.raises(NotFound):
        accounts.project(actor=chan, project_id=project.id)
    with pytest.raises(NotFound):
        accounts.add_member(actor=chan, project_id=project.id, user_id=chan.user_id, role=ProjectRole.MEMBER)


def test_a_member_is_refused_with_a_reason(project, bora, chan):
    with pytest.raises(NotAllowed) as caught:
        accounts.add_member(actor=bora, project_id=project.id, user_id=chan.user_id, role=ProjectRole.MEMBER)
    assert "ask its owner" in str(caught.value.text)


def test_the_owner_stays(project, ara, bora):
    owner = accounts.actor_for(user_id=ara.user_id)
    with pytest.raises(BadInput):
        accounts.remove_member(actor=owner, project_id=project.id, user_id=ara.user_id)
    with pytest.raises(BadInput):
        accounts.add_member(actor=owner, project_id=project.id, user_id=bora.user_id, role=ProjectRole.OWNER)
    accounts.remove_member(actor=owner, project_id=project.id, user_id=bora.user_id)
    accounts.remove_member(actor=owner, project_id=project.id, user_id=bora.user_id)
    assert list(ProjectMembership.objects.values_list("user_id", flat=True)) == [ara.user_id]


def test_the_same_id_again_changes_nothing(ara, organisation):
    system, project_id = Actor.system("test"), new_id()
    made = [
        accounts.create_project(
            actor=system, id=project_id, organisation_id=organisation.id, title="A", owner_user_id=ara.user_id
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert Project.objects.count() == 1
    other = accounts.create_project(
        actor=system, id=new_id(), organisation_id=organisation.id, title="B", owner_user_id=ara.user_id
    )
    assert int(other.number[-5:]) == int(made[0].number[-5:]) + 1


def test_a_registration_number_belongs_to_one_organisation(ara, chan):
    def register(actor):
        return accounts.create_organisation(
            actor=actor,
            id=new_id(),
            name="가 (예시)",
            kind=accounts.OrganisationKind.SME,
            registration_number="000-00-00034",
        )

    register(ara)
    with pytest.raises(Conflict) as caught:
        register(chan)
    assert caught.value.field == "registration_number"


def test_only_a_role_lets_people_do_things(ara, staff):
    portal = accounts.PORTAL
    assert not accounts.may(actor=ara, verb="accounts.create_project", thing=portal)
    assert accounts.may(actor=staff, verb="accounts.create_project", thing=portal)
    assert not accounts.may(actor=Actor.anonymous(), verb="accounts.create_organisation", thing=portal)


def test_a_verb_is_registered_once_and_used_on_its_kind(ara):
    with pytest.raises(ValueError, match="registered twice"):
        accounts.register_verb(
            Verb("accounts.create_project", "portal", accounts.verbs()[0].label, signed_in=True)
        )
    with pytest.raises(ValueError, match="acts on"):
        accounts.may(actor=ara, verb="accounts.create_project", thing=Thing("job", "1"))


def test_an_operator_who_looks_at_people_leaves_an_access_record(project, bora, ara, staff):
    accounts.members(actor=bora, project_id=project.id)
    assert AccessRecord.objects.count() == 0
    accounts.members(actor=staff, project_id=project.id)
    seen = set(AccessRecord.objects.values_list("actor", "person"))
    assert seen == {(staff.id, ara.id), (staff.id, bora.id)}


def test_tokens_are_hashed_expire_and_never_exceed_their_owner(ara, project):
    made = accounts.issue_token(actor=ara, id=new_id(), name="laptop", days=1, read_only=True)
    row = ApiToken.objects.get(pk=made.id)
    assert made.secret not in str(row.__dict__)
    actor = accounts.actor_of_token(made.secret)
    assert actor.user_id == ara.user_id
    refused = accounts.may(actor=actor, verb="accounts.change_members", thing=project.thing)
    assert "accounts:write" in str(refused.reason)
    assert accounts.may(actor=actor, verb="accounts.view_project", thing=project.thing)
    with pytest.raises(NotAllowed):
        accounts.issue_token(actor=actor, id=new_id(), name="x", days=1)
    ApiToken.objects.update(expires_at=now() - timedelta(seconds=1))
    assert accounts.actor_of_token(made.secret) is None
    assert accounts.actor_of_token("bgt_guess") is None


def test_a_revoked_token_is_dead_at_once(ara, chan):
    made = accounts.issue_token(actor=ara, id=new_id(), name="laptop", days=1)
    accounts.revoke_token(actor=chan, id=made.id)
    assert accounts.actor_of_token(made.secret) is not None
    accounts.revoke_token(actor=ara, id=made.id)
    assert accounts.actor_of_token(made.secret) is None


def test_personal_values_stay_out_of_the_chain(ara):
    events = audit.history("user", str(ara.user_id)).items
    assert events
    assert "ara@example.kr" not in str([event.after for event in events])
